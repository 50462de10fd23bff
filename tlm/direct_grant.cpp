#include "tlm/direct_grant.h"

#include "base/check.h"

namespace svasim {

void UseLedger::settle(std::uint64_t uses) const {
  for (const auto& [counter, per_use] : counts_) {
    counter->add(per_use * uses);
  }
  for (const auto& [listener, key] : listeners_) {
    listener->used(key, uses);
  }
}

void DirectPages::ask(InitiatorSocket<PcieProtocol>& socket, Transaction& access) {
  const Addr number = access.get_address() >> kPageShift;
  Path path;
  tlm::tlm_dmi dmi;
  access.pcie.attribution.start(0);
  access.set_extension(&path.ledger);
  const bool granted = socket->get_direct_mem_ptr(access, dmi);
  access.clear_extension(&path.ledger);
  const bool allowed = access.is_write() ? dmi.is_write_allowed() : dmi.is_read_allowed();
  const Addr first = number << kPageShift;
  if (!granted || !allowed || dmi.get_start_address() > first ||
      dmi.get_end_address() < first + (kPageSize - 1)) {
    return;
  }
  path.attribution = access.pcie.attribution;
  path.latency = (access.is_write() ? dmi.get_write_latency() : dmi.get_read_latency()).value();
  SVASIM_CHECK(path.latency == path.attribution.total(), "all of a direct access's latency is attributed");
  page_of(number) = {number,
                     dmi.get_dmi_ptr() + (first - dmi.get_start_address()),
                     &path_of(path),
                     path.ledger.recency(),
                     path.ledger.set(),
                     path.ledger.way()};
}

DirectPages::Path& DirectPages::path_of(const Path& path) {
  for (const std::unique_ptr<Path>& known : paths_) {
    if (known->latency == path.latency && known->attribution.parts() == path.attribution.parts() &&
        known->ledger.adds_as(path.ledger)) {
      return *known;
    }
  }
  paths_.push_back(std::make_unique<Path>(path));
  return *paths_.back();
}

void DirectPages::revoke(Addr first, Addr last) {
  const Addr first_page = first >> kPageShift;
  const Addr last_page = last >> kPageShift;
  if (first_page == last_page) {
    if (Page* page = find(first)) {
      *page = Page();
    }
    return;
  }
  for (Page& page : pages_) {
    if (page.number >= first_page && page.number <= last_page) {
      page = Page();
    }
  }
}

}  // namespace svasim
