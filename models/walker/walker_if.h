// The interface of a page-table walker: what it is asked and what it answers.
#pragma once

#include <array>
#include <cstdint>
#include <tlm>
#include <vector>

#include "base/types.h"
#include "models/formats/vtd_faults.h"
#include "tlm/attribution.h"

namespace svasim {

struct PageTableFormat;

// Why a walk is made. A walker may prefer one class to another.
enum class WalkClass : std::uint8_t {
  kDemand,       // a request waits for it
  kPageRequest,  // a request waits for it whose page was missing and has been asked for meanwhile
  kPrefetch,     // nobody has asked for the page yet
};
inline constexpr std::size_t kWalkClasses = 3;

// The second stage under a first: what guest-physical addresses are translated with. SPEC: [VTD 3.8]
struct NestedStage {
  const PageTableFormat* format = nullptr;  // nullptr: the walk has one stage
  Addr root = 0;
  std::uint8_t input_bits = 0;  // guest-physical addresses have no more: min(MGAW, AGAW)
  bool update_ad = false;       // SSADE; tables of the first stage are then read as if they were written
  // WalkRequest::table is a host address, known from an earlier walk, and not a guest-physical one; and
  // whether the second stage lets it be written.
  bool table_known = false;
  bool table_writable = true;
  // The requester caches tables of the second stage: the walk asks it where to start (TableQuery).
  bool cached = false;
};

// One page walk. Everything the walker needs is in the request: it holds no context, no PASID
// table and no cache, so one walker can serve several IOMMUs.
struct WalkRequest {
  const PageTableFormat* format = nullptr;  // of the stage walked
  // Where to start: `level` counts from 1 (the table of 4-KiB entries) up; the top level of the
  // format unless a paging-structure cache knew a lower table. `table` is the physical address of
  // the table of that level. The rights of the entries skipped are in `read`/`write`/`user`.
  unsigned level = 0;
  Addr table = 0;
  bool upper_read = true;
  bool upper_write = true;
  bool upper_user = true;

  Addr iova = 0;
  bool is_write = false;  // the access writes (or is a translation request without NW)
  bool is_read = true;
  bool privileged = false;       // PR=1 and SRE=1 (RISC-V: ENS=1); the format says what that gives
  bool privileged_user = false;  // SUM: a privileged request may use user pages (UserRule::kSeparates)
  bool write_protect = false;    // WPE: R/W binds privileged writes too
  bool need_access = true;       // false: report rights without faulting on them (translation requests)
  bool update_ad = false;        // A/D bits are to be set (first stage always, second stage with SSADE)
  bool snooped = true;           // PWSNP / coherent walk; a needed A/D update without it is a fault
  // The line with the leaf is wanted with the answer, for what it says about the pages beside.
  bool keep_line = false;
  WalkClass walk_class = WalkClass::kDemand;
  RequesterId requester;  // the device it is made for
  std::uint64_t id = 0;   // unique per requester and deterministic; orders equal-time work

  // A nested walk: `format` is the first stage's, and its tables and pages lie at guest-physical addresses.
  NestedStage nested;
};

// The answer. Fault codes are those of the walk (first or second stage, by format); which answer a
// device gets is the IOMMU's business.
struct WalkResult {
  FaultReason fault = FaultReason::kNone;
  Addr page = 0;                // physical address of the page, aligned to its size
  std::uint8_t page_shift = 0;  // 12, 21, 30 (39 and 48 where a format allows)
  // Effective rights over all levels.
  bool read = false;
  bool write = false;
  bool user = false;
  // Nested: `write` is the first stage's right, this the second's. WHY apart: privileged requests may pass
  // over the one and not over the other. `read` is both, as a first stage restricts no reads.
  bool second_write = true;
  bool dirty = false;            // D of the leaf after the walk (true when the format keeps none)
  bool snoop = false;            // SNP of a second-stage leaf
  std::uint8_t fault_level = 0;  // level whose entry faulted
  // The entry looked at last, and whether it is of the second stage under a first: for people.
  bool entry_nested = false;
  Addr entry = 0;
  std::uint8_t reads = 0;    // memory reads done
  std::uint8_t updates = 0;  // atomic A/D updates done

