// The page request queue against memory: what is written where, when, and what software is told.
#include <gtest/gtest.h>

#include <cstring>

#include "models/formats/ats_messages.h"
#include "models/formats/vtd_registers.h"
#include "models/memory/memory.h"
#include "models/memory/memory_bus.h"
#include "models/prq/prq.h"
#include "tlm/at_checker.h"
#include "tlm/transaction.h"

namespace svasim {
namespace {

constexpr Ps kNs = 1000;
constexpr Addr kQueue = 0x10000;
constexpr Addr kMsi = 0xFEE01004;

// Stands for the IOMMU: sends page requests and keeps the answers.
class Requester : public sc_core::sc_module, private BwReceiver {
 public:
  struct Answer {
    std::uint64_t id;
    CompletionStatus status;
    Ps time;
    Ps charged;
  };
  Requester(const sc_core::sc_module_name& name, SimContext& context)
      : sc_core::sc_module(name), socket("socket", *this, 0), context_(context) {}

  void send(const PageRequest& request, Ps delay) {
    Transaction& t = context_.pool.allocate(tlm::TLM_WRITE_COMMAND, 0, nullptr, 0, now_ps());
    t.pcie.kind = TlpKind::kPageRequest;
    t.pcie.requester = request.requester;
    t.pcie.has_pasid = request.has_pasid;
    t.pcie.pasid = request.pasid;
    t.pcie.execute = request.execute;
    t.pcie.privileged = request.privileged;
    t.pcie.id = next_id_++;
    t.pcie.body =
        make_page_request_body(request.page, request.read, request.write, request.last, request.prg_index);
    sc_core::sc_time time = to_sc(delay);
    if (context_.loose()) {
      socket->b_transport(t, time);
      take(t, time.value());
      return;
    }
    tlm::tlm_phase phase = tlm::BEGIN_REQ;
    socket->nb_transport_fw(t, phase, time);
  }

  InitiatorSocket<PcieProtocol> socket;
  std::vector<Answer> answers;

 private:
  tlm::tlm_sync_enum nb_transport_bw(unsigned, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    EXPECT_EQ(phase, tlm::BEGIN_RESP);
    take(payload, delay.value());
    return tlm::TLM_COMPLETED;
  }
  void take(tlm::tlm_generic_payload& payload, Ps delay) {
    const PcieExtension& pcie = *payload.get_extension<PcieExtension>();
    answers.push_back({pcie.id, pcie.status, now_ps() + delay, pcie.attribution[Stage::kPageRequest]});
    payload.release();
  }
  SimContext& context_;
  std::uint64_t next_id_ = 0;
};

// Stands for the interrupt controller.
class MsiTarget : public sc_core::sc_module, private FwReceiver {
 public:
  struct Message {
    Addr address;
    std::uint32_t data;
    Ps time;
  };
  explicit MsiTarget(const sc_core::sc_module_name& name)
      : sc_core::sc_module(name), socket("socket", *this, 0) {}
  TargetSocket<> socket;
  std::vector<Message> messages;

