#include "models/walker/page_walk.h"

#include <algorithm>

namespace svasim {

namespace {

Addr join(Addr page, unsigned page_shift, Addr address) {
  return page | (address & ((Addr{1} << page_shift) - 1));
}

}  // namespace

PageWalk::Need PageWalk::start_nested(const WalkRequest& request) {
  result_ = WalkResult();
  page_known_ = false;
  found_steps_ = 0;
  entry_host_ = 0;
  snooped_ = request.snooped;
  WalkRequest first = request;
  first.snooped = true;  // judged here, when it is known what is due
  const Need need = first_.start(first);
  if (need == Need::kRead && request.nested.table_known) {
    entry_host_ = first_.address();
    table_writable_[first_.level()] = request.nested.table_writable;
    return ask(Need::kRead);
  }
  return first_needs(need);
}

PageWalk::Need PageWalk::nested_read(bool ok, std::uint64_t entry) {
  return in_second_ ? second_needs(second_.on_read(ok, entry)) : first_needs(first_.on_read(ok, entry));
}

PageWalk::Need PageWalk::nested_update(bool ok, std::uint64_t seen) {
  return in_second_ ? second_needs(second_.on_update(ok, seen)) : first_needs(first_.on_update(ok, seen));
}

PageWalk::Need PageWalk::ask(Need need) {
  ++(need == Need::kRead ? result_.reads : result_.updates);
  return need;
}

PageWalk::Need PageWalk::first_needs(Need need) {
  if (need == Need::kRead) {
    return translate(first_.address(), false);
  }
  if (need == Need::kDone) {
    const WalkResult& first = first_.result();
    return first.fault != FaultReason::kNone ? finish(first.fault, first.fault_level) : at_leaf(false);
  }
  return first_.at_leaf() ? at_leaf(true) : update(first_.desired());
}

// SPEC: [VTD 3.8, 7.1.3 SFS.8]
PageWalk::Need PageWalk::update(std::uint64_t desired) {
  const unsigned level = first_.level();
  if (!table_writable_[level]) {
    return finish(FaultReason::kNestedAccessedDirtyNoWrite, level);
  }
  if (!snooped_) {
    return finish(FaultReason::kFirstStageUpdateNotSnooped, level);
  }
  desired_ = desired;
  return ask(Need::kUpdate);
}

// WHY the page before the leaf's update: D is set only where both stages allow the write.
PageWalk::Need PageWalk::at_leaf(bool update_due) {
  // A request without any right ends here, as one that must have it does.
  if (first_.denied() != FaultReason::kNone) {
    return finish(first_.denied(), first_.level());
  }
  update_due_ = update_due;
  const Addr guest = first_.mapped();
  const bool written = first_.request().is_write && first_.may_write();
  if (page_known_ && guest == guest_ && written == page_written_) {
    return at_page();
  }
  page_written_ = written;
  return translate(guest, true);
}

PageWalk::Need PageWalk::translate(Addr guest, bool is_page) {
  const WalkRequest& request = first_.request();
  guest_ = guest;
  for_page_ = is_page;
  page_known_ = false;
  if ((guest >> request.nested.input_bits) != 0) {
    return finish(FaultReason::kNestedBeyondWidth, first_.level());
  }
  return request.nested.cached ? Need::kLookUp : walk_second({});
}

PageWalk::Need PageWalk::on_table(const WalkResult::Step& start) {
  found_steps_ = 0;
  return walk_second(start);
}

PageWalk::Need PageWalk::walk_second(const WalkResult::Step& start) {
  const WalkRequest& request = first_.request();
  const bool is_page = for_page_;
  WalkRequest second;
  second.format = request.nested.format;
  second.level = second.format->levels;
  second.table = request.nested.root;
  if (start.level != 0) {
    second.level = start.level;
    second.table = start.table;
    second.upper_read = start.read;
    second.upper_write = start.write;
  }
  second.iova = guest_;
  // SPEC: [VTD 3.8] with SSADE a table of the first stage has to be writable, whatever is done to it.
  second.is_read = is_page ? request.is_read : true;
  second.is_write = is_page ? page_written_ : request.nested.update_ad;
  second.need_access = is_page ? request.need_access : true;
  second.update_ad = request.nested.update_ad;
  second.snooped = snooped_;
  in_second_ = true;
  return second_needs(second_.start(second));
}

PageWalk::Need PageWalk::second_needs(Need need) {
  if (need != Need::kDone) {
    return ask(need);
  }
  in_second_ = false;
  const WalkResult& second = second_.result();
  const unsigned level = first_.level();
  if (second.fault != FaultReason::kNone) {
    FaultReason fault = second.fault;
    if (!for_page_ && fault == FaultReason::kNoRead) {
      const bool top = level == first_.request().format->levels;
      fault = top ? FaultReason::kNestedTopNoRead : FaultReason::kNestedEntryNoRead;
    } else if (!for_page_ && fault == FaultReason::kNoWrite) {
      fault = FaultReason::kNestedAccessedDirtyNoWrite;
    }
    return finish(fault, second.fault_level, second.entry, true);
  }
  found_guest_ = guest_;
  found_steps_ = second.read || second.write ? second.steps : 0;
  if (for_page_) {
    page_ = second;
    page_known_ = true;
    return at_page();
  }
  entry_host_ = join(second.page, second.page_shift, guest_);
  table_host_[level] = entry_host_ & ~(kPageSize - 1);
  table_writable_[level] = second.write;
  return ask(Need::kRead);
}

PageWalk::Need PageWalk::at_page() {
  if (!page_.read && !first_.may_write()) {
    page_.write = false;
  }
  // Nothing is marked for a request without any right.
  if (!update_due_ || (!page_.read && !page_.write)) {
    return finish(FaultReason::kNone, 0);
  }
  const std::uint64_t dirty = page_.write ? 0 : first_.request().format->dirty;
  const std::uint64_t desired = (first_.desired() & ~dirty) | first_.expected();
  if (desired != first_.expected()) {
    return update(desired);
  }
  // Only D was missing.
  update_due_ = false;
  return first_needs(first_.on_update(true, first_.desired()));
}

PageWalk::Need PageWalk::finish(FaultReason fault, unsigned level) {
  return finish(fault, level, entry_host_, false);
}

PageWalk::Need PageWalk::finish(FaultReason fault, unsigned level, Addr entry, bool nested) {
  const WalkResult& first = first_.result();
  result_.fault = fault;
  result_.entry = entry;
  result_.entry_nested = nested;
  if (fault != FaultReason::kNone) {
    result_.fault_level = static_cast<std::uint8_t>(level);
    return Need::kDone;
  }
  const unsigned shift =
      std::min<unsigned>(first_.request().format->page_shift(first_.level()), page_.page_shift);
  result_.page = join(page_.page, page_.page_shift, guest_) >> shift << shift;
  result_.page_shift = static_cast<std::uint8_t>(shift);
  result_.read = first.read && page_.read;
  result_.write = first.write;
  result_.user = first.user;
  result_.second_write = page_.write;
  result_.dirty = first.dirty && page_.dirty;
  result_.snoop = page_.snoop;
  result_.steps = first.steps;
  result_.step = first.step;
  for (unsigned i = 0; i < result_.steps; ++i) {
    WalkResult::Step& step = result_.step[i];
    step.table = table_host_[step.level];
    step.writable = table_writable_[step.level];
  }
  return Need::kDone;
}

}  // namespace svasim
