// Fault recording registers and fault status. SPEC: [VTD 7.2, 11.4.9, 11.4.14]
#pragma once

#include <cstdint>
#include <vector>

#include "base/types.h"
#include "models/formats/vtd_faults.h"
#include "models/formats/vtd_registers.h"
#include "models/prq/event_registers.h"

namespace svasim {

struct FaultRecord {
  RequesterId requester;
  bool has_pasid = false;
  Pasid pasid;
  bool execute = false;
  bool privileged = false;
  std::uint8_t at = 0;  // AT field of the request
  FaultRecordType type = FaultRecordType::kRead;
  FaultReason reason = FaultReason::kNone;
  Addr address = 0;
};

// FRCD[n], FSTS and the fault event registers. FSTS also holds the invalidation queue's error bits,
// which raise the same event. Calls that return true want event().message() sent.
class FaultRecorder {
 public:
  explicit FaultRecorder(unsigned records) : records_(records) {}

  enum class Outcome : std::uint8_t { kRecorded, kOverflow };
  struct Recorded {
    Outcome outcome = Outcome::kRecorded;
    bool interrupt = false;
  };
  Recorded record(const FaultRecord& fault);

  // Sets status bits IQE, ICE or ITE.
  bool set_status(std::uint32_t bits);
  // Write of FSTS: RW1C.
  void write_status(std::uint32_t value);
  std::uint32_t status() const;
  bool has(std::uint32_t bits) const { return (status_ & bits) != 0; }

  std::uint32_t read_record(std::uint32_t offset) const;
  void write_record(std::uint32_t offset, std::uint32_t value);
  // Translation is off: the next fault goes to record 0.
  void reset_index() { next_ = 0; }

  EventRegisters& event() { return event_; }
  const EventRegisters& event() const { return event_; }

 private:
  struct Entry {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
  };
  bool pending() const { return pending_ != 0; }
  bool raise_unless(bool was_set) { return !was_set && event_.raise(); }
  void maybe_clear_event();

  std::vector<Entry> records_;
  unsigned next_ = 0;
  unsigned first_ = 0;        // FRI: of the record that set PPF
  unsigned pending_ = 0;      // records with F = 1
  std::uint32_t status_ = 0;  // PFO, IQE, ICE, ITE
  EventRegisters event_;
};

}  // namespace svasim