 private:
  tlm::tlm_sync_enum nb_transport_fw(unsigned, tlm::tlm_generic_payload& payload, tlm::tlm_phase&,
                                     sc_core::sc_time& delay) override {
    b_transport(0, payload, delay);
    return tlm::TLM_COMPLETED;
  }
  void b_transport(unsigned, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override {
    std::uint32_t data = 0;
    EXPECT_EQ(payload.get_data_length(), 4U);
    std::memcpy(&data, payload.get_data_ptr(), 4);
    messages.push_back({payload.get_address(), data, now_ps() + delay.value()});
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }
};

PageRequest request_of(std::uint16_t group, bool last = true) {
  PageRequest r;
  r.requester = RequesterId::from_bdf(1, 0, 0);
  r.has_pasid = true;
  r.pasid = Pasid(0x12345);
  r.read = true;
  r.write = true;
  r.last = last;
  r.prg_index = group;
  r.page = 0x00007F12'34567000;
  return r;
}

// latency 5 ns, bus 10 ns each way, memory: 32 bytes take 1 ns at 32 GB/s, then 70 ns.
constexpr Ps kVisible = 5 * kNs + 10 * kNs + 1 * kNs + 70 * kNs + 10 * kNs;
constexpr Ps kEvent = 20 * kNs + 10 * kNs;

struct Bench : sc_core::sc_module {
  explicit Bench(const sc_core::sc_module_name& name = "bench", Timing timing = Timing::kApproximate,
                 unsigned outstanding = 4, unsigned limit = 16384)
      : sc_core::sc_module(name),
        context{1, timing, pool, stats},
        memory("memory", memory_setup(), context),
        bus("bus", memory_bus_params().defaults(), context, 1, 2),
        prq("prq", prq_setup(outstanding, limit), context),
        requester("requester", context),
        pcie_checker("pcie_checker"),
        memory_checker("memory_checker"),
        msi("msi") {
    requester.socket.bind(pcie_checker.target);
    pcie_checker.initiator.bind(prq.requests());
    prq.memory().bind(memory_checker.target);
    memory_checker.initiator.bind(bus.initiator(0));
    bus.target(0).bind(memory.socket());
    bus.map(0, "memory", 0, memory.params().size);
    bus.target(1).bind(msi.socket);
    bus.map(1, "msi", kInterruptRangeFirst, 1U << 20U);
    prq.write64(vtd_reg::kPqa, kQueue);
    prq.write32(vtd_reg::kPedata, 0x4321);
    prq.write32(vtd_reg::kPeaddr, static_cast<std::uint32_t>(kMsi));
    prq.write32(vtd_reg::kPectl, 0);
  }
  ~Bench() {
    pcie_checker.finish();
    memory_checker.finish();
    EXPECT_EQ(pcie_checker.violations().count(), 0U) << pcie_checker.violations();
    EXPECT_EQ(memory_checker.violations().count(), 0U) << memory_checker.violations();
    EXPECT_GT(pcie_checker.observed() + memory_checker.observed(), 0U);
    EXPECT_EQ(pool.live(), 0U);
    EXPECT_EQ(prq.in_flight(), 0U);
  }
  static MemoryParams memory_setup() {
    MemoryParams p = memory_params().defaults();
    p.size = 1U << 20U;
    p.bandwidth = 32'000'000'000;
    return p;
  }
  static PrqParams prq_setup(unsigned outstanding, unsigned limit) {
    PrqParams p = prq_params().defaults();
    p.outstanding = outstanding;
    p.queue_limit = limit;
    return p;
  }
  void advance(Ps time) { sc_core::sc_start(to_sc(time)); }
  std::uint64_t word(unsigned entry, unsigned index) {
    return memory.contents().read64(kQueue + entry * 32U + index * 8U);
  }
  void fill(unsigned count) {
    for (unsigned i = 0; i < count; ++i) requester.send(request_of(static_cast<std::uint16_t>(i % 512)), 1);
    advance(1000 * 1000 * kNs);
  }

