// Identifiers and addresses that must not be mixed up, and the time unit of the SystemC-free code.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace svasim {

// Simulated time in picoseconds. The SystemC resolution is set to 1 ps, so this equals
// sc_time::value() and no conversion happens on the hot path.
using Ps = std::uint64_t;

inline constexpr Ps kNever = ~Ps{0};

// An address whose space is known from its name at the place of use (IOVA, GPA or HPA).
using Addr = std::uint64_t;

inline constexpr unsigned kPageShift = 12;
inline constexpr std::uint64_t kPageSize = std::uint64_t{1} << kPageShift;

// A number that only compares with its own kind. Tag gives the kind; Rep its width.
template <typename Tag, typename Rep>
class Id {
 public:
  using rep = Rep;
  constexpr Id() = default;
  constexpr explicit Id(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  friend constexpr bool operator==(Id a, Id b) { return a.value_ == b.value_; }
  friend constexpr bool operator!=(Id a, Id b) { return a.value_ != b.value_; }
  friend constexpr bool operator<(Id a, Id b) { return a.value_ < b.value_; }

 private:
  Rep value_ = 0;
};

// Process Address Space ID, 20 bits. SPEC: [PCIE PASID], [VTD 3.4]
using Pasid = Id<struct PasidTag, std::uint32_t>;
inline constexpr std::uint32_t kMaxPasid = 0xFFFFF;

// Domain ID of a context or PASID-table entry, 16 bits. SPEC: [VTD 9.6]
using DomainId = Id<struct DomainIdTag, std::uint16_t>;

// PCIe Requester ID: bus 15:8, device 7:3, function 2:0.
class RequesterId : public Id<struct RequesterIdTag, std::uint16_t> {
 public:
  using Id::Id;
  static constexpr RequesterId from_bdf(unsigned bus, unsigned device, unsigned function) {
    return RequesterId(static_cast<std::uint16_t>((bus << 8) | (device << 3) | function));
  }
  constexpr unsigned bus() const { return value() >> 8U; }
  constexpr unsigned devfn() const { return value() & 0xFFU; }
};

// "02:00.0" of a requester ID, and back. parse_bdf returns false on anything that is not
// bus:device.function in hexadecimal within 8, 5 and 3 bits.
std::string to_string(RequesterId id);
bool parse_bdf(const std::string& text, RequesterId& id);

}  // namespace svasim

template <typename Tag, typename Rep>
struct std::hash<svasim::Id<Tag, Rep>> {
  std::size_t operator()(svasim::Id<Tag, Rep> id) const noexcept { return std::hash<Rep>()(id.value()); }
};