  // Tables visited, for paging-structure caches: step i is the entry that points to the table of
  // level `level`, with the rights accumulated down to and including that entry. Nested: of the first stage,
  // with host addresses, and whether the second stage lets the table be written.
  struct Step {
    Addr table = 0;
    std::uint8_t level = 0;
    bool read = false;
    bool write = false;
    bool user = false;
    bool writable = true;
  };
  std::uint8_t steps = 0;
  std::array<Step, 4> step{};
};

// A nested walk and the second-stage tables its requester caches, for one guest-physical address at a time.
struct TableQuery {
  // Asked: the lowest table known on the way to `guest`.
  Addr guest = 0;
  // Told with it, and with the result: the tables that the second-stage walk before, to `found_guest`, went
  // through.
  Addr found_guest = 0;
  std::uint8_t steps = 0;
  std::array<WalkResult::Step, 4> step{};
  // Answered: a step that leads to the table; level 0: none is known.
  WalkResult::Step start;
};

// Carries a walk over a WalkProtocol socket. The payload's own data attributes are unused. The
// sender charges everything up to the send; the walker charges kWalkWait, kWalkLogic, kWalkRead.
class WalkExtension : public tlm::tlm_extension<WalkExtension> {
 public:
  WalkRequest request;
  WalkResult result;
  Attribution attribution;
  std::uint32_t slot = 0;         // the requester's own book-keeping
  std::uint32_t walker_slot = 0;  // the walker's
  TableQuery tables;              // of a nested walk whose requester caches them

  // With WalkRequest::keep_line, of a walker that reads lines: the line that holds the leaf.
  static constexpr Addr kNoLine = ~Addr{0};
  Addr line_address = kNoLine;
  std::array<std::uint64_t, 8> line{};

  tlm::tlm_extension_base* clone() const override { return new WalkExtension(*this); }
  void copy_from(const tlm::tlm_extension_base& other) override {
    *this = static_cast<const WalkExtension&>(other);
  }
};

// Protocol of walk sockets: BEGIN_REQ forward with positive delay, answered TLM_ACCEPTED;
// BEGIN_RESP backward with positive delay, answered TLM_COMPLETED. A requester may have any number
// of walks outstanding; the walker queues what its slots do not hold. b_transport walks at once.
//
// In between, if NestedStage::cached: kTableQuery backward with positive delay, answered TLM_ACCEPTED, and
// then kTableAnswer forward with positive delay; or answered TLM_UPDATED with phase kTableAnswer at once, the
// delay grown by what it takes: always within a b_transport.
struct WalkProtocol {
  using tlm_payload_type = tlm::tlm_generic_payload;
  using tlm_phase_type = tlm::tlm_phase;
};

// The phases of a TableQuery.
struct TableQueryPhase : tlm::tlm_phase {
  TableQueryPhase() : tlm::tlm_phase(typeid(TableQueryPhase), "kTableQuery") {}
};
struct TableAnswerPhase : tlm::tlm_phase {
  TableAnswerPhase() : tlm::tlm_phase(typeid(TableAnswerPhase), "kTableAnswer") {}
};
inline const TableQueryPhase kTableQuery;
inline const TableAnswerPhase kTableAnswer;

// A payload for walks; the requester owns it and reuses it for one walk after another.
class WalkTransaction : public tlm::tlm_generic_payload {
 public:
  WalkTransaction() { set_extension(&walk); }
  ~WalkTransaction() override { clear_extension(&walk); }
  WalkTransaction(const WalkTransaction&) = delete;
  WalkTransaction& operator=(const WalkTransaction&) = delete;
  WalkExtension walk;
};

}  // namespace svasim
