#include "perf/rtl_cycles.h"

#include "base/check.h"

namespace svasim::perf {

namespace {

constexpr Addr kTop = 0x10000;
constexpr Addr kIova = 0x7F12'3456'7000;
constexpr Addr kPage = 0xABC000;
constexpr std::uint64_t kTableBits = 0x67;  // P, R/W, U/S, A, D

MemoryParams memory_setup() {
  MemoryParams params = memory_params().defaults();
  params.size = std::uint64_t{1} << 32U;
  return params;
}

WalkerParams walker_setup() {
  WalkerParams params = walker_params().defaults();
  params.kind = "rtl";
  return params;
}

}  // namespace

RtlCycles::RtlCycles(sc_core::sc_module_name name)
    : sc_core::sc_module(name),
      memory_("memory", memory_setup(), context_),
      walker_("walker", walker_setup(), context_),
      socket_("socket", *this, 0) {
  socket_.bind(walker_.requester(0));
  walker_.memory_socket().bind(memory_.socket());
  for (unsigned level = 4; level >= 1; --level) {
    const Addr table = kTop + (4 - level) * kPageSize;
    const std::uint64_t entry = level == 1 ? kPage | kTableBits : (table + kPageSize) | kTableBits;
    memory_.contents().write64(format_.entry_address(level, table, kIova), entry);
  }
}

std::uint64_t RtlCycles::run_bare(std::uint64_t walks) {
  const std::uint64_t before = core_.busy_cycles().value;
  RtlWalkRequest request;
  request.table = kTop;
  request.iova = kIova;
  for (std::uint64_t i = 0; i < walks; ++i) {
    core_.start(request);
    for (;;) {
      const RtlWalkerCore::Event event = core_.clock();
      if (event == RtlWalkerCore::Event::kRead) {
        core_.answer_read(memory_.contents().read64(core_.read_address()), false);
      } else if (event == RtlWalkerCore::Event::kResult) {
        break;
      }
    }
    SVASIM_CHECK(core_.result().page == kPage, "the bare walk finds its page");
  }
  return core_.busy_cycles().value - before;
}

std::uint64_t RtlCycles::run_system(std::uint64_t walks) {
  const std::uint64_t before = walker_.core().busy_cycles().value;
  left_ = walks;
  send(1000);
  while (left_ != 0) {
    sc_core::sc_start(1, sc_core::SC_MS);
  }
  return walker_.core().busy_cycles().value - before;
}

void RtlCycles::send(Ps delay) {
  WalkRequest request;
  request.format = &format_;
  request.level = 4;
  request.table = kTop;
  request.iova = kIova;
  request.update_ad = true;
  request.id = ++sent_;
  walk_.walk.request = request;
  walk_.walk.attribution.start(now_ps());
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  sc_core::sc_time time = to_sc(delay);
  socket_->nb_transport_fw(walk_, phase, time);
}

tlm::tlm_sync_enum RtlCycles::nb_transport_bw(unsigned /*port*/, tlm::tlm_generic_payload& /*payload*/,
                                              tlm::tlm_phase& /*phase*/, sc_core::sc_time& delay) {
  SVASIM_CHECK(walk_.walk.result.page == kPage, "the walk finds its page");
  if (--left_ != 0) {
    send(delay.value() + 1000);
  }
  return tlm::TLM_COMPLETED;
}

}  // namespace svasim::perf
