// Reads root, context, PASID directory and PASID-table entries, one memory read at a time.
#pragma once

#include <array>
#include <cstdint>

#include "base/types.h"
#include "models/formats/vtd_faults.h"
#include "models/formats/words.h"
#include "models/iommu/address_space.h"
#include "models/iommu/capabilities.h"
#include "models/iommu/fault_place.h"

namespace svasim {

// RTADDR as SRTP latched it.
struct RootPointer {
  Addr table = 0;
  TranslationMode mode = TranslationMode::kLegacy;
  bool bad_fields = false;  // SSIRWE where it is not allowed
};

// A resumable machine without a clock: start() and step() say which bytes are needed next, until
// the entry is decoded or the look-up has failed. Both timing modes drive it. SPEC: [VTD 3.4]
class StructureFetch {
 public:
  enum class State : std::uint8_t { kRead, kDone, kFault };
  static constexpr std::size_t kMaxBytes = PasidTableEntry::kBytes;
  using Buffer = Words<kMaxBytes / 8>;

  // The context entry of a requester.
  // `born`: how many invalidations have taken effect.
  State start_context(const RootPointer& root, RequesterId requester, std::uint64_t born = 0);
  // The PASID-table entry of a context (scalable mode).
  State start_pasid(const ContextEntry& context, Pasid pasid, std::uint64_t born = 0);
  // The bytes asked for; ok: the read succeeded.
  State step(const Capabilities& capabilities, const Buffer& data, bool ok);

  // kRead: what to read.
  Addr address() const { return address_; }
  unsigned bytes() const { return bytes_; }

  // kDone.
  bool is_context() const { return entry_ <= Entry::kScalableContext; }
  const ContextEntry& context() const { return context_; }
  const AddressSpace& space() const { return space_; }
  // kFault: the reason, and whether an entry on the way had FPD set.
  FaultReason fault() const { return fault_; }
  bool quiet() const { return quiet_; }
  FaultPlace place() const;

 private:
  enum class Entry : std::uint8_t {
    kLegacyRoot,
    kLegacyContext,
    kScalableRoot,
    kScalableContext,
    kPasidDirectory,
    kPasidTable
  };

  State read(Entry entry, Addr address, std::size_t bytes);
  State fail(FaultReason reason);
  State legacy_root(const Capabilities& capabilities, const Buffer& data);
  State legacy_context(const Capabilities& capabilities, const Buffer& data);
  State scalable_root(const Capabilities& capabilities, const Buffer& data);
  State scalable_context(const Capabilities& capabilities, const Buffer& data);
  State pasid_directory(const Capabilities& capabilities, const Buffer& data);
  State pasid_table(const Capabilities& capabilities, const Buffer& data);

  Entry entry_ = Entry::kLegacyRoot;
  unsigned bytes_ = 0;
  Addr address_ = 0;
  RequesterId requester_;
  Pasid pasid_;
  bool quiet_ = false;
  std::uint64_t born_ = 0;
  FaultReason fault_ = FaultReason::kNone;
  ContextEntry context_;
  AddressSpace space_;
};

}  // namespace svasim
