// The tables of an IOMMU's model, for the detector.
#pragma once

#include "models/iommu/iommu.h"
#include "models/stale_uses/stale_use_detector.h"

namespace svasim {

class IommuView final : public RemappingView {
 public:
  explicit IommuView(Iommu& iommu) : memory_(iommu), iommu_(iommu) {
    const IommuCapabilityParams& offered = iommu.params().capabilities;
    fixed_.cap = iommu.registers().read64(vtd_reg::kCap);
    fixed_.ecap = iommu.registers().read64(vtd_reg::kEcap);
    fixed_.host_address_width = offered.host_address_width;
    fixed_.major_version = offered.version;
  }

  MemoryView& memory() override { return memory_; }
  ReferenceRegisters registers() const override {
    ReferenceRegisters now = fixed_;
    // As SRTP latched it, not as it was written.
    const RootPointer& root = iommu_.root();
    now.rtaddr = root.table | VtdRtaddr::TTM::make(static_cast<std::uint64_t>(root.mode)) |
                 VtdRtaddr::SSIRWE::make(root.bad_fields);
    now.translation_enabled = iommu_.registers().translation_enabled();
    return now;
  }

 private:
  struct Memory final : MemoryView {
    explicit Memory(Iommu& by) : iommu(by) {}
    bool read64(Addr address, std::uint64_t& value) const override { return iommu.peek(address, value); }
    bool write64(Addr, std::uint64_t) override { return false; }
    Iommu& iommu;
  };

  Memory memory_;
  Iommu& iommu_;
  ReferenceRegisters fixed_;
};

}  // namespace svasim
