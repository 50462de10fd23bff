// Descriptors of the page request queue in memory, 32 bytes each. SPEC: [VTD 7.5]
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/types.h"
#include "models/formats/words.h"

namespace svasim {

using PageRequestDescriptor = Words<4>;
inline constexpr std::size_t kPageRequestDescriptorBytes = 32;
static_assert(sizeof(PageRequestDescriptor) == kPageRequestDescriptorBytes);

struct PageRequestFields {
  using TYPE = WideField<7, 0>;
  using PP = WideBit<8>;
  using RID = WideField<31, 16>;
  using PASID = WideField<51, 32>;
  using EXR = WideBit<52>;
  using PMR = WideBit<53>;
  using RDR = WideBit<64>;
  using WRR = WideBit<65>;
  using LPIG = WideBit<66>;
  using PRGI = WideField<75, 67>;
  using ADDR = WideField<127, 76>;
  static constexpr std::uint64_t kType = 0x01;
};

// A page request as values.
struct PageRequest {
  RequesterId requester;
  bool has_pasid = false;
  Pasid pasid;
  bool execute = false;
  bool privileged = false;
  bool read = false;
  bool write = false;
  bool last = false;
  std::uint16_t prg_index = 0;
  Addr page = 0;

  // Last with neither read nor write but a PASID. SPEC: [PRI 6]
  constexpr bool is_stop_marker() const { return has_pasid && last && !read && !write; }
};

constexpr PageRequestDescriptor encode_page_request(const PageRequest& request) {
  using F = PageRequestFields;
  PageRequestDescriptor d{};
  F::TYPE::set(d, F::kType);
  F::PP::set(d, request.has_pasid);
  F::RID::set(d, request.requester.value());
  F::PASID::set(d, request.has_pasid ? request.pasid.value() : 0);
  F::EXR::set(d, request.execute);
  F::PMR::set(d, request.privileged);
  F::RDR::set(d, request.read);
  F::WRR::set(d, request.write);
  F::LPIG::set(d, request.last);
  F::PRGI::set(d, request.prg_index);
  F::ADDR::set_in_place(d, request.page);
  return d;
}

constexpr PageRequest decode_page_request(const PageRequestDescriptor& d) {
  using F = PageRequestFields;
  PageRequest request;
  request.has_pasid = F::PP::get(d) != 0;
  request.requester = RequesterId(static_cast<std::uint16_t>(F::RID::get(d)));
  request.pasid = Pasid(static_cast<std::uint32_t>(F::PASID::get(d)));
  request.execute = F::EXR::get(d) != 0;
  request.privileged = F::PMR::get(d) != 0;
  request.read = F::RDR::get(d) != 0;
  request.write = F::WRR::get(d) != 0;
  request.last = F::LPIG::get(d) != 0;
  request.prg_index = static_cast<std::uint16_t>(F::PRGI::get(d));
  request.page = F::ADDR::in_place(d);
  return request;
}

}  // namespace svasim
