// Submission to a DSA: shared and dedicated queues, portals, and the commands about what was submitted.
#include <gtest/gtest.h>

#include "system/dsa_bench.h"

namespace svasim {
namespace {

constexpr Addr kBuffer = 0x10000000;
constexpr unsigned kOther = DsaBench::kPasid + 1;

DsaParams version2() {
  DsaParams p = dsa_params().defaults();
  p.version = 2;
  return p;
}

class DsaQueues : public ::testing::TestWithParam<Timing> {
 protected:
  DsaQueues() { b.map(DsaBench::kRecords, kPageSize, true, kOther); }
  // Queue 0 shared, of 32 entries.
  void set_up(unsigned threshold = 32) {
    b.configure(true);
    b.share(0, threshold);
    b.enable();
  }
  static DsaDescriptor noop(unsigned number) {
    return DsaBench::descriptor(DsaOpcode::kNoop, number, 0, 0, 0);
  }
  // It blocks for good, as nobody answers page requests.
  static DsaDescriptor stuck(unsigned number) {
    return DsaBench::descriptor(DsaOpcode::kFill, number, 1, kBuffer + number * kPageSize, 64,
                                DsaFlags::BLOCK_ON_FAULT::kMask);
  }
  // Fills all places of the engine, so that what comes next waits in its queue.
  void fill_engine(unsigned pasid = DsaBench::kPasid) {
    b.agent.on_group = [](const SeenTlp&) { return -1; };
    for (unsigned i = 0; i < b.params.descriptors_in_progress; ++i)
      b.enqueue(stuck(i), pasid, 0, 1000 + i * 100 * 1000);
    b.run(10 * kUs);
  }
  unsigned accepted() {
    const auto& answers = b.agent.deferrable_answers;
    return static_cast<unsigned>(std::count(answers.begin(), answers.end(), true));
  }

