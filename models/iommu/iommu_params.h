// Parameters of the IOMMU front end.
#pragma once

#include <cstdint>
#include <string>

#include "base/params.h"
#include "models/formats/ats_messages.h"
#include "models/iommu/iotlb_params.h"

namespace svasim {

// What the capability registers offer to software. Names in brackets are the bits they become.
struct IommuCapabilityParams {
  unsigned version;
  unsigned host_address_width;
  unsigned guest_address_width;
  unsigned pasid_bits;
  bool scalable_mode;
  bool first_stage;
  bool second_stage;
  bool nested;
  bool pass_through;
  bool device_tlb;
  bool page_requests;
  bool supervisor_requests;
  bool extended_accessed;
  bool second_stage_ad;
  bool snoop_control;
  bool coherent_walks;
  bool first_stage_5_levels;
  bool first_stage_1g;
  bool second_stage_5_levels;
  bool second_stage_2m;
  bool second_stage_1g;
  bool no_write_flag;
  bool abort_dma;
  bool flush_on_set_root;
  unsigned fault_records;
  unsigned max_address_mask;
};

inline const ParamTable<IommuCapabilityParams>& iommu_capability_params() {
  using P = IommuCapabilityParams;
  static const ParamTable<P> table =
      ParamTable<P>("Capabilities of an IOMMU")
          .count("version", &P::version, "6", 1, 7, "Major version (VER).", "VTD 11.4.1")
          .count("host_address_width", &P::host_address_width, "46", 36, 52,
                 "Bits of a physical address (HAW); higher bits of an entry are reserved.", "VTD 3.6, 3.7")
          .count("guest_address_width", &P::guest_address_width, "48", 39, 57,
                 "Bits of a second-stage input address (CAP.MGAW).", "VTD 11.4.2")
          .count("pasid_bits", &P::pasid_bits, "20", 1, 20, "Width of a PASID (ECAP.PSS).", "VTD 11.4.3")
          .flag("scalable_mode", &P::scalable_mode, "true", "Scalable mode (ECAP.SMTS).", "VTD 11.4.3")
          .flag("first_stage", &P::first_stage, "true", "First-stage translation (ECAP.FSTS).", "VTD 11.4.3")
          .flag("second_stage", &P::second_stage, "true", "Second stage in scalable mode (ECAP.SSTS).",
                "VTD 11.4.3")
          .flag("nested", &P::nested, "true",
                "Nested translation (ECAP.NEST); needs first_stage and second_stage.", "VTD 11.4.3")
          .flag("pass_through", &P::pass_through, "true", "Pass-through entries (ECAP.PT).", "VTD 11.4.3")
          .flag("device_tlb", &P::device_tlb, "true", "ATS requests and device-TLB invalidation (ECAP.DT).",
                "VTD 11.4.3")
          .flag("page_requests", &P::page_requests, "true", "Page requests (ECAP.PRS).", "VTD 11.4.3")
          .flag("supervisor_requests", &P::supervisor_requests, "true", "Privileged requests (ECAP.SRS).",
                "VTD 11.4.3")
          .flag("extended_accessed", &P::extended_accessed, "true", "Extended accessed flag (ECAP.EAFS).",
                "VTD 11.4.3")
          .flag("second_stage_ad", &P::second_stage_ad, "true",
                "Accessed and dirty flags of the second stage (ECAP.SSADS).", "VTD 11.4.3")
          .flag("snoop_control", &P::snoop_control, "true", "SNP and PGSNP are honoured (ECAP.SC).",
                "VTD 11.4.3")
          .flag("coherent_walks", &P::coherent_walks, "true",
                "Structures and page tables are read coherently (ECAP.C and ECAP.SMPWCS).", "VTD 11.4.3")
          .flag("first_stage_5_levels", &P::first_stage_5_levels, "true",
                "First-stage tables of 5 levels (CAP.FS5LP).", "VTD 11.4.2")
          .flag("second_stage_5_levels", &P::second_stage_5_levels, "false",
                "Second-stage tables of 5 levels (CAP.SAGAW); 3 and 4 always. The width of addresses is "
                "guest_address_width.",
                "VTD 11.4.2")
          .flag("first_stage_1g", &P::first_stage_1g, "true", "1-GiB pages of the first stage (CAP.FS1GP).",
                "VTD 11.4.2")
          .flag("second_stage_2m", &P::second_stage_2m, "true",
                "2-MiB pages of the second stage (CAP.SSLPS).", "VTD 11.4.2")
          .flag("second_stage_1g", &P::second_stage_1g, "true",
                "1-GiB pages of the second stage (CAP.SSLPS).", "VTD 11.4.2")
          .flag("no_write_flag", &P::no_write_flag, "true",
                "NW of translation requests is honoured (ECAP.NWFS).", "VTD 11.4.3")
          .flag("abort_dma", &P::abort_dma, "true", "Abort-DMA mode (ECAP.ADMS).", "VTD 11.4.3")
          .flag("flush_on_set_root", &P::flush_on_set_root, "true",
                "Setting the root pointer invalidates all caches (CAP.ESRTPS).", "VTD 11.4.2")
          .count("fault_records", &P::fault_records, "8", 1, 256, "Fault recording registers (CAP.NFR).",
                 "VTD 11.4.2")
          .count("max_address_mask", &P::max_address_mask, "18", 0, 52,
                 "Largest AM of a page-selective IOTLB invalidation (CAP.MAMV).", "VTD 11.4.2")
          .check([](const P& p, const Complain& bad) {
            if (p.second_stage_1g && !p.second_stage_2m) {
              bad("second_stage_1g", "1-GiB pages need second_stage_2m");
            }
            if (p.page_requests && !(p.device_tlb && p.scalable_mode)) {
              bad("page_requests", "page requests need device_tlb and scalable_mode");
            }
            if (p.nested && !(p.first_stage && p.second_stage)) {
              bad("nested", "nested translation needs first_stage and second_stage; set nested to false");
            }
            if ((p.extended_accessed || p.second_stage_ad) && !p.coherent_walks) {
              bad("coherent_walks", "extended_accessed and second_stage_ad need coherent walks");
            }
          });
  return table;
}

struct IommuParams {
  // Bytes of the register block.
  static constexpr std::uint64_t kRegisterBytes = 0x2000;

