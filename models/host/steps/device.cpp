// Steps of devices: work queues, bonds, features.
#include "models/host/process.h"
#include "models/host/steps/step_kind.h"
#include "models/host/thread.h"

namespace svasim {

namespace {

void note(Thread& thread, SvaCore::Handle bond) {
  if (bond == nullptr) return;
  thread.result().users = bond->users;
  thread.result().pasid = bond->space->pasid.has_value() ? bond->space->pasid->value() : 0;
}

void open(Thread& thread, const StepParams& step) {
  Opening& opening = thread.process().opening(thread.device_of(step));
  thread.kernel().open(thread.process(), opening, [&thread, &opening](Errno error) {
    note(thread, opening.bond);
    if (opening.pasid.has_value()) thread.result().pasid = opening.pasid->value();
    thread.end(error);
  });
}

void close(Thread& thread, const StepParams& step) {
  Opening* opening = thread.process().find_opening(thread.device_of(step));
  if (opening == nullptr) {
    return thread.end(Errno::kInvalid);
  }
  thread.kernel().close(thread.process(), *opening, [&thread](Errno error) { thread.end(error); });
}

void bind(Thread& thread, const StepParams& step) {
  const std::string device = thread.device_of(step);
  thread.kernel().bind(thread.process(), device, [&thread](Errno error, SvaCore::Handle handle) {
    note(thread, handle);
    thread.end(error);
  });
}

void unbind(Thread& thread, const StepParams& step) {
  std::vector<SvaCore::Handle>& handles = thread.process().binds()[thread.device_of(step)];
  if (handles.empty()) {
    return thread.end(Errno::kInvalid);
  }
  const SvaCore::Handle handle = handles.back();
  handles.pop_back();
  thread.result().users = handle->users - 1;
  thread.kernel().unbind(thread.process(), handle, [&thread] { thread.end(); });
}

void set_feature(Thread& thread, const StepParams& step) {
  const SvaFeature feature = step.feature == "sva" ? SvaFeature::kSva : SvaFeature::kIopf;
  thread.kernel().set_feature(thread.device_of(step), feature, step.action == "enable",
                              [&thread](Errno error) { thread.end(error); });
}

// --- what is known before the run ---

void follow_open(KnownState& known, const StepParams& step, const std::string& device,
                 const StepKind::Bad& bad) {
  if (step.error != "none") return;
  if (!known.open.insert(device).second) bad("device", device + " is open already");
}

void follow_close(KnownState& known, const StepParams& step, const std::string& device,
                  const StepKind::Bad& bad) {
  if (known.open.count(device) == 0) bad("device", device + " is not open here");
  if (step.error == "none") known.open.erase(device);
}

void follow_bind(KnownState& known, const StepParams& step, const std::string& device, const StepKind::Bad&) {
  if (step.error == "none") ++known.binds[device];
}

void follow_unbind(KnownState& known, const StepParams& step, const std::string& device,
                   const StepKind::Bad& bad) {
  unsigned& binds = known.binds[device];
  if (binds == 0) bad("device", device + " is not bound here");
  if (step.error == "none" && binds != 0) --binds;
}

}  // namespace

std::vector<StepKind> device_steps() {
  using S = StepKind::Subject;
  return {
      {"open",
       "Opens a work queue of a device, which binds the address space.",
       {"device", "error"},
       S::kDevice,
       open,
       follow_open},
      {"close", "Closes it, which unbinds.", {"device", "error"}, S::kDevice, close, follow_close},
      {"bind",
       "Binds the address space alone, as a driver may.",
       {"device", "error"},
       S::kDevice,
       bind,
       follow_bind},
      {"unbind", "Undoes one bind.", {"device", "error"}, S::kDevice, unbind, follow_unbind},
      {"enable", "Enables a feature of a device.", {"device", "feature", "error"}, S::kDevice, set_feature},
      {"disable", "Disables it.", {"device", "feature", "error"}, S::kDevice, set_feature},
  };
}

}  // namespace svasim
