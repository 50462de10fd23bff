// One page walk as a machine that says which memory access it needs next. No SystemC.
#pragma once

#include "models/formats/page_table_format.h"
#include "models/walker/walker_if.h"

namespace svasim {

// Protocol: start() and then, as long as the answer is not kDone, do the access asked for and pass
// its outcome to on_read() or on_update(). The result is complete at kDone. kLookUp is of nested walks only.
//
// What an entry means is the format's; no rule of a particular architecture is in here. Only the names of
// faults are VT-d's, of scalable mode, chosen by the stage of the format; the IOMMU translates them for
// legacy mode, riscv_walk_cause() into causes of RISC-V. SPEC: [VTD 7.1.3]
class WalkMachine {
 public:
  enum class Need { kRead, kUpdate, kLookUp, kDone };

  Need start(const WalkRequest& request);

  // The entry at address() has been read, or could not be.
  Need on_read(bool ok, std::uint64_t entry);
  // The compare-and-swap at address() from expected() to desired() found `seen`, or failed. When
  // seen differs from expected(), software changed the entry meanwhile: it is looked at anew.
  Need on_update(bool ok, std::uint64_t seen);

  Addr address() const { return address_; }
  std::uint64_t expected() const { return entry_; }
  std::uint64_t desired() const { return desired_; }
  unsigned level() const { return level_; }
  const WalkResult& result() const { return result_; }
  const WalkRequest& request() const { return request_; }

  // At a leaf, while its update is asked for or when done without a fault: what keeps the request out,
  // whether it may write, and the address that the leaf maps the input to.
  bool at_leaf() const { return leaf_; }
  FaultReason denied() const { return denied_; }
  bool may_write() const { return may_write_; }
  Addr mapped() const {
    const Addr offset = (Addr{1} << request_.format->page_shift(level_)) - 1;
    return request_.format->page_address(level_, entry_) | (request_.iova & offset);
  }

 private:
  struct Rights {
    bool read;
    bool write;
    bool user;
  };

  bool first_stage() const { return request_.format->stage == TableStage::kFirst; }
  FaultReason pick(FaultReason first, FaultReason second) const { return first_stage() ? first : second; }
  Need fail(FaultReason reason);
  Need read_level();
  // Decides what `entry_` means; asks for its A/D update first where one is due.
  Need look();
  Need ask_update(std::uint64_t wanted);
  Need go_down();
  Need finish();
  // Whether the request is allowed to do what it wants with the rights accumulated.
  FaultReason check_rights(const Rights& rights) const;
  bool allows_user(const Rights& rights) const;
  bool allows_write(const Rights& rights) const;
  void keep(const Rights& rights);

  WalkRequest request_;
  WalkResult result_;
  Addr address_ = 0;
  std::uint64_t entry_ = 0;
  std::uint64_t desired_ = 0;
  unsigned level_ = 0;
  bool leaf_ = false;
  bool may_write_ = false;
  FaultReason denied_ = FaultReason::kNone;
};

}  // namespace svasim
