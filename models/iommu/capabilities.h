// CAP, ECAP and what follows from them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "models/formats/page_table_format.h"
#include "models/formats/vtd_context.h"
#include "models/formats/vtd_registers.h"
#include "models/formats/vtd_second_stage.h"
#include "models/formats/x86_first_stage.h"
#include "models/iommu/iommu_params.h"

namespace svasim {

// MODEL: interrupt remapping, memory types and host permission tables are not offered.
class Capabilities {
 public:
  // Where the fault records lie. SPEC: [VTD 11.4.2] leaves it to the implementation.
  static constexpr std::uint32_t kFaultRecordOffset = 0x400;
  static constexpr std::uint32_t kIvaRegisterOffset = 0x100;
  static constexpr std::uint32_t kIotlbRegisterOffset = kIvaRegisterOffset + 8;

  explicit Capabilities(const IommuCapabilityParams& params);

  std::uint32_t version() const { return static_cast<std::uint32_t>(VtdVer::MAJOR::make(params_.version)); }
  std::uint64_t cap() const { return cap_; }
  std::uint64_t ecap() const { return ecap_; }
  const IommuCapabilityParams& params() const { return params_; }
  std::uint32_t registers_end() const { return kFaultRecordOffset + params_.fault_records * 16; }

  // Bits a physical address in a structure must not have.
  std::uint64_t beyond_host_width() const { return mask_between(63, params_.host_address_width); }
  bool pasid_fits(std::uint32_t pasid) const { return pasid >> params_.pasid_bits == 0; }

  // Whether scalable mode has this PGTT.
  bool translates(PasidGranularTranslation type) const {
    switch (type) {
      case PasidGranularTranslation::kFirstStage:
        return params_.first_stage;
      case PasidGranularTranslation::kSecondStage:
        return params_.second_stage;
      case PasidGranularTranslation::kNested:
        return params_.first_stage && params_.second_stage && params_.nested;
      case PasidGranularTranslation::kPassThrough:
        return params_.pass_through;
    }
    return false;
  }
  // By FSPM; nullptr for a mode that is not offered.
  const PageTableFormat* first_stage(std::uint64_t mode, bool extended_accessed) const {
    const bool offered = mode == 0 || (mode == 1 && params_.first_stage_5_levels);
    return offered ? &first_stage_[mode][extended_accessed] : nullptr;
  }
  // nullptr for a number of levels that is not offered.
  const PageTableFormat* second_stage(unsigned levels, bool accessed_dirty) const {
    return levels >= 3 && levels <= most_second_stage_levels() ? &second_stage_[levels - 3][accessed_dirty]
                                                               : nullptr;
  }
  unsigned most_second_stage_levels() const { return params_.second_stage_5_levels ? 5 : 4; }
  // Width of its input: min(MGAW, AGAW).
  std::uint8_t second_stage_bits(const PageTableFormat& format) const {
    return static_cast<std::uint8_t>(std::min<unsigned>(format.input_bits, params_.guest_address_width));
  }

 private:
  IommuCapabilityParams params_;
  std::uint64_t cap_ = 0;
  std::uint64_t ecap_ = 0;
  std::array<std::array<PageTableFormat, 2>, 2> first_stage_;
  std::array<std::array<PageTableFormat, 2>, 3> second_stage_;
};

}  // namespace svasim
