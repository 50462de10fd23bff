// Loose timing: direct access of devices to memory, one page at a time, for as long as every access there
// would be a hit.
#include <algorithm>

#include "base/bits.h"
#include "models/iommu/iommu.h"

namespace svasim {

namespace {

// A requester, and a PASID if there is one, in one number.
using RequesterField = Field<15, 0>;
using HasPasid = Bit<16>;
using PasidField = Field<51, 32>;

}  // namespace

bool Iommu::get_direct_mem_ptr(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
  auto* ledger = payload.get_extension<UseLedger>();
  if (!context_.loose() || context_.monitor != nullptr || port >= links_.size() || ledger == nullptr) {
    return false;
  }
  PcieExtension& pcie = Transaction::of(payload).pcie;
  const bool access = pcie.kind == TlpKind::kMemRead || pcie.kind == TlpKind::kMemWrite;
  Request r;
  r.iova = payload.get_address();
  r.last = r.iova + payload.get_data_length() - 1;
  r.requester = pcie.requester;
  r.pasid = pcie.pasid;
  r.has_pasid = pcie.has_pasid;
  r.execute = pcie.has_pasid && pcie.execute;
  r.access = {payload.is_read(), payload.is_write(), pcie.has_pasid && pcie.privileged};
  r.page = r.iova & ~(kPageSize - 1);
  r.shift = kPageShift;
  if (!access || pcie.at != AddressType::kUntranslated || in_interrupt_range(r.iova)) {
    return false;
  }
  const bool translated = registers_.translation_enabled();
  Iotlb::Held held;
  if (translated && !translator_.stands(r, held)) {
    return false;
  }
  payload.set_address(r.address());
  const bool granted = data_.port.socket()->get_direct_mem_ptr(payload, dmi);
  payload.set_address(r.iova);
  if (!granted) {
    return false;
  }
  // What memory and the page have in common, in the device's addresses.
  const Addr page = r.address() & ~(kPageSize - 1);
  const Addr first = std::max<Addr>(dmi.get_start_address(), page);
  const Addr last = std::min<Addr>(dmi.get_end_address(), page + (kPageSize - 1));
  const Addr distance = (r.iova & ~(kPageSize - 1)) - page;
  dmi.set_dmi_ptr(dmi.get_dmi_ptr() + (first - dmi.get_start_address()));
  dmi.set_start_address(first + distance);
  dmi.set_end_address(last + distance);
  dmi.set_granted_access(payload.is_write() ? tlm::tlm_dmi::DMI_ACCESS_WRITE : tlm::tlm_dmi::DMI_ACCESS_READ);

  const Ps memory = (payload.is_write() ? dmi.get_write_latency() : dmi.get_read_latency()).value();
  const Ps own = params_.lookup_latency() + params_.forward_latency + params_.response_latency;
  pcie.attribution.charge(Stage::kMemory, pcie.attribution.mark() + memory);
  pcie.attribution.charge(Stage::kIommuLookup, pcie.attribution.mark() + own);
  add_latency(dmi, payload, own);

  ledger->count(stats_.untranslated);
  ledger->count(stats_.completed);
  ledger->count(stats_.bytes, payload.get_data_length());
  if (translated) {
    ledger->tell(*this, RequesterField::make(r.requester.value()) | HasPasid::make(r.has_pasid) |
                            PasidField::make(r.pasid.value()));
  }
  if (held.hits != nullptr) {
    ledger->count(*held.hits);
    ledger->touch(*held.entry.recency, held.entry.set, held.entry.way);
    held.entry.data->granted = true;
  }
  granted_ = true;
  return true;
}

void Iommu::used(std::uint64_t key, std::uint64_t times) {
  translator_.use_again(RequesterId(static_cast<std::uint16_t>(RequesterField::get(key))),
                        HasPasid::get(key) != 0, Pasid(static_cast<std::uint32_t>(PasidField::get(key))),
                        times);
}

// WHY from every device and address space that has pages at these addresses: the call of TLM-2.0 knows no
// PASID. Who loses too much asks again; no result depends on it.
void Iommu::revoke(Addr first, Addr last) {
  if (!granted_) {
    return;
  }
  granted_ = first != 0 || last != ~Addr{0};
  for (const std::unique_ptr<Link>& link : links_) {
    link->requests->invalidate_direct_mem_ptr(first, last);
  }
}

}  // namespace svasim
