#include "models/memory/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "models/formats/pci_config.h"
#include "tlm/compare_swap.h"
#include "tlm/direct_grant.h"
#include "tlm/pcie_protocol.h"

namespace svasim {

Memory::Memory(sc_core::sc_module_name name, const MemoryParams& params, SimContext& context)
    : sc_core::sc_module(name),
      params_(params),
      socket_("socket", *this, 0),
      wake_("wake"),
      contents_(params.size),
      transfer_(params.bandwidth),
      direct_(context.loose() && !params.llc.enable && params.config == 0),
      interleave_shift_(static_cast<unsigned>(__builtin_ctzll(params.interleave))),
      llc_(params.llc, context.seed, std::string(this->name()) + ".llc"),
      channels_(params.latency, params.channels, params.llc.enable ? params.llc.latency : kNever) {
  SC_HAS_PROCESS(Memory);
  SC_METHOD(run);
  sensitive << wake_.event();
  dont_initialize();
  stats_.describe(context.stats, this->name());
}

tlm::tlm_sync_enum Memory::nb_transport_fw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                           tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase == tlm::END_RESP) {
    return tlm::TLM_COMPLETED;
  }
  SVASIM_CHECK(phase == tlm::BEGIN_REQ, "illegal phase at a memory");
  __builtin_prefetch(contents_.host_address(payload.get_address() - params_.base));
  // WHY no reference is taken: the initiator holds one until it has the answer.
  const auto* tag = payload.get_extension<SourceTag>();
  const std::uint64_t key =
      tag != nullptr ? (std::uint64_t{tag->rank} << 48U) | (tag->key & 0xFFFF'FFFF'FFFFULL) : untagged_++;
  const Ps arrival = now_ps() + delay.value();
  wake_.arm(channels_.push(arrival, key, transfer_(payload.get_data_length()), &payload,
                           channel_of(payload.get_address())));
  phase = tlm::END_REQ;
  return tlm::TLM_UPDATED;
}

void Memory::run() {
  wake_.fired();
  const Ps now = now_ps();
  for (const Channels::Served& served : served_) {
    respond(served);
  }
  served_.clear();
  while (channels_.ready(now)) {
    respond(serve());
  }
  wake_.arm(channels_.next());
}

// WHY the contents are read and written in the order of arrival and not when the answer leaves: posted
// writes reach memory in the order in which they left the root complex, and have to be seen in that order
// whichever channels they use: a completion record never before its data.
Memory::Channels::Served Memory::serve() {
  if (!llc_.enabled()) {
    const Channels::Served served = channels_.serve();
    stats_.wait.record(served.wait);
    access(*served.value);
    return served;
  }
  const LookUp found = look_up(*channels_.first());
  const Channels::Served served = found == LookUp::kHit
                                      ? channels_.pass_by(params_.llc.latency)
                                      : channels_.serve(found == LookUp::kMiss ? params_.llc.latency : 0);
  if (found != LookUp::kHit) {
    stats_.wait.record(served.wait);
  }
  access(*served.value);
  return served;
}

Memory::LookUp Memory::look_up(tlm::tlm_generic_payload& payload) {
  const auto* tag = payload.get_extension<SourceTag>();
  const std::uint64_t length = payload.get_data_length();
  if ((tag != nullptr && !tag->snoop) || !contents_.contains(payload.get_address() - params_.base, length)) {
    return LookUp::kNone;
  }
  const AccessOrigin origin = tag != nullptr ? tag->origin : AccessOrigin::kDevice;
  const bool hit = llc_.access(payload.get_address(), length, payload.is_write(), origin);
  (hit ? stats_.llc_hits : stats_.llc_misses).add();
  if (origin == AccessOrigin::kWalk) {
    (hit ? stats_.llc_walk_hits : stats_.llc_walk_misses).add();
  }
  return hit ? LookUp::kHit : LookUp::kMiss;
}

void Memory::respond(const Channels::Served& served) {
  tlm::tlm_phase phase = tlm::BEGIN_RESP;
  sc_core::sc_time delay = to_sc(served.done - now_ps());
  socket_->nb_transport_bw(*served.value, phase, delay);
}

void Memory::b_transport(unsigned /*port*/, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const LookUp found = llc_.enabled() ? look_up(payload) : LookUp::kNone;
  if (found != LookUp::kNone) {
    delay += to_sc(params_.llc.latency);
  }
  if (found != LookUp::kHit) {
    delay += to_sc(transfer_(payload.get_data_length()) + params_.latency);
  }
  access(payload);
  payload.set_dmi_allowed(direct_ && payload.is_response_ok());
}

bool Memory::get_direct_mem_ptr(unsigned /*port*/, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
  const Addr offset = payload.get_address() - params_.base;
  const unsigned length = payload.get_data_length();
  unsigned char* page = contents_.host_page(offset);
  if (!direct_ || page == nullptr || !contents_.contains(offset, length) ||
      payload.get_extension<CompareSwap>() != nullptr) {
    return false;
  }
  const Addr first = payload.get_address() & ~(kPageSize - 1);
  dmi.set_dmi_ptr(page);
  dmi.set_start_address(first);
  dmi.set_end_address(first + (kPageSize - 1));
  dmi.set_granted_access(payload.is_write() ? tlm::tlm_dmi::DMI_ACCESS_WRITE : tlm::tlm_dmi::DMI_ACCESS_READ);
  dmi.set_read_latency(sc_core::SC_ZERO_TIME);
  dmi.set_write_latency(sc_core::SC_ZERO_TIME);
  add_latency(dmi, payload, transfer_(length) + params_.latency);
  if (auto* ledger = payload.get_extension<UseLedger>()) {
    ledger->count(payload.is_write() ? stats_.writes : stats_.reads);
    ledger->count(payload.is_write() ? stats_.bytes_written : stats_.bytes_read, length);
  }
  return true;
}

