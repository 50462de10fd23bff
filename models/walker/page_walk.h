// A page walk of one stage, or of a first stage nested in a second, as a machine. No SystemC.
#pragma once

#include <array>

#include "models/walker/walk_machine.h"

namespace svasim {

// Used as a WalkMachine is. A nested walk is two of them: whenever the first stage asks for an entry, and at
// the end for the page, the second stage walks to the address first. SPEC: [VTD 3.8]
//
// With NestedStage::cached each of these second-stage walks asks first where to start: at kLookUp find the
// lowest table known on the way to guest() and pass it to on_table().
class PageWalk {
 public:
  using Need = WalkMachine::Need;

  // WHY inline: a walk of one stage costs what it costs without the other.
  Need start(const WalkRequest& request) {
    nested_ = request.nested.format != nullptr;
    in_second_ = false;
    return nested_ ? start_nested(request) : first_.start(request);
  }
  Need on_read(bool ok, std::uint64_t entry) {
    return nested_ ? nested_read(ok, entry) : first_.on_read(ok, entry);
  }
  Need on_update(bool ok, std::uint64_t seen) {
    return nested_ ? nested_update(ok, seen) : first_.on_update(ok, seen);
  }

  Need on_table(const WalkResult::Step& start);
  Addr guest() const { return guest_; }
  // Nested: tables that the last second-stage walk went through, to found_guest(); none after on_table().
  const WalkResult& found() const { return second_.result(); }
  unsigned found_steps() const { return found_steps_; }
  Addr found_guest() const { return found_guest_; }

  Addr address() const { return in_second_ ? second_.address() : nested_ ? entry_host_ : first_.address(); }
  std::uint64_t expected() const { return active().expected(); }
  std::uint64_t desired() const { return nested_ && !in_second_ ? desired_ : active().desired(); }
  unsigned level() const { return active().level(); }
  const WalkResult& result() const { return nested_ ? result_ : first_.result(); }

 private:
  const WalkMachine& active() const { return in_second_ ? second_ : first_; }

  Need start_nested(const WalkRequest& request);
  Need nested_read(bool ok, std::uint64_t entry);
  Need nested_update(bool ok, std::uint64_t seen);
  // An access to memory, counted.
  Need ask(Need need);
  // Goes on with what a stage needs.
  Need first_needs(Need need);
  Need second_needs(Need need);
  // The second stage of a guest-physical address: of the entry the first stage wants to read, or of the page.
  Need translate(Addr guest, bool is_page);
  Need walk_second(const WalkResult::Step& start);
  // Of the first stage's entry.
  Need update(std::uint64_t desired);
  // The first stage is at its leaf.
  Need at_leaf(bool update_due);
  Need at_page();
  Need finish(FaultReason fault, unsigned level);
  Need finish(FaultReason fault, unsigned level, Addr entry, bool nested);

  WalkMachine first_;
  WalkMachine second_;
  WalkResult result_;
  WalkResult page_;  // of the second stage for the page
  Addr entry_host_ = 0;
  Addr guest_ = 0;  // guest-physical address of the entry or the access
  Addr found_guest_ = 0;
  unsigned found_steps_ = 0;
  std::uint64_t desired_ = 0;  // of an update of the first stage
  std::array<Addr, kMaxLevels + 1> table_host_{};
  std::array<bool, kMaxLevels + 1> table_writable_{};
  bool nested_ = false;
  bool snooped_ = true;
  bool in_second_ = false;
  bool for_page_ = false;
  bool update_due_ = false;
  bool page_known_ = false;
  bool page_written_ = false;  // page_ is of a write
};

}  // namespace svasim
