// An operation as data: what its descriptor may say, through which buffers it goes, and what it does
// with the bytes as they arrive. No SystemC in here, and no memory: the engine brings the bytes.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/types.h"
#include "models/formats/dsa_operands.h"

namespace svasim {

struct DsaCheck {
  DsaStatus status = DsaStatus::kSuccess;
  std::uint32_t invalid_flags = 0;  // with kInvalidFlags
};

// What sizes are checked against.
struct DsaLimits {
  std::uint64_t max_transfer = 0;
  std::uint64_t max_batch = 0;
  bool overlapping_copy = true;
};

// How a buffer takes part. Positions count what the operation has gone through; a buffer is active in
// [first, last), with a period only in `length` positions from `skip` on of each.
struct DsaBuffer {
  enum class Access : std::uint8_t {
    kRead,
    kWrite,  // with the position
    kEmit,   // where the data say
    kTouch,  // only its translations matter
  };
  Access access = Access::kRead;
  bool write = false;  // the right that is asked for
  DsaOperandId id = DsaOperandId::kUnknown;
  Addr base = 0;
  std::uint64_t size = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t period = 0;
  std::uint64_t skip = 0;
  std::uint64_t length = 0;
  std::uint64_t stride = 0;  // of touched addresses; 0: every page
};

struct DsaPlan {
  static constexpr unsigned kMaxBuffers = 3;
  std::array<DsaBuffer, kMaxBuffers> buffers{};
  unsigned count = 0;
  std::uint64_t size = 0;   // positions
  std::uint64_t begin = 0;  // where the units start; what is before prepares them
  std::uint64_t unit = 1;   // done wholly or not at all
  bool cut_at_units = false;
  bool downwards = false;
  unsigned counted = 0;  // the buffer in whose bytes progress is reported; beyond count: none

  // Active from `first` to `last`, one byte per position.
  DsaBuffer& add(DsaBuffer::Access access, DsaOperandId id, Addr base, std::uint64_t bytes,
                 std::uint64_t from = 0);
  // Active in part of each unit.
  void add_in_units(DsaBuffer::Access access, DsaOperandId id, Addr base, std::uint64_t skip,
                    std::uint64_t length);
};

// Bytes to be written at a place that follows from the data.
struct DsaEmit {
  std::uint64_t position = 0;
  std::uint64_t offset = 0;  // in the buffer that is emitted to
  unsigned length = 0;
  std::array<unsigned char, DsaDeltaEntry::kBytes> data{};
};

// What an operation keeps from one step to the next.
struct DsaRun {
  std::uint64_t crc = 0;  // of CRC and DIF
  std::array<unsigned char, 16> carry{};
  unsigned carried = 0;
  std::int32_t last_offset = -1;  // of apply delta
  std::uint64_t emitted = 0;      // bytes of `emits` so far
  std::uint64_t written = 0;      // of these, bytes on their way to memory
  std::uint8_t result = 0;
  bool stopped = false;
  std::uint64_t stop_position = 0;
  DsaStatus stop_status = DsaStatus::kSuccess;
  std::vector<DsaEmit> emits;
  std::size_t next_emit = 0;
  std::vector<DsaDescriptor> members;  // of a batch, as fetched
  std::size_t next_member = 0;

  void reset();
  // The operation ends at this position by itself. The first counts.
  void stop(std::uint64_t position, DsaStatus status);
  // So much waits to be written or executed that nothing more should be added.
  bool backlog() const { return emits.size() - next_emit > 64 || members.size() - next_member > 16; }
};

// The bytes at [position, position + length): those read, and room for those written with them.
struct DsaStep {
  std::uint64_t position = 0;
  unsigned length = 0;
  std::array<const unsigned char*, 2> in{};  // by order of the buffers that are read
  unsigned char* out = nullptr;              // is in[0] too: what is not changed is copied
};

struct DsaOperation {
  DsaOpcode opcode;
  unsigned version;        // first major version of the device that has it
  bool blocks_on_fault;    // has the Block on Fault flag
  bool needs_record;       // is nothing without a completion record
  std::uint64_t flags;     // allowed besides those all operations have
  bool always_requests;    // asks for missing pages whatever the flag says, when page requests are on
  DsaStatus fault_status;  // of a page fault on its buffers, kSuccess: the one all operations have
  // Bit N: byte N of the descriptor means something; the others of 16 to 63 are reserved.
  std::uint64_t (*used)(const DsaDescriptor&);
  // Size, field values, alignment, overlap; in this order.
  DsaCheck (*check)(const DsaDescriptor&, const DsaLimits&);
  void (*plan)(const DsaDescriptor&, DsaPlan&);
  // Absent: nothing to do but to copy.
  void (*begin)(const DsaDescriptor&, DsaRun&);
  void (*step)(const DsaDescriptor&, DsaRun&, const DsaStep&);
  // What is particular about its record, given the bytes completed. The record has its status.
  void (*complete)(const DsaDescriptor&, const DsaRun&, DsaCompletionRecord&);
};

// The row of an operation this model has; nullptr for others.
const DsaOperation* dsa_operation(DsaOpcode opcode);
// OPCAP bits 63:0 of a device of this major version.
std::uint64_t dsa_operations(unsigned version);

// Of the files beside this one.
extern const DsaOperation kDsaControlOperations[5];
extern const DsaOperation kDsaMoveOperations[3];
extern const DsaOperation kDsaCompareOperations[2];
extern const DsaOperation kDsaDeltaOperations[2];
extern const DsaOperation kDsaCrcOperations[2];
extern const DsaOperation kDsaDifOperations[5];

// Bytes [from, to] of a descriptor.
constexpr std::uint64_t dsa_bytes(unsigned from, unsigned to) { return mask_between(to, from); }
// Addresses go on at 0 behind the last one.
constexpr bool dsa_overlap(Addr a, std::uint64_t a_size, Addr b, std::uint64_t b_size) {
  return b - a < a_size || a - b < b_size;
}
// The size of a transfer is in range.
constexpr bool dsa_size_ok(const DsaDescriptor& d, std::uint64_t most) {
  return d.transfer_size != 0 && d.transfer_size <= most;
}
// Sets the status of a comparison whose result has been checked. SPEC: [DSA 8.3]
void dsa_check_result(const DsaDescriptor& d, bool expected, DsaCompletionRecord& record);

inline constexpr std::uint64_t kDsaWritingFlags =
    DsaFlags::CACHE_CONTROL_1::kMask | DsaFlags::STRICT_ORDERING::kMask;

}  // namespace svasim
