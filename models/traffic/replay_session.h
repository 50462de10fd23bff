// One replay of a capture, step by step, without time: whoever drives it makes the accesses, stores
// and invalidations it asks for and reports what came of them.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/trace_dataset.h"
#include "models/formats/vtd_faults.h"
#include "models/formats/vtd_invalidation.h"
#include "models/traffic/replay_plan.h"
#include "models/traffic/replay_report.h"
#include "models/traffic/replay_tables.h"
#include "models/traffic/replay_windows.h"

namespace svasim {

enum class ReplayStep : std::uint8_t {
  kBoot,          // a recording starts: load the tables, (re)start the remapping unit
  kAccess,        // a DMA access; may overlap other accesses
  kEdit,          // stores to tables
  kInvalidation,  // one descriptor for the invalidation queue
  kSnapshot,      // compare tables
  kEnd,           // the capture is at its end
};

// An access to make. `expected` is for judge().
struct ReplayAccess {
  struct Answer {
    Addr page = 0;
    std::uint8_t page_shift = 0;  // 0: the access faults
    FaultReason fault = FaultReason::kNone;
  };
  RequesterId requester;
  bool has_pasid = false;
  Pasid pasid;
  Addr iova = 0;
  std::uint64_t length = 0;
  bool is_write = false;

  std::uint64_t line = 0;
  enum class Basis : std::uint8_t {
    kRecorded,    // the record says what to expect
    kViolation,   // the record is an answer the emulator should not have given
    kLegacyCode,  // the record has a legacy code in scalable mode
  };
  Basis basis = Basis::kRecorded;
  Answer expected;
  // The emulator's own cache, for accesses it translated.
  enum class Look : std::uint8_t { kNone, kAccess, kProbe, kViolation };
  Look look = Look::kNone;
  bool recorded_hit = false;
  // Whose page it is, and its size as recorded; 0: it is on none.
  DomainId domain;
  bool first_stage = false;
  Pasid page_pasid;  // of a first stage
  std::uint8_t recorded_shift = 0;
  bool in_window = false;
  std::vector<Answer> also_legal;  // answers from stale or current translations inside a window
};

class ReplaySession {
 public:
  // Table pages are placed from plan.physical_end(), rounded up, so that no captured access meets them.
  explicit ReplaySession(const TraceDataset& dataset);
  // Also take look-ups of the emulator that belong to no access (class dup), as reads of one byte.
  void take_probes() { probes_ = true; }

  // What comes next; changes nothing in the tables.
  ReplayStep next();
  // Whether it may be taken while accesses are in flight: an access that is expected to succeed.
  bool may_overlap() const { return overlap_; }
  // Takes the step next() announced. Its particulars follow.
  void take();

  // After kBoot.
  struct Boot {
    std::uint64_t rtaddr = 0;
    std::uint64_t iqa = 0;  // address moved
    const TableWrites* tables = nullptr;
  };
  const Boot& boot() const { return boot_; }
  // After kAccess.
  const ReplayAccess& access() const { return access_; }
  // After kEdit. Valid until the next step.
  const TableWrites& writes() const { return writes_; }
  // After kInvalidation.
  struct Invalidation {
    InvalidationDescriptor descriptor{};
    bool last_of_batch = false;  // write the tail register now
    bool wait = false;           // and go on when the status write has arrived
    Addr status_address = 0;
    std::uint32_t status_data = 0;
    std::uint64_t line = 0;  // of its record; 0: the replay's own
  };
  const Invalidation& invalidation() const { return invalidation_; }
  // A wait descriptor completed: what stands before it in the queue has taken effect.
  void waited();
  // After kSnapshot: compares with the tables that `memory` holds.
  void compare_snapshot(const TableSource& memory);

  // One answer for an access or for a part of it that starts at `iova`.
  enum class Verdict : std::uint8_t { kEqual, kStale, kAddress, kSize, kFault };
  Verdict judge(const ReplayAccess& access, Addr iova, const ReplayAccess::Answer& answer) const;
  // The worst verdict over the parts of an access, once per access; `answer` is of that part.
  void count(const ReplayAccess& access, Verdict verdict, Addr iova, const ReplayAccess::Answer& answer);
  // Whether the IOMMU's IOTLB had an entry for the first part of an access.
  void count_hit(const ReplayAccess& access, bool hit);
  // A fault record read from the remapping unit, for an access that faulted.
  void count_fault_record(const ReplayAccess& access, Addr iova, FaultReason fault, std::uint64_t low,
                          std::uint64_t high);

