#include "sim/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <systemc>

#include "base/units.h"
#include "sim/stat_checks.h"
#include "tlm/time.h"

namespace svasim {
namespace {

constexpr std::size_t kMostInFlightLines = 200;

// The report handler is a plain function; there is one simulation per process.
Simulation* the_simulation = nullptr;

}  // namespace

const char* RunEnd::name() const {
  switch (reason) {
    case Reason::kComplete:
      return "complete";
    case Reason::kMaxTime:
      return "max_time";
    case Reason::kStarved:
      return "starved";
    case Reason::kHang:
      return "hang";
    case Reason::kNotDrained:
      return "not_drained";
  }
  return "?";
}

std::string RunEnd::sentence() const {
  switch (reason) {
    case Reason::kComplete:
      return "complete";
    case Reason::kMaxTime:
      return "stopped at sim.max_time";
    case Reason::kStarved:
      return "nothing left to happen, but the workload is not done";
    case Reason::kHang:
      return "hang: no progress within sim.watchdog";
    case Reason::kNotDrained:
      return "the workload is done, but requests never end";
  }
  return "?";
}

Simulation::Simulation(SystemConfig config, const std::string& output)
    : config_(std::move(config)),
      context_{config_.sim.seed, config_.sim.timing == "loose" ? Timing::kLoose : Timing::kApproximate, pool_,
               stats_, output} {
  SVASIM_CHECK(the_simulation == nullptr, "one simulation per process");
  the_simulation = this;
  SVASIM_CHECK(sc_core::sc_time(1, sc_core::SC_PS).value() == 1, "the time resolution is 1 ps");
  sc_core::sc_report_handler::set_handler([](const sc_core::sc_report& report, const sc_core::sc_actions&) {
    if (report.get_severity() == sc_core::SC_INFO) return;
    const std::string text = fmt::format("{}: {}", report.get_msg_type(), report.get_msg());
    if (report.get_severity() == sc_core::SC_WARNING) {
      the_simulation->warnings_.push_back(text);
      return;
    }
    // WHY: the kernel turns an exception of a process into a report while it is being handled; this
    // is the last place that sees it as what it was.
    if (!the_simulation->thrown_) the_simulation->thrown_ = std::current_exception();
    throw sc_core::sc_report(report);
  });

  if (config_.sim.stale_use_checks) {
    stale_uses_ = std::make_unique<StaleUseDetector>(kStaleUses, context_, config_.sim.stale_uses_listed);
    context_.monitor = stale_uses_.get();
  }
  std::vector<ConfiguredPart*> order;
  for (ConfiguredPart& part : config_.parts) {
    order.push_back(&part);
    components_[part.name] = part.component.get();
  }
  for (const auto& [name, component] : components_) {
    for (const Claim& claim : component->claims()) plan_.add(name, claim);
  }
  if (config_.sim.construction == "reversed") std::reverse(order.begin(), order.end());
  for (ConfiguredPart* part : order) part->component->construct(part->name, context_, plan_);
  binder_ = std::make_unique<Binder>(components_, plan_, config_.sim.protocol_checks);
  if (stale_uses_ != nullptr) watch_pages();
  for (const auto& [name, component] : components_) component->bind(*binder_);
  for (const auto& [name, component] : components_) {
    if (stale_uses_ != nullptr) component->watch_uses(*binder_, *stale_uses_);
    component->start(*binder_);
  }
}

Simulation::~Simulation() {
  sc_core::sc_report_handler::set_handler(nullptr);
  the_simulation = nullptr;
}

void Simulation::watch_pages() {
  std::vector<PageLife> owners;
  for (const auto& [name, component] : components_) {
    if (const PageLife life = component->page_life(); life != nullptr) owners.push_back(life);
  }
  const auto life = [owners](Addr page) -> std::optional<std::uint64_t> {
    for (const PageLife& owner : owners) {
      if (const auto known = owner(page)) return known;
    }
    return std::nullopt;
  };
  if (owners.empty()) return;
  stale_uses_->watch_pages(life);
  binder_->watch_pages(life);
}

Progress Simulation::progress() const {
  Progress sum;
  for (const auto& [name, component] : components_) {
    if (const auto progress = component->progress()) {
      sum.done += progress->done;
      sum.total += progress->total;
      sum.asleep_until = std::max(sum.asleep_until, progress->asleep_until);
    }
  }
  return sum;
}

bool Simulation::finished() const {
  return std::all_of(components_.begin(), components_.end(), [](const auto& entry) {
    const auto progress = entry.second->progress();
    return !progress || progress->done >= progress->total;
  });
}

bool Simulation::expects(const std::string& statistic) const {
  return std::any_of(components_.begin(), components_.end(), [&statistic](const auto& entry) {
    const std::vector<StatisticUse> uses = entry.second->statistics_used();
    return std::any_of(uses.begin(), uses.end(),
                       [&statistic](const StatisticUse& use) { return use.statistic == statistic; });
  });
}

std::uint64_t Simulation::in_flight() const {
  std::uint64_t sum = 0;
  for (const auto& [name, component] : components_) {
    if (const Inspectable* inspectable = component->inspectable()) sum += inspectable->in_flight();
  }
  return sum;
}

bool Simulation::quiet() const { return pool_.live() == 0 && in_flight() == 0; }

std::vector<std::string> Simulation::describe_in_flight() const {
  std::ostringstream text;
  for (const auto& [name, component] : components_) {
    if (const Inspectable* inspectable = component->inspectable()) inspectable->dump_in_flight(text);
  }
  std::istringstream stream(text.str());
  std::vector<std::string> lines;
  std::uint64_t dropped = 0;
  for (std::string line; std::getline(stream, line);) {
    if (lines.size() < kMostInFlightLines) {
      lines.push_back(line);
    } else {
      ++dropped;
    }
  }
  if (dropped != 0) lines.push_back(fmt::format("and {} more", dropped));
  return lines;
}

void Simulation::start_kernel(Ps duration) {
  try {
    sc_core::sc_start(to_sc(duration), sc_core::SC_EXIT_ON_STARVATION);
  } catch (const sc_core::sc_report&) {
    if (thrown_) std::rethrow_exception(thrown_);
    throw;
  }
}

// Whatever decides about the end is looked at only when nothing can happen any more or at multiples
// of the watchdog period, so the end does not depend on how the host slices the run.
RunEnd::Reason Simulation::run_to_end(ProgressBar* bar, const std::function<void()>& look_up) {
  const SimParams& sim = config_.sim;
  Slicer slicer;
  std::uint64_t watched_progress = 0;
  bool draining = false;
  warm_ = sim.warmup == 0;
  Ps next_watch = sim.watchdog;
  bool elaborated = false;
  for (;;) {
    const Ps now = now_ps();
    const Ps stop = std::min({sim.max_time, next_watch, warm_ ? kNever : sim.warmup});
    // WHY: the kernel warns of a call in which nothing happens, so a slice reaches the next event.
    const Ps next = elaborated ? now + sc_core::sc_time_to_pending_activity().value() : now;
    Ps slice_end = stop;
    if (next <= stop) {
      slice_end = std::min(stop, std::max(next, now + slicer.slice()));
      slicer.run([&] { start_kernel(slice_end - now); });
      elaborated = true;
      if (bar != nullptr) bar->update(now_ps(), progress());
      if (look_up) look_up();
      if (!sc_core::sc_pending_activity()) {
        if (!finished()) return RunEnd::Reason::kStarved;
        return quiet() ? RunEnd::Reason::kComplete : RunEnd::Reason::kNotDrained;
      }
    }
    if (slice_end < stop) continue;
    if (stop == sim.warmup && !warm_) {
      stats_.snapshot(stop);
      warm_ = true;
    }
    if (stop == sim.max_time) return RunEnd::Reason::kMaxTime;
    if (stop == next_watch) {
      next_watch += sim.watchdog;
      if (finished()) {
        if (quiet()) return RunEnd::Reason::kComplete;
        if (draining) return RunEnd::Reason::kNotDrained;
        draining = true;
      } else {
        const Progress now_done = progress();
        if (now_done.done == watched_progress && now_done.asleep_until <= stop) return RunEnd::Reason::kHang;
        watched_progress = now_done.done;
      }
    }
  }
}

void Simulation::run(ProgressBar* bar, const std::function<void()>& look_up) {
  end_.reason = run_to_end(bar, look_up);
  if (bar != nullptr) bar->finish();
  // The kernel stands at its last event.
  end_.time = end_.reason == RunEnd::Reason::kMaxTime ? config_.sim.max_time : now_ps();
  if (end_.reason == RunEnd::Reason::kComplete) {
    end_.time = 0;
    for (const auto& [name, component] : components_)
      end_.time = std::max(end_.time, component->finished_at());
  }
  if (!end_.ok()) end_.in_flight = describe_in_flight();
  judge();
}

void Simulation::judge() {
  checks_.add("run.end", end_.ok(), end_.name(), "complete or max_time");
  if (end_.reason == RunEnd::Reason::kComplete) {
    checks_.none("run.in_flight", in_flight());
    checks_.none("run.payloads_not_freed", pool_.live());
  }
  checks_.none("run.systemc_warnings", warnings_.size());
  for (ProtocolChecker* checker : binder_->checkers()) {
    if (end_.reason == RunEnd::Reason::kComplete) checker->finish();
    checks_.none("protocol." + checker->violations().checker(), checker->violations().count());
  }
  if (stale_uses_ != nullptr && !expects("stale_uses.errors")) {
    checks_.none("stale_uses", stale_uses_->stats().errors.value);
  }
  for (const auto& [name, component] : components_) {
    component->add_checks(name, checks_);
    for (const std::string& note : component->notes()) notes_.push_back(name + ": " + note);
  }
  if (!warm_) {
    notes_.push_back("the run ended within sim.warmup, " + format_time(config_.sim.warmup) +
                     ": the statistics are those of all of it");
  }
  add_stat_checks(config_, stats_.to_json(end_.time), checks_);
}

}  // namespace svasim
