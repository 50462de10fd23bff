// Descriptor checks, arbitration between queues, and the walk of a descriptor through its bytes.
#include <gmock/gmock.h>

#include <set>

#include "base/rng.h"
#include "models/dsa/dsa_checks.h"
#include "models/dsa/dsa_dispatch.h"
#include "models/dsa/dsa_task.h"

namespace svasim {
namespace {

class DsaChecks : public ::testing::Test {
 protected:
  DsaChecks() {
    queue_.dedicated = true;
    context_.has_pasid = true;
    context_.pasid = Pasid(5);
    queue_.max_transfer = 4096;
    queue_.max_batch = 16;
    queue_.operations = dsa_operations(1);
    context_.interrupt_handle = true;
    descriptor_.set_operation(DsaOpcode::kMemmove, kRecord);
    descriptor_.completion_address = 0x1000;
    descriptor_.source = 0x10000;
    descriptor_.destination = 0x20000;
    descriptor_.transfer_size = 64;
  }
  DsaCheck check() const { return check_descriptor(descriptor_, queue_, context_); }
  void set(DsaOpcode opcode, std::uint64_t flags) { descriptor_.set_operation(opcode, flags); }

  static constexpr std::uint64_t kRecord =
      DsaFlags::COMPLETION_ADDRESS_VALID::kMask | DsaFlags::REQUEST_COMPLETION_RECORD::kMask;
  DsaQueueConfig queue_;
  DsaCheckContext context_;
  DsaDescriptor descriptor_;
};

TEST_F(DsaChecks, GoodOnesPass) {
  EXPECT_EQ(check().status, DsaStatus::kSuccess);
  set(DsaOpcode::kFill, kRecord | DsaFlags::STRICT_ORDERING::kMask | DsaFlags::CACHE_CONTROL_1::kMask);
  EXPECT_EQ(check().status, DsaStatus::kSuccess);
}

TEST_F(DsaChecks, Opcode) {
  for (const unsigned opcode : {0x0AU, 0x16U, 0x17U, 0x18U, 0x21U, 0x23U, 0x3FU, 0x40U, 0xFFU}) {
    set(static_cast<DsaOpcode>(opcode), kRecord);
    EXPECT_EQ(check().status, DsaStatus::kBadOpcode) << opcode;
  }
  // SPEC: [DSA 3.3]: OPCFG takes operations away from a queue.
  set(DsaOpcode::kFill, kRecord);
  queue_.operations &= ~(1ULL << 4);
  EXPECT_EQ(check().status, DsaStatus::kBadOpcode);
}

TEST_F(DsaChecks, FlagsByBit) {
  // Bits allowed for a memory move on a queue with Block on Fault and user interrupts.
  queue_.block_on_fault = true;
  context_.user_interrupts = true;
  context_.permission =
      DsaMsixperm::PASID_ENABLE::make(1) | static_cast<std::uint32_t>(DsaMsixperm::PASID::make(5));
  const std::set<unsigned> move{1, 2, 3, 4, 8, 9, 10, 12, 13};
  for (unsigned bit = 0; bit < 24; ++bit) {
    set(DsaOpcode::kMemmove, kRecord | (1U << bit));
    EXPECT_EQ(check().status, move.count(bit) ? DsaStatus::kSuccess : DsaStatus::kInvalidFlags) << bit;
    EXPECT_EQ(check().invalid_flags, move.count(bit) ? 0U : 1U << bit);
  }
}

TEST_F(DsaChecks, FlagsThatDependOnSomething) {
  set(DsaOpcode::kMemmove, kRecord | DsaFlags::BLOCK_ON_FAULT::kMask);
  EXPECT_EQ(check().invalid_flags, DsaFlags::BLOCK_ON_FAULT::kMask) << "reserved when the queue has it off";
  queue_.block_on_fault = true;
  EXPECT_EQ(check().status, DsaStatus::kSuccess);
  descriptor_.source = descriptor_.destination = 0;
  descriptor_.transfer_size = 0;
  set(DsaOpcode::kNoop, kRecord | DsaFlags::BLOCK_ON_FAULT::kMask);
  EXPECT_EQ(check().status, DsaStatus::kInvalidFlags) << "reserved for a no-op";
  set(DsaOpcode::kNoop, DsaFlags::REQUEST_COMPLETION_RECORD::kMask);
  EXPECT_EQ(check().status, DsaStatus::kInvalidFlags) << "a record needs an address";
  // User interrupts off, PASID on, unprivileged: no interrupt.
  set(DsaOpcode::kNoop, kRecord | DsaFlags::REQUEST_COMPLETION_INTERRUPT::kMask);
  EXPECT_EQ(check().invalid_flags, DsaFlags::REQUEST_COMPLETION_INTERRUPT::kMask);
}

TEST_F(DsaChecks, InterruptHandle) {
  context_.user_interrupts = true;
  set(DsaOpcode::kMemmove, kRecord | DsaFlags::REQUEST_COMPLETION_INTERRUPT::kMask);
  context_.permission =
      DsaMsixperm::PASID_ENABLE::make(1) | static_cast<std::uint32_t>(DsaMsixperm::PASID::make(5));
  EXPECT_EQ(check().status, DsaStatus::kSuccess);
  context_.permission =
      DsaMsixperm::PASID_ENABLE::make(1) | static_cast<std::uint32_t>(DsaMsixperm::PASID::make(6));
  EXPECT_EQ(check().status, DsaStatus::kInterruptHandle);
  context_.permission = 0;
  EXPECT_EQ(check().status, DsaStatus::kInterruptHandle) << "PASID enable must be the queue's";
  context_.has_pasid = false;
  EXPECT_EQ(check().status, DsaStatus::kSuccess);
  context_.interrupt_handle = false;
  EXPECT_EQ(check().status, DsaStatus::kInterruptHandle) << "the handle means no vector";
}

// SPEC: [DSA 5]: a shared queue takes the privilege from the descriptor.
TEST_F(DsaChecks, Privilege) {
  context_.privileged = true;
  context_.privilege_allowed = false;
  EXPECT_EQ(check().status, DsaStatus::kSuccess)
      << "what a dedicated queue says was checked when it was enabled";
  queue_.dedicated = false;
  EXPECT_EQ(check().status, DsaStatus::kPrivilege);
  context_.privilege_allowed = true;
  EXPECT_EQ(check().status, DsaStatus::kSuccess);
}

// Buffers may go on at 0 behind the last address.
TEST_F(DsaChecks, OverlapAtTheEndOfTheAddresses) {
  constexpr Addr kLast = ~Addr{0} - 15;
  EXPECT_TRUE(dsa_overlap(kLast, 64, 8, 8)) << "the first one goes on to 47";
  EXPECT_TRUE(dsa_overlap(8, 8, kLast, 64));
  EXPECT_TRUE(dsa_overlap(kLast, 64, kLast + 8, 64));
  EXPECT_FALSE(dsa_overlap(kLast, 64, 48, 8));
  EXPECT_FALSE(dsa_overlap(kLast, 16, 0, 64));
}

TEST_F(DsaChecks, ReservedFields) {
  descriptor_.reserved = 1;
  EXPECT_EQ(check().status, DsaStatus::kReservedField);
  descriptor_.reserved = 0;
  for (std::size_t i = 0; i < descriptor_.specific.size(); ++i) {
    descriptor_.specific[i] = 1;
    EXPECT_EQ(check().status, DsaStatus::kReservedField) << i;
    descriptor_.specific[i] = 0;
  }
  set(DsaOpcode::kNoop, kRecord);
  EXPECT_EQ(check().status, DsaStatus::kReservedField) << "a no-op has no operands";
}

TEST_F(DsaChecks, SizeAlignmentOverlap) {
  descriptor_.transfer_size = 0;
  EXPECT_EQ(check().status, DsaStatus::kTransferSize);
  descriptor_.transfer_size = 4096;
  EXPECT_EQ(check().status, DsaStatus::kSuccess);
  descriptor_.transfer_size = 4097;
  EXPECT_EQ(check().status, DsaStatus::kTransferSize);
  descriptor_.transfer_size = 64;
  descriptor_.destination = descriptor_.source + 63;
  EXPECT_EQ(check().status, DsaStatus::kSuccess);
  context_.overlapping_copy = false;
  EXPECT_EQ(check().status, DsaStatus::kOverlappingBuffers);
  descriptor_.destination = descriptor_.source + 64;
  EXPECT_EQ(check().status, DsaStatus::kSuccess);
  descriptor_.completion_address = 0x1010;
  EXPECT_EQ(check().status, DsaStatus::kCompletionRecordAlignment);
}

DsaSubmission submission(unsigned queue, Ps ready = 0) {
  DsaSubmission s;
  s.queue = queue;
  s.ready = ready;
  return s;
}

// SPEC: [DSA 12]: with all queues busy, shares follow the priorities exactly.
TEST(DsaDispatch, SharesFollowPriorities) {
  const std::vector<unsigned> priorities{1, 2, 5, 15};
  DsaDispatch dispatch(4, 1);
  dispatch.set_group(0, 0xF);
  for (unsigned queue = 0; queue < 4; ++queue) dispatch.configure(queue, 64, priorities[queue]);
  std::vector<unsigned> taken(4, 0);
  DsaSubmission s;
  for (unsigned i = 0; i < 23 * 100; ++i) {
    for (unsigned queue = 0; queue < 4; ++queue) {
      while (dispatch.waiting(queue) < 4) dispatch.push(submission(queue));
    }
    ASSERT_TRUE(dispatch.take(0, 0, {}, s));
    ++taken[s.queue];
  }
  EXPECT_THAT(taken, ::testing::ElementsAre(100, 200, 500, 1500));
}

TEST(DsaDispatch, IdleQueuesLeaveTheirTurns) {
  DsaDispatch dispatch(2, 1);
  dispatch.set_group(0, 3);
  dispatch.configure(0, 64, 1);
  dispatch.configure(1, 64, 15);
  DsaSubmission s;
  for (unsigned i = 0; i < 50; ++i) {
    dispatch.push(submission(0));
    ASSERT_TRUE(dispatch.take(0, 0, {}, s)) << i;
  }
  EXPECT_FALSE(dispatch.take(0, 0, {}, s));
}

TEST(DsaDispatch, GroupsSizesAndReadyTimes) {
  DsaDispatch dispatch(2, 2);
  dispatch.set_group(0, 1);
  dispatch.set_group(1, 2);
  dispatch.configure(0, 1, 1);
  dispatch.configure(1, 1, 1);
  EXPECT_TRUE(dispatch.push(submission(0, 100)));
  EXPECT_FALSE(dispatch.push(submission(0, 100))) << "full";
  DsaSubmission s;
  EXPECT_FALSE(dispatch.take(1, 100, {}, s)) << "another group";
  EXPECT_FALSE(dispatch.take(0, 99, {}, s));
  EXPECT_EQ(dispatch.next_ready(0, {}), 100U);
  EXPECT_TRUE(dispatch.take(0, 100, {}, s));
  EXPECT_EQ(dispatch.next_ready(0, {}), kNever);
}

DsaPlan move(Addr from, Addr to, std::uint32_t size) {
  DsaDescriptor d;
  d.set_operation(DsaOpcode::kMemmove, 0);
  d.source = from;
  d.destination = to;
  d.transfer_size = size;
  DsaPlan plan;
  dsa_operation(DsaOpcode::kMemmove)->plan(d, plan);
  return plan;
}

// Chunks of random moves: they cover every byte once, in an order that keeps overlapping copies
// right, cross no boundary, and never touch a page before it is confirmed.
TEST(DsaProgress, ChunksCoverEveryByteOnce) {
  RngStream rng(3, "chunks");
  for (unsigned round = 0; round < 300; ++round) {
    const auto size = static_cast<std::uint32_t>(1 + rng.below(5 * kPageSize));
    const Addr from = 0x100000 + rng.below(8 * kPageSize);
    const Addr to = 0x100000 + rng.below(8 * kPageSize);
    const unsigned access = 64U << rng.below(7);
    DsaProgress progress;
    progress.start(move(from, to, size));
    EXPECT_EQ(progress.downwards(), to > from && to - from < size);
    std::set<std::pair<unsigned, Addr>> confirmed;
    std::vector<unsigned> covered(size, 0);
    DsaProgress::Chunk chunk;
    Addr last = 0;
    for (bool first = true; !progress.at_end();) {
      if (!progress.next(access, chunk)) {
        bool asked = false;
        for (unsigned i = 0; i < 2; ++i) {
          DsaOperand& operand = progress.operand(i);
          while (progress.wants(i, 1)) {
            const std::uint64_t page = operand.ask();
            confirmed.insert({i, operand.page_address(page)});
            operand.confirm(page);
            asked = true;
          }
        }
        ASSERT_TRUE(asked) << "stuck";
        continue;
      }
      ASSERT_GT(chunk.length, 0U);
      ASSERT_EQ(chunk.address[0] - from, chunk.address[1] - to);
      for (const auto& [i, address] : {std::pair{0U, chunk.address[0]}, std::pair{1U, chunk.address[1]}}) {
        ASSERT_EQ(address / access, (address + chunk.length - 1) / access);
        ASSERT_TRUE(confirmed.count({i, address & ~(kPageSize - 1)}));
      }
      for (unsigned i = 0; i < chunk.length; ++i) ++covered[chunk.address[0] - from + i];
      if (!first) {
        ASSERT_EQ(progress.downwards(), chunk.address[0] < last);
      }
      last = chunk.address[0];
      first = false;
    }
    ASSERT_EQ(covered, std::vector<unsigned>(size, 1));
    // Exactly the pages of both buffers were asked for.
    const auto pages = [](Addr a, std::uint32_t n) { return (a + n - 1) / kPageSize - a / kPageSize + 1; };
    ASSERT_EQ(confirmed.size(), pages(from, size) + pages(to, size));
  }
}

TEST(DsaProgress, LowestFailureCounts) {
  DsaProgress progress;
  progress.start(move(0x1000, 0x100000, 4 * kPageSize));
  progress.fail(2 * kPageSize, 1, 2 * kPageSize, DsaStatus::kPageFault, 0x102000);
  progress.fail(3 * kPageSize, 0, 3 * kPageSize, DsaStatus::kHardwareError, 0x4000);
  EXPECT_EQ(progress.status(), DsaStatus::kPageFault);
  EXPECT_EQ(progress.limit(), 2 * kPageSize);
  EXPECT_TRUE(progress.fault_write());
  progress.fail(2 * kPageSize, 0, 2 * kPageSize, DsaStatus::kTranslationError, 0x3000);
  EXPECT_EQ(progress.status(), DsaStatus::kTranslationError) << "at one position the source's";
  EXPECT_FALSE(progress.fault_write());
  progress.fail(2 * kPageSize, 1, 2 * kPageSize, DsaStatus::kPageFault, 0x102000);
  EXPECT_EQ(progress.status(), DsaStatus::kTranslationError);
  progress.fail(kPageSize, 1, kPageSize, DsaStatus::kPageFault, 0x101000);
  EXPECT_EQ(progress.limit(), kPageSize);
  EXPECT_EQ(progress.fault_address(), 0x101000U);
}

// What an operation finds out itself counts when it lies before what failed.
TEST(DsaProgress, StopAgainstFailure) {
  DsaProgress progress;
  progress.start(move(0x1000, 0x100000, 4 * kPageSize));
  progress.fail(2 * kPageSize, 0, 2 * kPageSize, DsaStatus::kPageFault, 0x3000);
  progress.stop(kPageSize + 7, DsaStatus::kDifError);
  EXPECT_EQ(progress.status(), DsaStatus::kDifError);
  EXPECT_EQ(progress.limit(), kPageSize + 7);
  EXPECT_FALSE(progress.failed());
  progress.fail(2 * kPageSize, 0, 2 * kPageSize, DsaStatus::kPageFault, 0x3000);
  EXPECT_EQ(progress.status(), DsaStatus::kDifError);
  progress.fail(kPageSize, 1, kPageSize, DsaStatus::kPageFault, 0x101000);
  EXPECT_EQ(progress.status(), DsaStatus::kPageFault);
  EXPECT_EQ(progress.limit(), kPageSize);
}

TEST(DsaOperand, PagesConfirmedOutOfOrder) {
  DsaBuffer buffer;
  buffer.base = 0x1F00;  // 0x100 bytes in its first page
  buffer.size = buffer.last = 3 * kPageSize;
  DsaOperand operand(buffer, false);
  ASSERT_EQ(operand.pages(), 4U);
  operand.confirm(1);
  EXPECT_EQ(operand.confirmed(), 0U);
  operand.confirm(0);
  EXPECT_EQ(operand.confirmed(), 0x100 + kPageSize);
  operand.confirm(2);
  operand.confirm(3);
  EXPECT_EQ(operand.confirmed(), 3 * kPageSize);
}

}  // namespace
}  // namespace svasim
