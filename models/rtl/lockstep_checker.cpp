#include "models/rtl/lockstep_checker.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "models/formats/page_table_format.h"
#include "models/rtl/rtl_format.h"

namespace svasim {

namespace {

RtlWalkerCore::Options core_options(const std::string& waves_file) {
  RtlWalkerCore::Options options;
  options.waves = waves_file;
  return options;
}

std::string text(const WalkRequest& walk) {
  return fmt::format("walk {} of {:#x} ({}{}{}{}{}{}) from level {} table {:#x}", walk.id, walk.iova,
                     walk.is_write ? "write" : "read", walk.privileged ? ", privileged" : "",
                     walk.write_protect ? ", WPE" : "", walk.need_access ? "" : ", rights only",
                     walk.update_ad ? "" : ", no A/D", walk.snooped ? "" : ", not snooped", walk.level,
                     walk.table);
}

std::string text(const WalkResult& result) {
  return fmt::format(
      "fault {:#x} level {} page {:#x} shift {} rights {}{}{} dirty {} reads {} updates {} steps {}",
      static_cast<unsigned>(result.fault), result.fault_level, result.page, result.page_shift,
      result.read ? "R" : "-", result.write ? "W" : "-", result.user ? "U" : "-", result.dirty, result.reads,
      result.updates, result.steps);
}

std::string text(const WalkAccess& access) {
  return access.update ? fmt::format("update {:#x} from {:#x} to {:#x}", access.address, access.expected,
                                     access.desired)
                       : fmt::format("read {:#x}", access.address);
}

// Whether the rights of a result mean something: with other faults nobody looks at them.
bool has_rights(FaultReason fault) {
  return fault == FaultReason::kNone || fault == FaultReason::kUserNotAllowed ||
         fault == FaultReason::kNoWrite;
}

bool same_steps(const WalkResult& a, const WalkResult& b) {
  if (a.steps != b.steps) return false;
  for (unsigned i = 0; i < a.steps; ++i) {
    const WalkResult::Step& x = a.step[i];
    const WalkResult::Step& y = b.step[i];
    if (x.table != y.table || x.level != y.level || x.read != y.read || x.write != y.write ||
        x.user != y.user) {
      return false;
    }
  }
  return true;
}

bool same(const WalkResult& a, const WalkResult& b) {
  const bool rights = !has_rights(a.fault) || (a.read == b.read && a.write == b.write && a.user == b.user);
  return rights && a.fault == b.fault && a.fault_level == b.fault_level && a.page == b.page &&
         a.page_shift == b.page_shift && a.dirty == b.dirty && a.reads == b.reads && a.updates == b.updates &&
         same_steps(a, b);
}

}  // namespace

LockstepChecker::LockstepChecker(std::string name, unsigned slots, Ps clock, const std::string& waves_file)
    : name_(std::move(name)), clock_(clock), core_(core_options(waves_file)), records_(slots) {
  // Four reads and as many updates, and room for entries that change meanwhile.
  for (Record& record : records_) record.accesses.reserve(16);
}

void LockstepChecker::describe(StatRegistry& registry) const {
  stats_.describe(registry, name_ + ".lockstep");
  describe_rtl_cycles(core_, registry, name_ + ".lockstep");
}

void LockstepChecker::walk_started(unsigned slot, const WalkRequest& request, Ps when) {
  Record& record = records_[slot];
  record.request = request;
  record.started = when;
  record.accesses.clear();
}

void LockstepChecker::walk_accessed(unsigned slot, const WalkAccess& access) {
  records_[slot].accesses.push_back(access);
}

void LockstepChecker::walk_finished(unsigned slot, const WalkResult& result, Ps /*when*/) {
  const Record& record = records_[slot];
  if (!rtl_covers(record.request)) {
    stats_.uncovered.add();
    return;
  }
  stats_.compared.add();
  const std::string difference = compare(record, result);
  if (difference.empty()) return;
  stats_.mismatches.add();
  if (described_.size() < kMaxDescribed) {
    described_.push_back(
        fmt::format("lockstep mismatch at {} ps: {}: {}", record.started, text(record.request), difference));
    spdlog::error("{}: {}", name_, described_.back());
  }
}

std::string LockstepChecker::compare(const Record& record, const WalkResult& result) {
  const std::string difference = replay(record);
  const WalkResult rtl = to_walk_result(record.request, core_.result());
  if (difference.empty() && same(result, rtl)) return {};
  return fmt::format("{}model: {}; rtl: {}", difference.empty() ? "" : difference + "; ", text(result),
                     text(rtl));
}

std::string LockstepChecker::replay(const Record& record) {
  // One core repeats walks that overlapped, so its time is that of the walk or later.
  edge_ = std::max((record.started + clock_ - 1) / clock_ * clock_, edge_ + clock_);
  const Ps taken = edge_;
  core_.start(to_rtl_request(record.request));
  std::string difference;
  std::size_t number = 0;
  for (;;) {
    const RtlWalkerCore::Event event = core_.run(edge_, clock_);
    if (event == RtlWalkerCore::Event::kResult) break;
    const std::string bad = answer(record, number++, event);
    if (difference.empty()) difference = bad;
  }
  stats_.cycles.record((edge_ - taken) / clock_);
  if (difference.empty() && number < record.accesses.size()) {
    difference = fmt::format("rtl stopped before access {}: {}", number, text(record.accesses[number]));
  }
  return difference;
}

std::string LockstepChecker::answer(const Record& record, std::size_t number, RtlWalkerCore::Event event) {
  WalkAccess rtl;
  rtl.update = event == RtlWalkerCore::Event::kUpdate;
  rtl.address = rtl.update ? core_.update().address : core_.read_address();
  rtl.expected = core_.update().old_value;
  rtl.desired = core_.update().new_value;

  const WalkAccess* model = number < record.accesses.size() ? &record.accesses[number] : nullptr;
  const bool agrees = model != nullptr && model->update == rtl.update && model->address == rtl.address &&
                      (!rtl.update || (model->expected == rtl.expected && model->desired == rtl.desired));
  // An answer for the wrong question would only make more differences: an error ends the walk.
  wait(agrees ? model->answered - model->left : 0);
  const bool error = !agrees || !model->ok;
  const std::uint64_t value = agrees ? model->value : 0;
  if (rtl.update) {
    core_.answer_update(value, error);
  } else {
    core_.answer_read(value, error);
  }
  if (agrees) return {};
  return fmt::format("access {}: model {}, rtl {}", number, model == nullptr ? "none" : text(*model),
                     text(rtl));
}

// The answer is seen by the first edge at or after it, at the earliest by the next one.
void LockstepChecker::wait(Ps latency) {
  const Ps cycles = std::max<Ps>((latency + clock_ - 1) / clock_, 1);
  core_.skip(cycles - 1);
  edge_ += cycles * clock_;
}

}  // namespace svasim
