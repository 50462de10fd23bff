// Steps that are device operations: memmove, fill, noop.
#include "models/host/steps/step_kind.h"
#include "models/host/thread.h"

namespace svasim {

namespace {

void carry_out(Thread& thread, const StepParams& step) { thread.operate(step); }

void follow(KnownState& known, const StepParams& step, const std::string& device, const StepKind::Bad& bad) {
  if (step.action != "noop") need_mapped(known, step.to, true, "to", bad);
  if (step.action == "memmove") need_mapped(known, step.from, true, "from", bad);
  if (step.error == "none" && known.open.count(device) == 0) bad("device", device + " is not open here");
}

}  // namespace

std::vector<StepKind> operation_steps() {
  using S = StepKind::Subject;
  const std::vector<std::string> common = {"device",         "count",    "outstanding", "batch",
                                           "batch_in_place", "together", "list",        "records",
                                           "time",           "error",    "give_up"};
  const auto with = [&common](std::vector<std::string> keys) {
    keys.insert(keys.begin(), common.begin(), common.end());
    return keys;
  };
  std::vector<StepKind> kinds = {
      {"memmove", "Copies within or between buffers.",
       with({"from", "from_offset", "from_length", "to", "offset", "length", "size", "stride", "order"}),
       S::kBuffer, carry_out, follow},
      {"fill", "Repeats eight bytes.", with({"to", "offset", "length", "size", "stride", "order", "pattern"}),
       S::kBuffer, carry_out, follow},
      {"noop", "Does nothing but write its completion record.", common, S::kDevice, carry_out, follow},
  };
  for (StepKind& kind : kinds) kind.operation = true;
  return kinds;
}

}  // namespace svasim