  TransactionPool pool;
  StatRegistry stats;
  SimContext context;
  Memory memory;
  MemoryBus bus;
  PageRequestQueue prq;
  Requester requester;
  AtChecker<PcieProtocol> pcie_checker;
  AtChecker<> memory_checker;
  MsiTarget msi;
};

TEST(PrqQueue, DescriptorVisibleThenAnswerThenInterrupt) {
  Bench b;
  PageRequest r = request_of(0x155);
  r.privileged = true;
  const Ps arrival = 100 * kNs;
  b.requester.send(r, arrival);
  b.advance(arrival + kVisible - 1);
  EXPECT_EQ(b.prq.read64(vtd_reg::kPqt), 0U);
  EXPECT_EQ(b.prq.read32(vtd_reg::kPrs), 0U);
  b.advance(1);
  EXPECT_EQ(b.prq.read64(vtd_reg::kPqt), 32U);
  EXPECT_EQ(b.prq.read32(vtd_reg::kPrs), 1U);
  b.advance(1000 * kNs);

  // SPEC: [VTD 7.5]: type 1, PP 8, RID 31:16, PASID 51:32, PMR 53; R 64, W 65, last 66, PRGI 75:67.
  EXPECT_EQ(b.word(0, 0), 0x0021'2345'0100'0101U);
  EXPECT_EQ(b.word(0, 1), 0x0000'7F12'3456'7000U | (0x155U << 3U) | 7U);
  EXPECT_EQ(b.word(0, 2), 0U);
  EXPECT_EQ(b.word(0, 3), 0U);

  ASSERT_EQ(b.requester.answers.size(), 1U);
  EXPECT_EQ(b.requester.answers[0].status, CompletionStatus::kSuccess);
  EXPECT_EQ(b.requester.answers[0].time, arrival + kVisible + 1);
  EXPECT_EQ(b.requester.answers[0].charged, arrival + kVisible + 1);
  ASSERT_EQ(b.msi.messages.size(), 1U);
  EXPECT_EQ(b.msi.messages[0].address, kMsi);
  EXPECT_EQ(b.msi.messages[0].data, 0x4321U);
  EXPECT_EQ(b.msi.messages[0].time, arrival + kVisible + kEvent);
}

TEST(PrqQueue, OneInterruptUntilSoftwareClearsTheStatus) {
  Bench b;
  b.fill(3);
  EXPECT_EQ(b.prq.read64(vtd_reg::kPqt), 96U);
  EXPECT_EQ(b.msi.messages.size(), 1U);
  b.prq.write32(vtd_reg::kPrs, 1);
  EXPECT_EQ(b.prq.read32(vtd_reg::kPrs), 0U);
  b.fill(1);
  EXPECT_EQ(b.msi.messages.size(), 2U);
}

TEST(PrqQueue, MaskHoldsTheInterrupt) {
  Bench b;
  b.prq.write32(vtd_reg::kPectl, 0x80000000);
  b.fill(1);
  EXPECT_EQ(b.msi.messages.size(), 0U);
  EXPECT_EQ(b.prq.read32(vtd_reg::kPectl), 0xC0000000U);  // IM, IP
  const Ps released = now_ps();
  b.prq.write32(vtd_reg::kPectl, 0);
  EXPECT_EQ(b.prq.read32(vtd_reg::kPectl), 0U);
  b.advance(1000 * kNs);
  ASSERT_EQ(b.msi.messages.size(), 1U);
  EXPECT_EQ(b.msi.messages[0].time, released + kEvent);
}

TEST(PrqQueue, ClearingTheStatusForgetsAHeldInterrupt) {
  Bench b;
  b.prq.write32(vtd_reg::kPectl, 0x80000000);
  b.fill(1);
  b.prq.write32(vtd_reg::kPrs, 3);
  EXPECT_EQ(b.prq.read32(vtd_reg::kPectl), 0x80000000U);
  b.prq.write32(vtd_reg::kPectl, 0);
  b.advance(1000 * kNs);
  EXPECT_EQ(b.msi.messages.size(), 0U);
}

// SPEC: [VTD 7.4, Table 31]. 128 entries of which 127 can be used.
TEST(PrqQueue, OverflowUntilCleared) {
  Bench b;
  b.fill(127);
  EXPECT_EQ(b.prq.read64(vtd_reg::kPqt), 127U * 32);
  EXPECT_EQ(b.prq.read32(vtd_reg::kPrs), 1U);
  b.fill(2);
  EXPECT_EQ(b.prq.read64(vtd_reg::kPqt), 127U * 32);
  EXPECT_EQ(b.prq.read32(vtd_reg::kPrs), 3U);
  ASSERT_EQ(b.requester.answers.size(), 129U);
  EXPECT_EQ(b.requester.answers[126].status, CompletionStatus::kSuccess);
  EXPECT_EQ(b.requester.answers[127].status, CompletionStatus::kUnsupportedRequest);
  EXPECT_EQ(b.requester.answers[128].status, CompletionStatus::kUnsupportedRequest);
  EXPECT_EQ(b.msi.messages.size(), 1U);  // PPR was set when PRO came

  b.prq.write64(vtd_reg::kPqh, 127U * 32);  // room, but PRO still binds
  b.fill(1);
  EXPECT_EQ(b.requester.answers.back().status, CompletionStatus::kUnsupportedRequest);
  b.prq.write32(vtd_reg::kPrs, 2);
  b.fill(1);
  EXPECT_EQ(b.requester.answers.back().status, CompletionStatus::kSuccess);
  EXPECT_EQ(b.prq.read64(vtd_reg::kPqt), 0U);  // wrapped
  EXPECT_EQ(b.prq.stats().rejected.value, 3U);
  EXPECT_EQ(b.prq.stats().overflows.value, 1U);
}

// Full with two requests in it, those on their way to memory counted; room comes with the head.
class PrqLimit : public ::testing::TestWithParam<unsigned> {};
INSTANTIATE_TEST_SUITE_P(Outstanding, PrqLimit, ::testing::Values(1U, 4U));

TEST_P(PrqLimit, MakesItFullEarlier) {
  Bench b("bench", Timing::kApproximate, GetParam(), 2);
  const auto refused = [&] {
    return b.requester.answers.back().status == CompletionStatus::kUnsupportedRequest;
  };
  b.fill(3);
  EXPECT_EQ(b.prq.read64(vtd_reg::kPqt), 2U * 32);
  EXPECT_EQ(b.prq.read32(vtd_reg::kPrs), 3U);
  EXPECT_EQ(b.prq.stats().rejected.value, 1U);
  b.prq.write32(vtd_reg::kPrs, 3);
  // Around the end of the ring: what counts is how many are in it.
  for (unsigned i = 0; i < 300; ++i) {
    b.prq.write64(vtd_reg::kPqh, (1U + i) % 128 * 32);
    b.fill(1);
    EXPECT_FALSE(refused()) << i;
  }
  EXPECT_EQ(b.prq.read64(vtd_reg::kPqt), (2U + 300) % 128 * 32);
  b.fill(1);
  EXPECT_TRUE(refused());
}

// A limit beyond the queue's own size changes nothing: SPEC: [VTD 7.4].
TEST(PrqQueue, LimitDoesNotMakeRoom) {
  Bench b("bench", Timing::kLoose, 4, 200);
  b.fill(128);
  EXPECT_EQ(b.prq.read64(vtd_reg::kPqt), 127U * 32);
  EXPECT_EQ(b.prq.stats().rejected.value, 1U);
}

TEST(PrqQueue, OverflowAloneRaisesTheEvent) {
  Bench b;
  b.fill(127);
  b.prq.write32(vtd_reg::kPrs, 1);
  b.fill(1);
  EXPECT_EQ(b.prq.read32(vtd_reg::kPrs), 2U);
  EXPECT_EQ(b.msi.messages.size(), 2U);
}

TEST(PrqQueue, StopMarkerIsDroppedSilentlyOnOverflow) {
  Bench b;
  b.fill(127);
  PageRequest marker = request_of(0);
  marker.read = false;
  marker.write = false;
  b.requester.send(marker, 1);
  b.advance(1000 * kNs);
  EXPECT_EQ(b.requester.answers.back().status, CompletionStatus::kSuccess);
  EXPECT_EQ(b.prq.read32(vtd_reg::kPrs), 1U);
  EXPECT_EQ(b.prq.read64(vtd_reg::kPqt), 127U * 32);
}

TEST(PrqQueue, TurnsAreSpacedAndMemoryIsPipelined) {
  Bench b("bench", Timing::kApproximate, 64);
  for (unsigned i = 0; i < 10; ++i) b.requester.send(request_of(static_cast<std::uint16_t>(i)), 1 * kNs);
  b.advance(10'000 * kNs);
  ASSERT_EQ(b.requester.answers.size(), 10U);
  // The interval of 2 ns is longer than the 1 ns a descriptor occupies its memory channel.
  for (unsigned i = 0; i < 10; ++i) {
    EXPECT_EQ(b.requester.answers[i].time, 1 * kNs + i * 2 * kNs + kVisible + 1) << i;
  }
}

TEST(PrqQueue, OneOutstandingWriteSerialises) {
  Bench b("bench", Timing::kApproximate, 1);
  for (unsigned i = 0; i < 4; ++i) b.requester.send(request_of(static_cast<std::uint16_t>(i)), 1 * kNs);
  b.advance(10'000 * kNs);
  ASSERT_EQ(b.requester.answers.size(), 4U);
  for (unsigned i = 0; i < 4; ++i) {
    EXPECT_EQ(b.requester.answers[i].time, 1 * kNs + (i + 1) * kVisible + 1) << i;
  }
}

TEST(PrqQueue, FailedWriteActsAsOverflow) {
  Bench b;
  b.prq.write64(vtd_reg::kPqa, 1U << 30U);  // nothing there
  b.fill(3);
  ASSERT_EQ(b.requester.answers.size(), 3U);
  for (const auto& answer : b.requester.answers)
    EXPECT_EQ(answer.status, CompletionStatus::kUnsupportedRequest);
  EXPECT_EQ(b.prq.read64(vtd_reg::kPqt), 0U);
  EXPECT_EQ(b.prq.read32(vtd_reg::kPrs), 2U);
  EXPECT_EQ(b.prq.stats().write_errors.value, 3U);  // all were on their way
  b.prq.write64(vtd_reg::kPqa, kQueue);
  b.prq.write32(vtd_reg::kPrs, 2);
  b.fill(1);
  EXPECT_EQ(b.requester.answers.back().status, CompletionStatus::kSuccess);
  EXPECT_EQ(b.prq.read64(vtd_reg::kPqt), 32U);
  EXPECT_EQ(b.word(0, 1) & 7U, 7U);
}

TEST(PrqQueue, LooseTimingDoesTheSame) {
  Bench b("bench", Timing::kLoose);
  b.requester.send(request_of(1), 100 * kNs);
  EXPECT_EQ(b.prq.read64(vtd_reg::kPqt), 32U);
  ASSERT_EQ(b.requester.answers.size(), 1U);
  EXPECT_EQ(b.requester.answers[0].time, 100 * kNs + kVisible);
  EXPECT_EQ(b.word(0, 0), 0x0001'2345'0100'0101U);
  b.advance(1000 * kNs);
  EXPECT_EQ(b.msi.messages.size(), 1U);
  for (unsigned i = 0; i < 127; ++i) b.requester.send(request_of(2), 1);
  EXPECT_EQ(b.requester.answers[126].status, CompletionStatus::kSuccess);
  EXPECT_EQ(b.requester.answers[127].status, CompletionStatus::kUnsupportedRequest);
  EXPECT_EQ(b.prq.read32(vtd_reg::kPrs), 3U);
}

}  // namespace
}  // namespace svasim
