// Every status code this model has, each by the descriptor that earns it. docs/compliance.md lists them.
#include <gtest/gtest.h>

#include "models/formats/dsa_operands.h"
#include "system/dsa_bench.h"

namespace svasim {
namespace {

constexpr Addr kA = 0x10000000;
constexpr Addr kB = 0x20000000;
constexpr Addr kC = 0x30000000;
constexpr std::uint64_t kCheck = DsaFlags::CHECK_RESULT::kMask;

class DsaStatusCode : public ::testing::Test {
 protected:
  DsaStatusCode() {
    bench_.set_up();
    for (const Addr buffer : {kA, kB, kC}) bench_.map(buffer, 4 * kPageSize);
  }
  static DsaParams params() {
    DsaParams p = dsa_params().defaults();
    p.version = 2;
    return p;
  }
  static DsaDescriptor descriptor(DsaOpcode opcode, Addr source, Addr destination, std::uint32_t size,
                                  std::uint64_t flags = 0) {
    return DsaBench::descriptor(opcode, 0, source, destination, size, flags);
  }
  DsaCompletionRecord run(const DsaDescriptor& d) {
    bench_.submit(d);
    bench_.run(kMs);
    ends_ = true;
    return bench_.record(0);
  }
  void TearDown() override {
    if (ends_) bench_.expect_clean();
  }
  unsigned code_of(const DsaDescriptor& d) { return static_cast<unsigned>(run(d).code()); }
  std::uint64_t reported() { return DsaSwerror::ERROR::get(bench_.dsa.registers().get64(dsa_reg::kSwerror)); }
  template <typename T>
  static DsaDescriptor with(DsaDescriptor d, const T& operands) {
    set_dsa_operands(d, operands);
    return d;
  }
  void store(Addr address, const DsaDescriptor& d) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(&d);
    bench_.agent.memory.fill(address + DsaBench::kOffset, sizeof d, [&](std::size_t i) { return bytes[i]; });
  }