unsigned Memory::transport_dbg(unsigned /*port*/, tlm::tlm_generic_payload& payload) {
  const Addr offset = payload.get_address() - params_.base;
  const unsigned length = payload.get_data_length();
  if (!contents_.contains(offset, length)) {
    return 0;
  }
  if (payload.is_read()) {
    look(offset, payload.get_data_ptr(), length);
    return length;
  }
  while (channels_.ready(now_ps())) {
    served_.push_back(serve());
    wake_.arm(now_ps());
  }
  contents_.write(offset, payload.get_data_ptr(), length);
  return length;
}

// The contents as what has arrived leaves them. WHY nothing is served for it: who only looks must not change
// when anything happens.
void Memory::look(Addr offset, unsigned char* data, unsigned length) const {
  contents_.read(offset, data, length);
  const Ps now = now_ps();
  channels_.for_each_arrived(now, [&](const tlm::tlm_generic_payload* payload) {
    if (!payload->is_write() || payload->get_byte_enable_ptr() != nullptr) {
      return;
    }
    const Addr first = payload->get_address() - params_.base;
    const unsigned bytes = payload->get_data_length();
    if (!contents_.contains(first, bytes) || first >= offset + length || offset >= first + bytes) {
      return;
    }
    const Addr from = std::max(first, offset);
    const Addr end = std::min(first + bytes, offset + length);
    unsigned char* const target = data + (from - offset);
    const std::size_t part = end - from;
    // An atomic update lies in what is looked at as a whole, or it is not known whether it will swap.
    if (const auto* swap = payload->get_extension<CompareSwap>()) {
      if (part != bytes || std::memcmp(target, &swap->expected, part) != 0) {
        return;
      }
    }
    std::memcpy(target, payload->get_data_ptr() + (from - first), part);
  });
}

void Memory::access(tlm::tlm_generic_payload& payload) {
  const Addr offset = payload.get_address() - params_.base;
  const unsigned length = payload.get_data_length();
  if (!memory_space_ || !contents_.contains(offset, length)) {
    return access_outside(payload);
  }
  if (payload.is_read()) {
    contents_.read(offset, payload.get_data_ptr(), length);
    stats_.reads.add();
    stats_.bytes_read.add(length);
  } else if (payload.is_write()) {
    if (payload.get_byte_enable_ptr() != nullptr) {
      payload.set_response_status(tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
      return;
    }
    if (payload.get_extension<CompareSwap>() != nullptr) {
      compare_swap(payload, offset);
    } else {
      contents_.write(offset, payload.get_data_ptr(), length);
    }
    stats_.writes.add();
    stats_.bytes_written.add(length);
  }
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

void Memory::access_outside(tlm::tlm_generic_payload& payload) {
  const Addr offset = payload.get_address() - params_.config;
  if (params_.config == 0 || offset >= pci_config::kBytes || payload.get_data_length() != 4) {
    stats_.errors.add();
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return;
  }
  std::uint32_t value = 0;
  if (payload.is_read()) {
    if (offset == pci_config::kCommand && memory_space_) value = PciCommand::kMemorySpace;
    std::memcpy(payload.get_data_ptr(), &value, sizeof value);
  } else if (payload.is_write()) {
    std::memcpy(&value, payload.get_data_ptr(), sizeof value);
    if (offset == pci_config::kCommand) memory_space_ = (value & PciCommand::kMemorySpace) != 0;
    // SPEC: [PCIE 6.6.2]: a function level reset clears the Command register.
    if (offset == pci_config::kDeviceControl && (value & PciDeviceControl::kReset) != 0)
      memory_space_ = false;
  }
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

void Memory::compare_swap(tlm::tlm_generic_payload& payload, Addr offset) {
  auto* swap = payload.get_extension<CompareSwap>();
  SVASIM_CHECK(payload.get_data_length() == 8, "an atomic update is 8 bytes");
  swap->seen = contents_.read64(offset);
  if (swap->swapped()) {
    contents_.write(offset, payload.get_data_ptr(), 8);
  }
}

std::uint64_t Memory::in_flight() const { return channels_.size() + served_.size(); }

void Memory::dump_in_flight(std::ostream& out) const {
  const auto line = [&](tlm::tlm_generic_payload* payload, const char* what, Ps when) {
    out << fmt::format("{}: {} of {} B at {:#x}, {} at {} ps\n", name(),
                       payload->is_read() ? "read" : "write", payload->get_data_length(),
                       payload->get_address(), what, when);
  };
  channels_.for_each(
      [&](tlm::tlm_generic_payload* payload, Ps arrival) { line(payload, "arrives", arrival); });
  for (const Channels::Served& served : served_) {
    line(served.value, "due", served.done);
  }
}

}  // namespace svasim
