// A small remapped system in plain memory for tests of translation: one requester, one PASID per
// kind of table.
#pragma once

#include "models/formats/vtd_registers.h"
#include "models/reference/page_table_builder.h"
#include "models/reference/reference_translator.h"
#include "models/reference/remapping_tables.h"

namespace svasim {

inline constexpr unsigned kTestHostWidth = 46;

// Everything this project models, both stages, all page sizes, 20-bit PASIDs.
inline ReferenceRegisters full_reference_registers() {
  ReferenceRegisters registers;
  registers.host_address_width = kTestHostWidth;
  registers.cap = VtdCap::ND::make(6) | VtdCap::MGAW::make(56) | VtdCap::FS1GP::kMask | VtdCap::FS5LP::kMask |
                  VtdCap::SAGAW::make(VtdCap::kSagaw3Level | VtdCap::kSagaw4Level | VtdCap::kSagaw5Level) |
                  VtdCap::SSLPS::make(VtdCap::kSslps2M | VtdCap::kSslps1G) | VtdCap::ZLR::kMask;
  registers.ecap = VtdEcap::QI::kMask | VtdEcap::DT::kMask | VtdEcap::PT::kMask | VtdEcap::SC::kMask |
                   VtdEcap::NEST::kMask | VtdEcap::PRS::kMask | VtdEcap::SRS::kMask | VtdEcap::NWFS::kMask |
                   VtdEcap::EAFS::kMask | VtdEcap::PSS::make(19) | VtdEcap::PASID::kMask |
                   VtdEcap::SMTS::kMask | VtdEcap::SSADS::kMask | VtdEcap::SSTS::kMask |
                   VtdEcap::FSTS::kMask | VtdEcap::SMPWCS::kMask | VtdEcap::RPS::kMask |
                   VtdEcap::RPRIVS::kMask | VtdEcap::PTRS::kMask | VtdEcap::SSIRWS::kMask |
                   VtdEcap::ADMS::kMask;
  return registers;
}

struct ScalableTestSystem {
  static constexpr RequesterId kDevice = RequesterId::from_bdf(2, 3, 1);
  static constexpr Pasid kRidPasid{0};
  static constexpr Pasid kFirst{0x41};    // first stage, 4 levels
  static constexpr Pasid kFirst5{0x42};   // first stage, 5 levels
  static constexpr Pasid kSecond{0x43};   // second stage, 4 levels
  static constexpr Pasid kNested{0x44};   // first stage 4 levels over the second stage
  static constexpr Pasid kPass{0x45};     // pass-through
  static constexpr Pasid kSecond3{0x46};  // second stage, 3 levels
  static constexpr DomainId kFirstDomain{1};
  static constexpr DomainId kSecondDomain{2};
  static constexpr DomainId kNestedDomain{3};

  // Guest memory of the nested tables is mapped one to one by `guest` where `nested_tables` lie.
  static constexpr Addr kTables = 0x1000000;
  static constexpr Addr kTablesEnd = 0x3000000;

  ReferenceRegisters registers = full_reference_registers();
  PageMemory memory;
  TablePages pages{kTables, kTablesEnd};
  RemappingTables tables{memory, pages, true};
  PageTableBuilder first{memory, pages, TableStage::kFirst, 4};
  PageTableBuilder first5{memory, pages, TableStage::kFirst, 5};
  PageTableBuilder second{memory, pages, TableStage::kSecond, 4};
  PageTableBuilder second3{memory, pages, TableStage::kSecond, 3};
  PageTableBuilder guest{memory, pages, TableStage::kSecond, 4};  // of the nested PASID
  PageTableBuilder nested{memory, pages, TableStage::kFirst, 4};  // of the nested PASID
  ReferenceTranslator reference{memory, registers};

  ScalableTestSystem() {
    ScalableContext context;
    context.device_tlb = context.pasid = context.page_requests = true;
    context.rid_pasid = kRidPasid;
    context.pdts = 1;  // PASIDs below 16384
    tables.set_context(kDevice, context);
    tables.set_pasid_entry(kDevice, kRidPasid, second_stage_pasid_entry(second.root(), 4, kSecondDomain));
    tables.set_pasid_entry(kDevice, kFirst, first_stage_pasid_entry(first.root(), 4, kFirstDomain));
    tables.set_pasid_entry(kDevice, kFirst5, first_stage_pasid_entry(first5.root(), 5, kFirstDomain));
    tables.set_pasid_entry(kDevice, kSecond, second_stage_pasid_entry(second.root(), 4, kSecondDomain));
    tables.set_pasid_entry(kDevice, kSecond3, second_stage_pasid_entry(second3.root(), 3, kSecondDomain));
    tables.set_pasid_entry(kDevice, kNested,
                           nested_pasid_entry(nested.root(), 4, guest.root(), 4, kNestedDomain));
    tables.set_pasid_entry(kDevice, kPass, pass_through_pasid_entry(kFirstDomain));
    guest.map_range(kTables, kTables, kTablesEnd - kTables, {}, 21);
    registers.rtaddr = tables.rtaddr();
  }

  ReferenceRequest read(Pasid pasid, Addr address) const {
    ReferenceRequest request;
    request.requester = kDevice;
    request.has_pasid = true;
    request.pasid = pasid;
    request.address = address;
    return request;
  }
  ReferenceRequest write(Pasid pasid, Addr address) const {
    ReferenceRequest request = read(pasid, address);
    request.read = false;
    request.write = true;
    return request;
  }
  ReferenceRequest translation(Pasid pasid, Addr address, bool no_write = false) const {
    ReferenceRequest request = read(pasid, address);
    request.kind = RequestKind::kTranslationRequest;
    request.no_write = no_write;
    return request;
  }

  std::uint64_t peek(Addr address) const {
    std::uint64_t value = 0;
    memory.read64(address, value);
    return value;
  }
  // Sets, and clears, bits of a word in memory.
  void poke(Addr address, std::uint64_t set, std::uint64_t clear = 0) {
    memory.write64(address, (peek(address) & ~clear) | set);
  }
};

}  // namespace svasim
