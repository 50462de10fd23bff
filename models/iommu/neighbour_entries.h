// The entries beside a walk's leaf, in the line that the walk read.
#pragma once

#include "models/formats/page_table_format.h"
#include "models/walker/walk_machine.h"

namespace svasim {

// A walk to one of these pages would come to this line, so it need not be made. Not of nested walks: their
// entries say where the page is for the guest only.
class NeighbourEntries {
 public:
  NeighbourEntries() = default;
  // Of a walk that ended without a fault; empty when the walker kept no line.
  explicit NeighbourEntries(const WalkExtension& done) : iova_(done.request.iova), line_(done.line) {
    const WalkRequest& request = done.request;
    if (done.line_address == WalkExtension::kNoLine || request.nested.format != nullptr) return;
    start_ = {request.table, static_cast<std::uint8_t>(request.level), request.upper_read,
              request.upper_write, request.upper_user};
    if (done.result.steps != 0) start_ = done.result.step[done.result.steps - 1];
    shift_ = request.format->page_shift(start_.level) + kLineShift;
  }

  // Whether the line says what a walk for `request`, of the same space, comes to; then it is in `result`.
  // The walk machine judges the entry, as in a walk.
  bool walk(const WalkRequest& request, WalkResult& result) const {
    if (shift_ == 0 || ((request.iova ^ iova_) >> shift_) != 0) return false;
    WalkRequest last = request;
    last.level = start_.level;
    last.table = start_.table;
    last.upper_read = start_.read;
    last.upper_write = start_.write;
    last.upper_user = start_.user;
    WalkMachine machine;
    if (machine.start(last) == WalkMachine::Need::kRead &&
        machine.on_read(true, line_[(machine.address() / sizeof(line_[0])) % line_.size()]) !=
            WalkMachine::Need::kDone) {
      return false;  // it leads to another table
    }
    result = machine.result();
    return true;
  }

 private:
  static constexpr unsigned kLineShift = 3;  // 8 entries

  Addr iova_ = 0;
  unsigned shift_ = 0;  // of what the line maps; 0: there is none
  WalkResult::Step start_;
  std::array<std::uint64_t, 8> line_{};
};

}  // namespace svasim