  IommuCapabilityParams capabilities;
  std::uint64_t register_base;

  unsigned request_slots;
  unsigned walks;
  unsigned structure_fetches;
  unsigned structure_read_bytes;
  bool ordered_writes;
  bool merge_walks;
  bool check_translated;
  unsigned translations;
  unsigned lookup_ports;

  Ps lookup_interval;
  Ps context_latency;
  Ps pasid_latency;
  Ps iotlb_latency;
  Ps paging_latency;
  Ps forward_latency;
  Ps response_latency;
  Ps register_latency;
  Ps set_root_latency;
  Ps descriptor_latency;
  Ps flush_latency;
  Ps message_latency;
  Ps invalidate_timeout;

  TlbParams context_cache;
  TlbParams pasid_cache;
  IotlbParams iotlb;
  TranslationTlbParams iotlb_2m;
  TranslationTlbParams iotlb_1g;
  TranslationTlbParams first_stage_cache;
  TranslationTlbParams second_stage_cache;

  // Arrival of a request to the end of its look-up, without queueing.
  Ps lookup_latency() const { return context_latency + pasid_latency + iotlb_latency; }
};

inline const ParamTable<IommuParams>& iommu_params() {
  using P = IommuParams;
  static const ParamTable<P> table =
      ParamTable<P>("IOMMU (Intel VT-d): translates requests of its PCIe links")
          .group("capabilities", &P::capabilities, iommu_capability_params(), "What software is offered.")
          .address("register_base", &P::register_base, "0xFED90000",
                   "First address of the register block, 8 KiB.", "VTD 11.1")
          .count("request_slots", &P::request_slots, "64", 1, 4096,
                 "Requests between look-up and answer; more wait in the input buffer and hold their credits.",
                 "MODEL")
          .count("walks", &P::walks, "32", 1, 1024,
                 "Pages whose walk is outstanding; requests for one page share one.", "MODEL")
          .count("structure_fetches", &P::structure_fetches, "4", 1, 64,
                 "Context or PASID entries being fetched at a time; requests for one entry share one.",
                 "MODEL")
          .count("structure_read_bytes", &P::structure_read_bytes, "64", 16, 64,
                 "Longest atomic read of root, context and PASID structures: 16, 32 or 64; longer entries "
                 "are read "
                 "in pieces at once and can be seen torn.",
                 "VTD 9: at least 128 bits")
          .flag("ordered_writes", &P::ordered_writes, "true",
                "Posted writes of one requester leave in the order of their arrival.", "PCIE 2.4.1")
          .flag("merge_walks", &P::merge_walks, "true",
                "A request for a page whose walk is under way waits for it instead of starting its own.",
                "MODEL")
          .flag("check_translated", &P::check_translated, "false",
                "Scalable mode: a translated request is refused unless its device holds a translation to the "
                "page, with the right, that it was given and that no completed invalidation took back.",
                "MODEL: stands for a host permission table")
          .count("translations", &P::translations, "8", 1, kMaxTranslations,
                 "Most translations in one translation completion; a device may ask for fewer.", "VTD 4.2.3")
          .count("lookup_ports", &P::lookup_ports, "1", 1, 64,
                 "Look-ups that may start within one lookup_interval.", "MODEL")
          .time("lookup_interval", &P::lookup_interval, "1 ns", "0 ps", "1 us",
                "From the start of a look-up to that of the look-up lookup_ports later.",
                "MODEL: one per cycle at 1 GHz")
          .time("context_latency", &P::context_latency, "1 ns", "0 ps", "1 us",
                "Look-up in the context cache; part of every request's look-up.", "MODEL")
          .time("pasid_latency", &P::pasid_latency, "1 ns", "0 ps", "1 us",
                "Look-up in the PASID cache; part of every request's look-up.", "MODEL")
          .time("iotlb_latency", &P::iotlb_latency, "2 ns", "1 ps", "1 us",
                "Look-up in the IOTLB; part of every request's look-up, and again after a structure fetch.",
                "MODEL")
          .time("paging_latency", &P::paging_latency, "2 ns", "1 ps", "1 us",
                "Look-up in the paging-structure caches, from an IOTLB miss to the walk leaving for the "
                "walker; and from a nested walk's question for a second-stage table to the answer.",
                "MODEL")
          .time("forward_latency", &P::forward_latency, "2 ns", "1 ps", "1 us",
                "From a known translation to the request or message leaving the IOMMU.", "MODEL")
          .time("response_latency", &P::response_latency, "2 ns", "1 ps", "1 us",
                "From the memory's answer, or a known fault, to the answer leaving for the link.", "MODEL")
          .time("register_latency", &P::register_latency, "20 ns", "1 ps", "100 us",
                "From a register access at the IOMMU to its answer; half before the effect, half after.",
                "MODEL")
          .time("set_root_latency", &P::set_root_latency, "100 ns", "1 ps", "1 ms",
                "From GCMD.SRTP to GSTS.RTPS.", "MODEL")
          .time("descriptor_latency", &P::descriptor_latency, "5 ns", "1 ps", "100 us",
                "From an invalidation descriptor in the IOMMU to its effect.", "MODEL")
          .time("flush_latency", &P::flush_latency, "20 ns", "1 ps", "100 us",
                "For which a cache invalidation keeps the invalidation engine busy.", "MODEL")
          .time("message_latency", &P::message_latency, "4 ns", "1 ps", "100 us",
                "From the decision to send a message or an interrupt to its leaving.", "MODEL")
          .time("invalidate_timeout", &P::invalidate_timeout, "60 s", "1 us", "1000 s",
                "From a device-TLB invalidation to its time-out (FSTS.ITE).", "ATS 4.2")
          .group("context_cache", &P::context_cache, tlb_params(), "Context cache, by requester.",
                 {{"entries", "64"}, {"ways", "4"}})
          .group("pasid_cache", &P::pasid_cache, tlb_params(), "PASID cache, by requester and PASID.",
                 {{"entries", "64"}, {"ways", "4"}})
          .group("iotlb", &P::iotlb, iotlb_params(), "IOTLB, all page sizes unless it is split.",
                 {{"entries", "256"}, {"ways", "8"}})
          .group("iotlb_2m", &P::iotlb_2m, translation_tlb_params(),
                 "IOTLB of 2-MiB pages; used when iotlb.split is on.", {{"entries", "32"}, {"ways", "4"}})
          .group("iotlb_1g", &P::iotlb_1g, translation_tlb_params(),
                 "IOTLB of 1-GiB and larger pages; used when iotlb.split is on.",
                 {{"entries", "16"}, {"ways", "4"}})
          .group("first_stage_cache", &P::first_stage_cache, translation_tlb_params(),
                 "Paging-structure cache of the first stage, all levels.", {{"entries", "64"}, {"ways", "4"}})
          .group("second_stage_cache", &P::second_stage_cache, translation_tlb_params(),
                 "Paging-structure cache of the second stage, all levels, of nested walks too.",
                 {{"entries", "64"}, {"ways", "4"}})
          .check([](const P& p, const Complain& bad) {
            if (!is_power_of_two(p.structure_read_bytes)) {
              bad("structure_read_bytes", "16, 32 or 64");
            }
            if (p.lookup_interval > p.lookup_latency()) {
              bad("lookup_interval", "longer than context_latency, pasid_latency and iotlb_latency together");
            }
            if (p.register_base % kPageSize != 0) {
              bad("register_base", "not a multiple of 4 KiB");
            }
          });
  return table;
}

}  // namespace svasim
