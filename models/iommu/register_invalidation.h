// Invalidation by registers, without the queue: CCMD, IVA and IOTLB. SPEC: [VTD 6.5.1, 11.4.6, 11.4.7]
#pragma once

#include <cstdint>
#include <optional>

#include "models/formats/vtd_registers.h"
#include "models/iommu/invalidation_operation.h"

namespace svasim {

// Two commands, each busy from the write of its top bit until done() clears it.
class RegisterInvalidation {
 public:
  enum class Command : std::uint8_t { kContext, kTranslations };

  std::uint64_t context() const { return context_; }
  std::uint64_t address() const { return address_; }
  std::uint64_t translations() const { return translations_; }

  void write_address(std::uint64_t value) {
    address_ = value & (VtdIva::ADDR::kMask | VtdIva::IH::kMask | VtdIva::AM::kMask);
  }
  // The register is written as a whole; true when that starts a command. One under way is not disturbed.
  bool write_context(std::uint64_t value);
  bool write_translations(std::uint64_t value);

  // What the command asks for; nothing when it asks for no granularity there is, or when `allowed` is false.
  // SPEC: [VTD 6.5.1] then it is ignored and the granularity carried out reads 0.
  std::optional<InvalidationOperation> start(Command command, bool allowed, unsigned max_address_mask);
  void done(Command command);

 private:
  std::uint64_t context_ = 0;
  std::uint64_t address_ = 0;
  std::uint64_t translations_ = 0;
};

}  // namespace svasim
