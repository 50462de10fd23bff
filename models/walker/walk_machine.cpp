#include "models/walker/walk_machine.h"

#include "base/check.h"

namespace svasim {

WalkMachine::Need WalkMachine::start(const WalkRequest& request) {
  request_ = request;
  result_ = WalkResult();
  result_.read = request.upper_read;
  result_.write = request.upper_write;
  result_.user = request.upper_user;
  leaf_ = false;
  level_ = request.level;
  const PageTableFormat& format = *request_.format;
  SVASIM_CHECK(level_ >= 1 && level_ <= format.levels, "a walk starts at a level of its format");
  // Canonical for a first stage, within the width for a second. SPEC: [VTD 3.6, 3.7]
  if (!format.accepts(request_.iova)) {
    return fail(pick(FaultReason::kNotCanonical, FaultReason::kSecondStageBeyondWidth));
  }
  address_ = format.entry_address(level_, request_.table, request_.iova);
  return read_level();
}

WalkMachine::Need WalkMachine::read_level() {
  ++result_.reads;
  return Need::kRead;
}

WalkMachine::Need WalkMachine::on_read(bool ok, std::uint64_t entry) {
  if (!ok) {
    if (level_ == request_.format->levels) {
      return fail(pick(FaultReason::kFirstStageTopAccess, FaultReason::kSecondStageTopAccess));
    }
    return fail(pick(FaultReason::kFirstStageAccess, FaultReason::kSecondStageAccess));
  }
  entry_ = entry;
  return look();
}

WalkMachine::Need WalkMachine::look() {
  const PageTableFormat& format = *request_.format;
  if (!format.is_present(entry_)) {
    return fail(pick(FaultReason::kFirstStageNotPresent, FaultReason::kSecondStageNotPresent));
  }
  leaf_ = format.is_leaf(level_, entry_);
  if (format.is_reserved(level_, entry_, leaf_)) {
    return fail(pick(FaultReason::kFirstStageReserved, FaultReason::kSecondStageReserved));
  }
  const std::uint64_t granted = leaf_ ? entry_ : entry_ | format.leaf_rights;
  const Rights rights = {result_.read && PageTableFormat::grants(granted, format.read),
                         result_.write && PageTableFormat::grants(granted, format.write),
                         result_.user && PageTableFormat::grants(granted, format.user)};
  // The entry counts once its accessed bit is set; a leaf the request may not use stays as it is.
  std::uint64_t wanted = format.table_accessed;
  if (leaf_) {
    wanted = 0;
    denied_ = check_rights(rights);
    may_write_ = allows_write(rights);
    if (denied_ == FaultReason::kNone) {
      wanted = format.accessed | format.extended_accessed;
      if (request_.is_write && may_write_) {
        wanted |= format.dirty;
      }
    } else if (request_.need_access) {
      keep(rights);
      return fail(denied_);
    }
  }
  if ((entry_ & wanted) != wanted) {
    if (request_.update_ad) {
      return ask_update(wanted);
    }
    if (format.marks_required) {
      return fail(pick(FaultReason::kFirstStageNotPresent, FaultReason::kSecondStageNotPresent));
    }
  }
  keep(rights);
  return leaf_ ? finish() : go_down();
}

WalkMachine::Need WalkMachine::ask_update(std::uint64_t wanted) {
  if (!request_.snooped) {
    return fail(pick(FaultReason::kFirstStageUpdateNotSnooped, FaultReason::kSecondStageUpdateNotSnooped));
  }
  desired_ = entry_ | wanted;
  ++result_.updates;
  return Need::kUpdate;
}

WalkMachine::Need WalkMachine::on_update(bool ok, std::uint64_t seen) {
  if (!ok) {
    return fail(pick(FaultReason::kFirstStageUpdateFailed, FaultReason::kSecondStageUpdateFailed));
  }
  entry_ = seen == entry_ ? desired_ : seen;
  return look();
}

void WalkMachine::keep(const Rights& rights) {
  result_.read = rights.read;
  result_.write = rights.write;
  result_.user = rights.user;
}

WalkMachine::Need WalkMachine::go_down() {
  const PageTableFormat& format = *request_.format;
  const Addr table = format.next_table(entry_);
  --level_;
  if (result_.steps < result_.step.size()) {
    result_.step[result_.steps++] = {table, static_cast<std::uint8_t>(level_), result_.read, result_.write,
                                     result_.user};
  }
  address_ = format.entry_address(level_, table, request_.iova);
  return read_level();
}

WalkMachine::Need WalkMachine::finish() {
  const PageTableFormat& format = *request_.format;
  result_.page = format.page_address(level_, entry_);
  result_.page_shift = static_cast<std::uint8_t>(format.page_shift(level_));
  result_.dirty = format.dirty == 0 || (entry_ & format.dirty) != 0;
  result_.snoop = (entry_ & format.snoop) != 0;
  result_.entry = address_;
  return Need::kDone;
}

bool WalkMachine::allows_user(const Rights& rights) const {
  switch (request_.format->user_rule) {
    case UserRule::kNone:
      return true;
    case UserRule::kBindsUnprivileged:
      return request_.privileged || rights.user;
    case UserRule::kSeparates:
      return request_.privileged ? !rights.user || request_.privileged_user : rights.user;
    case UserRule::kBindsAll:
      break;
  }
  return rights.user;
}

bool WalkMachine::allows_write(const Rights& rights) const {
  return rights.write ||
         (request_.format->privileged_writes && request_.privileged && !request_.write_protect);
}

FaultReason WalkMachine::check_rights(const Rights& rights) const {
  if (request_.format->present_by_rights && !rights.read && !rights.write) {
    return pick(FaultReason::kFirstStageNotPresent, FaultReason::kSecondStageNotPresent);
  }
  if (!allows_user(rights)) {
    return FaultReason::kUserNotAllowed;
  }
  if (request_.is_write && request_.need_access && !allows_write(rights)) {
    return FaultReason::kNoWrite;
  }
  if (request_.is_read && request_.need_access && !rights.read) {
    return FaultReason::kNoRead;
  }
  return FaultReason::kNone;
}

WalkMachine::Need WalkMachine::fail(FaultReason reason) {
  result_.fault = reason;
  result_.fault_level = static_cast<std::uint8_t>(level_);
  result_.entry = result_.reads == 0 ? 0 : address_;
  return Need::kDone;
}

}  // namespace svasim