  // A fault record of somebody else.
  void count_foreign_record() { ++report_.foreign_records; }
  // The queue stopped at the descriptor of this line (0: the replay's own) for this reason.
  void note_queue_error(std::uint64_t line, const InvalidationDescriptor& descriptor, const std::string& why);

  const ReplayReport& report() const { return report_; }
  const HostTables& tables() const { return tables_; }
  // Physical memory it uses: what the capture touches lies below `touched`, its tables from `tables`
  // to `end`, which is far more than they take.
  struct MemoryUse {
    Addr touched = 0;
    Addr tables = 0;
    Addr end = 0;
  };
  MemoryUse memory_use() const;
  // Accesses and faults taken so far.
  std::uint64_t issued() const { return report_.accesses.value + report_.faults.value; }
  std::uint64_t line() const { return reader_.line(); }
  // Records of the whole capture.
  std::uint64_t records() const { return plan_.records(); }
  // Everybody who makes a recorded access or is bound in the boot image, sorted.
  const std::set<RequesterId>& requesters() const { return plan_.requesters(); }
  // What the capture needs of memory: everything below, and who needs the last of it.
  Addr physical_end() const { return plan_.physical_end(); }
  const std::string& physical_end_at() const { return plan_.physical_end_at(); }
  std::uint64_t time_us() const { return record_.time_us; }

 private:
  bool read();
  void start_recording();
  void end_recording();
  ReplayStep classify();
  void take_access();
  void describe_look(const TableBinding* binding);
  void take_edit();
  void take_invalidation();
  void rebind(const TableBinding& binding);
  InvalidationDescriptor own_wait();
  void flush_all();
  const TableBinding* binding_of(const TraceRecord& record) const;
  void open_windows(DomainId domain, const std::vector<TableLeaf>& removed);

  ReplayAccess::Answer answer_of_tables(const TableBinding* binding, Addr iova, bool is_write) const;
  FaultReason missing_right(const TableBinding* binding, bool is_write) const;
  void expect_fault(const TableBinding* binding);
  void add_window_answers(const TableBinding* binding);
  void mismatch(Counter& counter, const ReplayAccess& access, Addr iova, const ReplayAccess::Answer& answer);

  // Snapshots. A difference that a record close by may explain waits for that record.
  struct Pending {
    TableLeaf leaf;
    bool only_in_image = false;
    std::uint64_t until_us = 0;
    std::string snapshot{};
  };
  void compare_domain(DomainId domain, const DomainTables& tables, const std::vector<TableLeaf>& ours,
                      const std::vector<TableLeaf>& theirs);
  void compare_bindings(const std::vector<TableBinding>& theirs);
  void differs(DomainId domain, const TableLeaf& leaf, bool only_in_image);
  void explain_pending();
  void expire_pending(std::uint64_t now_us);

  const TraceDataset& dataset_;
  ReplayPlan plan_;
  TraceReader reader_;
  HostTables tables_;
  TraceRecord record_;
  bool have_record_ = false;  // record_ is read and not yet taken
  ReplayStep step_ = ReplayStep::kEnd;
  bool overlap_ = false;
  bool recording_ = false;
  bool probes_ = false;
  std::uint64_t maps_ = 0;
  LateUnmaps late_;
  UnmapWindows windows_;
  std::vector<InvalidationDescriptor> unfinished_;  // pushed, not yet covered by a finished wait
  std::deque<InvalidationDescriptor> own_;          // the replay's own descriptors
  Addr own_status_ = 0;
  std::uint32_t own_waits_ = 0;
  std::multimap<std::pair<std::uint16_t, Addr>, Pending> pending_;  // by domain and IOVA

  Boot boot_;
  TableWrites writes_;
  ReplayAccess access_;
  Invalidation invalidation_;
  std::string snapshot_;
  ReplayReport report_;
};

}  // namespace svasim
