// What of a PCI Express function's configuration space is modelled.
#pragma once

#include <cstdint>

namespace svasim {

// Offsets. SPEC: [PCIE 7.5.1.1.3 Command, 7.5.3.4 Device Control]. The PCI Express capability may stand
// anywhere; here it is at 0x40.
namespace pci_config {
inline constexpr std::uint32_t kBytes = 4096;
inline constexpr std::uint32_t kCommand = 0x04;
inline constexpr std::uint32_t kDeviceControl = 0x48;
}  // namespace pci_config

namespace PciCommand {
inline constexpr std::uint32_t kMemorySpace = 1U << 1U;
}

namespace PciDeviceControl {
inline constexpr std::uint32_t kReset = 1U << 15U;  // Initiate Function Level Reset; reads as 0
}

}  // namespace svasim
