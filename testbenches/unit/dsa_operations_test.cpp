// The operations of the DSA model alone: published check values, and that it does not matter in which
// pieces the bytes arrive.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "base/rng.h"
#include "models/dsa/operations/crc.h"
#include "models/dsa/operations/operation.h"
#include "models/reference/reference_dsa.h"

namespace svasim {
namespace {

using Bytes = std::vector<unsigned char>;

Bytes text(const char* characters) { return {characters, characters + std::strlen(characters)}; }

// Runs a CRC over bytes that arrive in pieces of at most `piece`; what the record says.
std::uint64_t crc_of(const Bytes& data, std::uint64_t flags, std::uint64_t seed, std::size_t piece) {
  DsaDescriptor d;
  d.set_operation(DsaOpcode::kCrcGeneration, flags);
  d.transfer_size = static_cast<std::uint32_t>(data.size());
  set_dsa_operands(d, DsaCrcOperands{seed, 0, 0});
  const DsaOperation& operation = *dsa_operation(DsaOpcode::kCrcGeneration);
  DsaRun run;
  operation.begin(d, run);
  for (std::size_t at = 0; at < data.size(); at += piece) {
    const auto length = static_cast<unsigned>(std::min(piece, data.size() - at));
    operation.step(d, run, {at, length, {&data[at], nullptr}, nullptr});
  }
  DsaCompletionRecord record;
  record.set_status(DsaStatus::kSuccess);
  operation.complete(d, run, record);
  return dsa_results<DsaCrcResult>(record).value;
}

// The reference's own way to the same numbers.
std::uint64_t reference_of(const Bytes& data, unsigned width, std::uint64_t polynomial) {
  const std::uint64_t all = width == 64 ? ~std::uint64_t{0} : 0xFFFFFFFF;
  return reference_reversed(reference_crc(data, all, width, polynomial, true), width) ^ all;
}

// [CRCCAT], [RFC 3720 B.4]
TEST(DsaCrc, Crc32cCheckValues) {
  EXPECT_EQ(crc_of(text("123456789"), 0, 0, 9), 0xE3069283U);
  EXPECT_EQ(reference_of(text("123456789"), 32, 0x1EDC6F41), 0xE3069283U);
  EXPECT_EQ(crc_of(Bytes(32, 0x00), 0, 0, 32), 0x8A9136AAU);
  EXPECT_EQ(crc_of(Bytes(32, 0xFF), 0, 0, 32), 0x62A8AB43U);
}

// [CRCCAT]: CRC-64/NVME.
TEST(DsaCrc, Crc64CheckValue) {
  EXPECT_EQ(crc_of(text("123456789"), DsaFlags::CRC64::kMask, 0, 9), 0xAE8B14860A799888U);
  EXPECT_EQ(reference_of(text("123456789"), 64, 0xAD93D23594C93659), 0xAE8B14860A799888U);
}

// [CRCCAT]: CRC-16/T10-DIF.
TEST(DsaDif, GuardCheckValue) {
  std::uint16_t crc = 0;
  for (const unsigned char byte : text("123456789")) crc = CrcTable<std::uint16_t>(0x8BB7).next(crc, byte);
  EXPECT_EQ(crc, 0xD0DBU);
  EXPECT_EQ(reference_crc(text("123456789"), 0, 16, 0x8BB7, false), 0xD0DBU);
}

TEST(DsaCrc, PiecesAndContinuation) {
  RngStream rng(5, "crc");
  for (unsigned round = 0; round < 200; ++round) {
    Bytes data(1 + rng.below(700));
    for (auto& byte : data) byte = static_cast<unsigned char>(rng.next());
    const std::uint64_t flags = rng.below(8) << 17U;  // both bypasses, CRC64
    const std::uint64_t seed = rng.next() & ((flags & DsaFlags::CRC64::kMask) != 0 ? ~0ULL : 0xFFFFFFFF);
    const std::uint64_t whole = crc_of(data, flags, seed, data.size());
    EXPECT_EQ(crc_of(data, flags, seed, 1 + rng.below(64)), whole);
    // SPEC: [DSA 8.3]: the value is the seed with which to go on.
    const auto cut = static_cast<std::ptrdiff_t>(rng.below(data.size()));
    const std::uint64_t first = crc_of(Bytes(data.begin(), data.begin() + cut), flags, seed, 64);
    EXPECT_EQ(crc_of(Bytes(data.begin() + cut, data.end()), flags, first, 64), whole);
  }
}

TEST(DsaOperations, EveryRowIsWhatItSays) {
  EXPECT_EQ(dsa_operations(1), 0x1003F03FFULL);
  EXPECT_EQ(dsa_operations(2), 0x100BF07FFULL);
  for (unsigned code = 0; code < 256; ++code) {
    const DsaOperation* operation = dsa_operation(static_cast<DsaOpcode>(code));
    const bool has = code < 64 && ((dsa_operations(2) >> code) & 1U) != 0;
    ASSERT_EQ(operation != nullptr, has) << code;
    if (has) {
      EXPECT_EQ(static_cast<unsigned>(operation->opcode), code);
    }
  }
}

// SPEC: [DSA 5, Table 5-3]: without a completion record these operations are for nothing.
TEST(DsaOperations, WhoNeedsARecord) {
  for (const unsigned code : {0x05, 0x06, 0x07, 0x10, 0x11, 0x12}) {
    EXPECT_TRUE(dsa_operation(static_cast<DsaOpcode>(code))->needs_record) << code;
  }
  for (const unsigned code : {0x00, 0x01, 0x03, 0x04, 0x08, 0x09, 0x13, 0x14, 0x15, 0x20}) {
    EXPECT_FALSE(dsa_operation(static_cast<DsaOpcode>(code))->needs_record) << code;
  }
}

}  // namespace
}  // namespace svasim