  DsaBench bench_{Timing::kApproximate, params()};
  bool ends_ = false;  // whatever was submitted
};

TEST_F(DsaStatusCode, X01Success) { EXPECT_EQ(code_of(descriptor(DsaOpcode::kNoop, 0, 0, 0)), 0x01U); }

TEST_F(DsaStatusCode, X02SuccessWithFalsePredicate) {
  bench_.agent.memory.byte(kB + DsaBench::kOffset + 77) = 1;
  const DsaCompletionRecord record = run(descriptor(DsaOpcode::kCompare, kA, kB, 100, kCheck));
  EXPECT_EQ(record.status, 0x02U);
  EXPECT_EQ(record.result, 1U);
  EXPECT_EQ(record.bytes_completed, 77U);
}

TEST_F(DsaStatusCode, X03PageFault) {
  const DsaCompletionRecord record = run(descriptor(DsaOpcode::kFill, 1, kA + 3 * kPageSize, 2 * kPageSize));
  EXPECT_EQ(record.status, 0x83U) << "by a write";
  EXPECT_EQ(record.bytes_completed, kPageSize);
  EXPECT_EQ(record.fault_address, kA + 4 * kPageSize);
  EXPECT_EQ(DsaCompletionRecord::OPERAND::get(record.fault_info), 3U);
}

TEST_F(DsaStatusCode, X04InvalidResponse) {
  bench_.agent.on_group = [](const SeenTlp&) { return 1; };
  const DsaCompletionRecord record =
      run(descriptor(DsaOpcode::kCompare, kA, kC + 4 * kPageSize, 64, DsaFlags::BLOCK_ON_FAULT::kMask));
  EXPECT_EQ(record.status, 0x04U);
  EXPECT_EQ(DsaCompletionRecord::OPERAND::get(record.fault_info), 2U);
}

TEST_F(DsaStatusCode, X05BatchFail) {
  store(kA, DsaBench::descriptor(DsaOpcode::kNoop, 1, 0, 0, 0));
  store(kA + 64, DsaBench::descriptor(DsaOpcode::kNoop, 2, 8, 0, 0));
  const DsaCompletionRecord record = run(descriptor(DsaOpcode::kBatch, kA, 0, 2));
  EXPECT_EQ(record.status, 0x05U);
  EXPECT_EQ(record.bytes_completed, 2U);
  EXPECT_EQ(record.result, 1U);
}

TEST_F(DsaStatusCode, X06BatchPageFault) {
  bench_.agent.on_group = [](const SeenTlp&) { return 1; };
  store(kA + 4 * kPageSize - 64, DsaBench::descriptor(DsaOpcode::kNoop, 1, 0, 0, 0));
  const DsaCompletionRecord record = run(descriptor(DsaOpcode::kBatch, kA + 4 * kPageSize - 64, 0, 2));
  EXPECT_EQ(record.status, 0x06U);
  EXPECT_EQ(record.bytes_completed, 1U);
  EXPECT_EQ(record.result, 0U);
  EXPECT_EQ(record.fault_address, kA + 4 * kPageSize);
  EXPECT_EQ(bench_.status(1), DsaStatus::kSuccess);
}

class DsaDeltaCode : public DsaStatusCode {
 protected:
  // Applies a record of entries with these places to 64 bytes.
  DsaCompletionRecord apply(const std::vector<unsigned>& places) {
    Addr at = kA + DsaBench::kOffset;
    for (const unsigned place : places) {
      bench_.agent.memory.byte(at) = static_cast<unsigned char>(place);
      at += 10;
    }
    DsaApplyDeltaOperands operands;
    operands.delta_size = static_cast<std::uint32_t>(10 * places.size());
    return run(with(descriptor(DsaOpcode::kApplyDelta, kA, kB, 64), operands));
  }
};

TEST_F(DsaDeltaCode, X07OffsetsNotIncreasing) {
  const DsaCompletionRecord record = apply({1, 3, 3, 4});
  EXPECT_EQ(record.status, 0x07U);
  EXPECT_EQ(record.bytes_completed, 20U);
}

TEST_F(DsaDeltaCode, X08OffsetOutOfRange) {
  const DsaCompletionRecord record = apply({7, 8});
  EXPECT_EQ(record.status, 0x08U);
  EXPECT_EQ(record.bytes_completed, 10U);
}

TEST_F(DsaStatusCode, X09DifError) {
  // Zeros have a guard of 0; the tags count from 0.
  bench_.agent.memory.byte(kA + DsaBench::kOffset + 520 + 519) = 1;
  bench_.agent.memory.byte(kA + DsaBench::kOffset + 2 * 520 + 5) = 9;
  const DsaCompletionRecord record =
      run(with(descriptor(DsaOpcode::kDifCheck, kA, 0, 3 * 520), DsaDifOperands()));
  EXPECT_EQ(record.status, 0x09U);
  EXPECT_EQ(record.result, DsaDifResult::GUARD::kMask | DsaDifResult::REFERENCE::kMask);
  EXPECT_EQ(record.bytes_completed, 2 * 520U);
  EXPECT_EQ(dsa_results<DsaDifResults>(record).source.reference, 2U);
}

TEST_F(DsaStatusCode, X10UnsupportedOperation) {
  for (const unsigned opcode : {0x16U, 0x18U, 0x21U, 0x23U, 0x26U, 0xFFU}) {
    EXPECT_EQ(code_of(descriptor(static_cast<DsaOpcode>(opcode), kA, kB, 64)), 0x10U) << opcode;
  }
}

TEST_F(DsaStatusCode, X11InvalidFlags) {
  const DsaCompletionRecord record =
      run(descriptor(DsaOpcode::kCompare, kA, kB, 64, DsaFlags::STRICT_ORDERING::kMask));
  EXPECT_EQ(record.status, 0x11U);
  EXPECT_EQ(record.specific[1], DsaFlags::STRICT_ORDERING::kMask >> 8U);
}

TEST_F(DsaStatusCode, X12ReservedField) {
  EXPECT_EQ(code_of(with(descriptor(DsaOpcode::kFill, 1, kB, 64), DsaFillOperands{5, {}})), 0x12U)
      << "no second half of a pattern without the flag";
}

TEST_F(DsaStatusCode, X13TransferSize) {
  EXPECT_EQ(code_of(descriptor(DsaOpcode::kDifInsert, kA, kB, 513)), 0x13U);
}

TEST_F(DsaStatusCode, X14DescriptorCount) {
  EXPECT_EQ(code_of(descriptor(DsaOpcode::kBatch, kA, 0, 1)), 0x14U);
  EXPECT_EQ(code_of(descriptor(DsaOpcode::kBatch, kA, 0, 33)), 0x14U);
}

TEST_F(DsaStatusCode, X15FieldValue) {
  DsaCreateDeltaOperands operands;
  operands.delta_address = kC;
  operands.max_delta_size = 70;
  EXPECT_EQ(code_of(with(descriptor(DsaOpcode::kCreateDelta, kA, kB, 64), operands)), 0x15U);
}

TEST_F(DsaStatusCode, X16OverlappingBuffers) {
  EXPECT_EQ(code_of(descriptor(DsaOpcode::kCopyCrc, kA, kA + 63, 64)), 0x16U);
}

TEST_F(DsaStatusCode, X17DualcastAlignment) {
  EXPECT_EQ(code_of(with(descriptor(DsaOpcode::kDualcast, kA, kB, 64), DsaDualcastOperands{kC + 8, {}})),
            0x17U);
}

TEST_F(DsaStatusCode, X18DescriptorListAlignment) {
  EXPECT_EQ(code_of(descriptor(DsaOpcode::kBatch, kA + 32, 0, 2)), 0x18U);
}

TEST_F(DsaStatusCode, X1cAddressAlignment) {
  DsaApplyDeltaOperands operands;
  operands.delta_size = 10;
  EXPECT_EQ(code_of(with(descriptor(DsaOpcode::kApplyDelta, kA, kB + 4, 64), operands)), 0x1CU);
  EXPECT_EQ(code_of(with(descriptor(DsaOpcode::kTranslationFetch, kA, 0, 64, DsaFlags::USE_STRIDE::kMask),
                         DsaTranslationFetchOperands{0, 0x1800, 0})),
            0x1CU);
}

TEST_F(DsaStatusCode, X1aCompletionRecordFault) {
  bench_.agent.on_group = [](const SeenTlp&) { return 1; };
  DsaDescriptor d = descriptor(DsaOpcode::kNoop, 0, 0, 0);
  d.completion_address = kC + 8 * kPageSize;
  run(d);
  EXPECT_EQ(reported(), 0x1AU);
}

TEST_F(DsaStatusCode, X1bCompletionRecordAlignment) {
  DsaDescriptor d = descriptor(DsaOpcode::kNoop, 0, 0, 0);
  d.completion_address += 16;
  run(d);
  EXPECT_EQ(reported(), 0x1BU);
}

TEST(DsaSharedCode, X1dPrivilege) {
  DsaParams p = dsa_params().defaults();
  p.privileged = false;
  DsaBench bench(Timing::kApproximate, p);
  bench.configure(true);
  bench.share(0, 32);
  bench.enable();
  bench.enqueue(DsaBench::descriptor(DsaOpcode::kNoop, 0, 0, 0, 0), DsaBench::kPasid, 0, 1000,
                DsaPortal::kLimited, true);
  bench.run(kMs);
  const std::uint64_t error = bench.dsa.registers().get64(dsa_reg::kSwerror);
  EXPECT_EQ(DsaSwerror::ERROR::get(error), 0x1DU);
  EXPECT_EQ(DsaSwerror::PRIV::get(error), 1U);
  EXPECT_EQ(bench.status(0), DsaStatus::kNone);
  bench.expect_clean();
}

TEST_F(DsaStatusCode, X1fDrainReadbackFault) {
  bench_.agent.on_group = [](const SeenTlp&) { return 1; };
  const DsaCompletionRecord record =
      run(descriptor(DsaOpcode::kDrain, 0, kC + 4 * kPageSize, 0, DsaFlags::READBACK_2::kMask));
  EXPECT_EQ(record.status, 0x1FU);
  EXPECT_EQ(record.fault_address, kC + 4 * kPageSize);
}

TEST_F(DsaStatusCode, X20HardwareError) {
  bench_.agent.read_status = CompletionStatus::kUnsupportedRequest;
  EXPECT_EQ(code_of(descriptor(DsaOpcode::kMemmove, kA, kB, 64)), 0x20U);
}

TEST_F(DsaStatusCode, X22TranslationError) {
  bench_.agent.on_group = [](const SeenTlp&) { return 0xF; };
  EXPECT_EQ(code_of(descriptor(DsaOpcode::kFill, 1, kC + 4 * kPageSize, 64, DsaFlags::BLOCK_ON_FAULT::kMask)),
            0x22U);
}

TEST_F(DsaStatusCode, X52CommandWhileActive) {
  const std::uint32_t drain = static_cast<std::uint32_t>(DsaCmd::CODE::make(3));
  bench_.write32(dsa_reg::kCmd, drain);
  bench_.write32(dsa_reg::kCmd, drain);
  bench_.run(kMs);
  EXPECT_EQ(reported(), 0x52U);
}

TEST_F(DsaStatusCode, X53QueueOverflow) {
  bench_.agent.on_group = [](const SeenTlp&) { return -1; };
  for (unsigned i = 0; i < bench_.params.descriptors_in_progress + 33; ++i) {
    bench_.submit(
        DsaBench::descriptor(DsaOpcode::kFill, i, 1, kC + 4 * kPageSize, 64, DsaFlags::BLOCK_ON_FAULT::kMask),
        0, 1000 + i * kUs);
  }
  bench_.run(kMs);
  EXPECT_EQ(reported(), 0x53U);
}

// What is submitted as a member must not be a batch or a drain.
TEST_F(DsaStatusCode, X10WithinABatch) {
  store(kA, DsaBench::descriptor(DsaOpcode::kDrain, 1, 0, 0, 0));
  store(kA + 64, DsaBench::descriptor(DsaOpcode::kBatch, 2, kB, 0, 2));
  EXPECT_EQ(code_of(descriptor(DsaOpcode::kBatch, kA, 0, 2)), 0x05U);
  EXPECT_EQ(bench_.status(1), DsaStatus::kBadOpcode);
  EXPECT_EQ(bench_.status(2), DsaStatus::kBadOpcode);
}

// X19 with a valid flag but a handle that belongs to nobody.
TEST(DsaInterruptCode, X19InterruptHandle) {
  DsaBench bench;
  bench.configure(true);
  bench.write32(dsa_reg::kGencfg, DsaGencfg::USER_INTERRUPTS::kMask);
  bench.enable();
  DsaDescriptor d =
      DsaBench::descriptor(DsaOpcode::kNoop, 0, 0, 0, 0, DsaFlags::REQUEST_COMPLETION_INTERRUPT::kMask);
  d.interrupt_handle = 5;
  bench.submit(d);
  bench.run(kMs);
  EXPECT_EQ(bench.status(0), DsaStatus::kInterruptHandle);
  EXPECT_EQ(DsaSwerror::ERROR::get(bench.dsa.registers().get64(dsa_reg::kSwerror)), 0x19U);
  bench.expect_clean();
}

}  // namespace
}  // namespace svasim
