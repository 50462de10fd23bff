// Reader of captured DMA traces; the record formats are in traces/FORMAT.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/archive_source.h"
#include "base/line_reader.h"
#include "base/types.h"

namespace svasim {

// In the order of the letters' table in traces/FORMAT.md.
enum class RecordKind : std::uint8_t {
  kAccess,        // A
  kFault,         // F
  kInvalidation,  // I
  kQueueTail,     // Q
  kMap,           // MAP
  kUnmap,         // UNM
  kInterrupt,     // N
  kCacheEvent,    // X
  kRegister,      // G
  kMarker,        // K
  kSnapshot,      // S
};
inline constexpr std::size_t kRecordKinds = 11;
// The word in the trace: "A", "MAP".
const char* record_name(RecordKind kind);

enum class DmaDirection : std::uint8_t { kRead, kWrite, kUnknown };

// How a recorded access takes part in a comparison.
enum class AccessRole : std::uint8_t {
  kNormal,
  kDuplicate,  // class dup: a look-up of the emulator's, no bus access
  kViolation,  // class viol: permission missing, which the emulator did not notice
};

// One record. Only the fields of its kind are set; the others keep their defaults. Texts are valid
// until the next record is read.
struct TraceRecord {
  RecordKind kind = RecordKind::kMarker;
  std::uint64_t time_us = 0;

  // A, F
  RequesterId requester;
  bool has_pasid = false;
  Pasid pasid;
  DmaDirection direction = DmaDirection::kUnknown;
  // A, F, MAP, UNM
  Addr iova = 0;
  std::uint64_t length = 0;  // bytes
  // A, MAP
  Addr address = 0;  // physical; of the first byte
  DomainId domain;   // also UNM
  // A
  std::uint8_t page_shift = 0;  // 12, 21 or 30
  bool hit = false;             // in the emulator's own cache
  AccessRole role = AccessRole::kNormal;
  std::string_view access_class;
  std::uint64_t leaf = 0;  // the leaf entry the emulator used
  // F
  std::uint8_t reason = 0;
  // I
  std::uint64_t words[2] = {0, 0};
  // Q: entry index. N: message address and data.
  std::uint64_t tail = 0;
  Addr message_address = 0;
  std::uint32_t message_data = 0;
  // I, X, G, K: everything after the kind (and before the raw words). S: the snapshot's name.
  std::string_view text;
  // K: the marker that ends a recording.
  bool is_end = false;
};

// Throws InputError with file, line and reason on the first record that is malformed or goes back
// in time. A file may hold several recordings one after the other: after an END marker a record
// with time 0 starts the next one.
class TraceReader {
 public:
  TraceReader(std::unique_ptr<ByteStream> stream, std::string name)
      : lines_(std::move(stream), std::move(name)) {}

  // False at the end of the file.
  bool next(TraceRecord& record);

  std::uint64_t line() const { return lines_.line(); }
  const std::string& name() const { return lines_.name(); }
  // Throws InputError for the record read last.
  [[noreturn]] void fail(const std::string& reason) const { lines_.fail(reason); }

 private:
  void check_time(std::uint64_t time);

  LineReader lines_;
  std::uint64_t time_ = 0;
  bool ended_ = false;  // past an END marker
};

}  // namespace svasim