  DsaBench b{GetParam(), version2()};
};

INSTANTIATE_TEST_SUITE_P(Timings, DsaQueues, ::testing::Values(Timing::kApproximate, Timing::kLoose),
                         [](const auto& timing) {
                           return timing.param == Timing::kLoose ? std::string("loose")
                                                                 : std::string("approximate");
                         });

// SPEC: [DSA 3.3]: PASID and privilege are those of the submission.
TEST_P(DsaQueues, SharedQueueServesTwoProcesses) {
  set_up();
  b.enqueue(noop(0));
  b.enqueue(noop(1), kOther);
  b.run(kMs);
  EXPECT_EQ(b.status(0), DsaStatus::kSuccess);
  EXPECT_EQ(b.status(1), DsaStatus::kSuccess);
  EXPECT_EQ(accepted(), 2U);
  std::vector<unsigned> pasids;
  for (const SeenTlp& tlp : b.agent.seen_of(TlpKind::kTranslationRequest))
    pasids.push_back(tlp.pasid.value());
  EXPECT_EQ(pasids, (std::vector<unsigned>{DsaBench::kPasid, kOther}));
  b.expect_clean();
}

// SPEC: [DSA 3.3, 9.3]: each kind of queue takes its kind of write; the other is ignored, or put off for
// ever.
TEST_P(DsaQueues, EachQueueTakesItsKindOfWrite) {
  b.configure(true, 1, 2);
  b.share(0, 32);
  b.enable(1);
  b.submit(noop(0));                        // a plain write to a shared queue
  b.enqueue(noop(1), DsaBench::kPasid, 1);  // to a disabled queue
  b.submit(noop(2), 1);
  b.run(kMs);
  EXPECT_EQ(b.dsa.stats().dropped.value, 2U);
  EXPECT_EQ(b.dsa.stats().deferred.value, 1U);
  ASSERT_EQ(b.command(DsaCommand::kEnableWq, 1), 0U);
  b.enqueue(noop(3), DsaBench::kPasid, 1);  // ENQCMD to a dedicated one
  b.enqueue(noop(4), DsaBench::kPasid, 0, 1000, DsaPortal::kLimitedIms);
  b.enqueue(noop(5), DsaBench::kPasid, 7);
  b.run(kMs);
  EXPECT_EQ(b.dsa.stats().deferred.value, 4U);
  EXPECT_EQ(accepted(), 0U);
  for (unsigned i = 0; i < 6; ++i) EXPECT_EQ(b.status(i), DsaStatus::kNone) << i;
  EXPECT_EQ(b.dsa.registers().get64(dsa_reg::kSwerror), 0U) << "none of this is an error";
  b.expect_clean();
}

// SPEC: [DSA 3.3.1]: the limited portal accepts below the threshold, the unlimited one below the size.
TEST_P(DsaQueues, ThresholdAndSize) {
  set_up(4);
  fill_engine();
  const unsigned before = accepted();
  EXPECT_EQ(before, b.params.descriptors_in_progress);
  for (unsigned i = 0; i < 6; ++i) b.enqueue(stuck(20 + i), DsaBench::kPasid, 0, 1000 + i * kUs);
  b.run(20 * kUs);
  EXPECT_EQ(accepted() - before, 4U);
  for (unsigned i = 0; i < 30; ++i) {
    b.enqueue(stuck(20 + i), DsaBench::kPasid, 0, 1000 + i * kUs, DsaPortal::kUnlimited);
  }
  b.run(40 * kUs);
  EXPECT_EQ(accepted() - before, 32U) << "the size of the queue";
  b.write32(b.wqcfg(0) + DsaWqcfg::kThreshold, 0);
  b.enqueue(noop(60));
  b.run(20 * kUs);
  EXPECT_EQ(accepted() - before, 32U) << "a threshold of 0 blocks the portal";
}

TEST_P(DsaQueues, OccupancyRegister) {
  set_up();
  fill_engine();
  for (unsigned i = 0; i < 3; ++i) b.enqueue(stuck(20 + i));
  b.run(20 * kUs);
  std::uint32_t status = 0;
  sc_core::sc_time time = sc_core::SC_ZERO_TIME;
  // A read as the host makes it: the register is brought up to date by it.
  Transaction& read = b.pool.allocate(tlm::TLM_READ_COMMAND, b.params.bar0 + b.wqcfg(0) + DsaWqcfg::kStatus,
                                      reinterpret_cast<unsigned char*>(&status), 4, now_ps());
  b.agent.down->b_transport(read, time);
  read.release();
  EXPECT_EQ(DsaWqcfg::OCCUPANCY::get(status), 3U);
}

// Four wait; the abort of one PASID takes two of them away, and the limit is passed once.
TEST_P(DsaQueues, OccupancyInterrupt) {
  b.configure(true);
  b.share(0, 32);
  b.write64(dsa_reg::kMsixTable + 16 * 2, 0xFEE02000);
  b.write32(dsa_reg::kMsixTable + 16 * 2 + 8, 0x55);
  b.write32(dsa_reg::kMsixTable + 16 * 2 + 12, 0);
  b.write32(b.wqcfg(0) + DsaWqcfg::kOccupancyInterrupt, 2);
  b.write32(b.wqcfg(0) + DsaWqcfg::kOccupancyLimit, DsaWqcfg::INTERRUPT_ENABLE::kMask | 3U);
  b.enable();
  fill_engine();
  for (unsigned i = 0; i < 2; ++i) b.enqueue(stuck(20 + i));
  for (unsigned i = 0; i < 2; ++i) b.enqueue(stuck(30 + i), kOther);
  b.run(20 * kUs);
  EXPECT_EQ(b.dsa.stats().interrupts.value, 0U);
  const auto generated = [&] {
    return DsaWqcfg::INTERRUPT_GENERATED::get(b.dsa.registers().get32(b.wqcfg(0) + DsaWqcfg::kStatus));
  };
  EXPECT_EQ(b.command(DsaCommand::kAbortPasid, kOther), 0U);
  EXPECT_EQ(b.agent.memory.load<std::uint32_t>(0xFEE02000), 0x55U);
  EXPECT_EQ(b.dsa.stats().interrupts.value, 1U);
  EXPECT_EQ(generated(), 1U);
  for (unsigned i = 0; i < 2; ++i) b.enqueue(stuck(30 + i), kOther);
  b.run(20 * kUs);
  EXPECT_EQ(b.command(DsaCommand::kAbortPasid, kOther), 0U);
  EXPECT_EQ(b.dsa.stats().interrupts.value, 1U) << "until software has seen the first";
  b.write32(b.wqcfg(0) + DsaWqcfg::kStatus, DsaWqcfg::INTERRUPT_GENERATED::kMask);
  EXPECT_EQ(generated(), 0U);
}

// SPEC: [DSA 9.2, Table 9-5]: a drain waits for one PASID, and for nothing submitted after it.
TEST_P(DsaQueues, DrainPasid) {
  set_up();
  b.agent.response_latency = 300 * kUs;
  b.agent.on_group = [&](const SeenTlp& request) {
    b.map(PageRequestBody::ADDR::in_place(request.body), 1, true, request.pasid.value());
    return 0;
  };
  b.enqueue(stuck(0));
  b.run(10 * kUs);
  EXPECT_EQ(b.command(DsaCommand::kDrainPasid, kOther), 0U) << "nothing of it";
  EXPECT_EQ(b.status(0), DsaStatus::kNone);
  b.write32(dsa_reg::kCmd, DsaCmd::CODE::make(11) | DsaBench::kPasid);
  b.run(20 * kUs);
  EXPECT_EQ(DsaCmdstatus::ACTIVE::get(b.dsa.registers().command_status()), 1U);
  b.run(kMs);
  EXPECT_EQ(DsaCmdstatus::ACTIVE::get(b.dsa.registers().command_status()), 0U);
  EXPECT_EQ(b.status(0), DsaStatus::kSuccess);
  b.expect_clean();
}

// A drain descriptor on a shared queue waits for its own PASID. SPEC: [DSA 10]
TEST_P(DsaQueues, DrainDescriptorWaitsForItsOwn) {
  set_up();
  b.agent.on_group = [](const SeenTlp&) { return -1; };
  b.enqueue(stuck(0));
  b.enqueue(DsaBench::descriptor(DsaOpcode::kDrain, 1, 0, 0, 0), kOther);
  b.enqueue(DsaBench::descriptor(DsaOpcode::kDrain, 2, 0, 0, 0));
  b.run(kMs);
  EXPECT_EQ(b.status(1), DsaStatus::kSuccess);
  EXPECT_EQ(b.status(2), DsaStatus::kNone);
}

TEST_P(DsaQueues, AbortAllLetsNothingIn) {
  set_up();
  fill_engine();
  b.enqueue(stuck(20));
  b.run(10 * kUs);
  b.write32(dsa_reg::kCmd, DsaCmd::CODE::make(4));
  const unsigned before = accepted();
  b.enqueue(noop(21));
  b.run(20 * kUs);
  EXPECT_EQ(accepted(), before) << "while it waits for what is in progress";
  EXPECT_EQ(DsaCmdstatus::ACTIVE::get(b.dsa.registers().command_status()), 1U);
}

TEST(DsaHandles, StandForVectors) {
  DsaParams p = version2();
  p.interrupt_handles = 4;
  DsaBench c(Timing::kApproximate, p);
  c.configure(true);
  c.share(0, 32);
  c.write32(dsa_reg::kGencfg, DsaGencfg::USER_INTERRUPTS::kMask);
  c.write64(dsa_reg::kMsixTable + 16 * 3, 0xFEE03000);
  c.write32(dsa_reg::kMsixTable + 16 * 3 + 8, 0x4B);
  c.write32(dsa_reg::kMsixTable + 16 * 3 + 12, 0);
  c.write32(dsa_reg::kMsixperm + 3 * DsaMsixperm::kStride,
            DsaMsixperm::PASID_ENABLE::make(1) | DsaMsixperm::PASID::make(DsaBench::kPasid));
  c.enable();
  ASSERT_EQ(c.command(DsaCommand::kRequestInterruptHandle, 5), 0U);
  ASSERT_EQ(c.command(DsaCommand::kRequestInterruptHandle, 3), 0U);
  const auto handle =
      static_cast<std::uint16_t>(DsaCmdstatus::RESULT::get(c.dsa.registers().command_status()));
  DsaDescriptor d = DsaBench::descriptor(DsaOpcode::kNoop, 0, 0, 0, 0);
  d.set_operation(DsaOpcode::kNoop, d.flags() | DsaFlags::REQUEST_COMPLETION_INTERRUPT::kMask);
  d.interrupt_handle = 3;  // the vector is no handle
  c.enqueue(d);
  d.completion_address = DsaBench::record_address(1);
  d.interrupt_handle = handle;
  c.enqueue(d);
  d.completion_address = DsaBench::record_address(2);
  c.map(DsaBench::kRecords, kPageSize, true, kOther);
  c.enqueue(d, kOther);
  c.run(kMs);
  EXPECT_EQ(c.status(0), DsaStatus::kInterruptHandle);
  EXPECT_EQ(c.status(1), DsaStatus::kSuccess);
  EXPECT_EQ(c.status(2), DsaStatus::kInterruptHandle) << "MSIXPERM has another PASID";
  EXPECT_EQ(c.agent.memory.load<std::uint32_t>(0xFEE03000), 0x4BU);
  c.expect_clean();
}

}  // namespace
}  // namespace svasim
