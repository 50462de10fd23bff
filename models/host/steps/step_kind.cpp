#include "models/host/steps/step_kind.h"

#include <algorithm>

#include "base/check.h"

namespace svasim {

const std::vector<StepKind>& step_kinds() {
  static const std::vector<StepKind> kinds = [] {
    std::vector<StepKind> all;
    for (const auto rows : {operation_steps, memory_steps, device_steps, dma_steps, user_device_steps,
                            flow_steps, guest_steps}) {
      for (StepKind& kind : rows()) all.push_back(std::move(kind));
    }
    return all;
  }();
  return kinds;
}

std::vector<std::string> step_names() {
  std::vector<std::string> names;
  for (const StepKind& kind : step_kinds()) names.push_back(kind.name);
  return names;
}

const StepKind& kind_of(const StepParams& step) {
  const std::vector<StepKind>& kinds = step_kinds();
  const auto found = std::find_if(kinds.begin(), kinds.end(),
                                  [&step](const StepKind& kind) { return kind.name == step.action; });
  SVASIM_CHECK(found != kinds.end(), "there is no kind of step " + step.action);
  return *found;
}

bool StepKind::uses(const std::string& key) const {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

void need_mapped(const KnownState& known, const std::string& buffer, bool mapped, const char* key,
                 const StepKind::Bad& bad) {
  const auto found = known.mapped.find(buffer);
  if (found != known.mapped.end() && found->second != mapped) {
    bad(key, "buffer \"" + buffer + "\" is " + (mapped ? "not mapped" : "mapped already"));
  }
}

}  // namespace svasim
