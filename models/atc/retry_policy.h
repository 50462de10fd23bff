// How long an access waits before it translates again after a page group response with Success.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/types.h"

namespace svasim {

struct RetryPolicy {
  std::string_view name;
  // The wait before retry number `retry`, from 1, with the parameter retry_delay.
  Ps (*wait)(Ps delay, unsigned retry);
};

// WHY the first one at once: the page is normally there.
inline constexpr std::array<RetryPolicy, 4> kRetryPolicies{{
    {"exponential",
     [](Ps delay, unsigned retry) { return retry < 2 ? 0 : delay << std::min(retry - 2, 10U); }},
    {"linear", [](Ps delay, unsigned retry) { return delay * (retry - 1); }},
    {"fixed", [](Ps delay, unsigned retry) { return retry < 2 ? 0 : delay; }},
    {"immediate", [](Ps, unsigned) { return Ps{0}; }},
}};

inline std::vector<std::string> retry_policy_names() {
  std::vector<std::string> names;
  for (const RetryPolicy& policy : kRetryPolicies) names.emplace_back(policy.name);
  return names;
}

inline const RetryPolicy& retry_policy(std::string_view name) {
  const auto* found = std::find_if(kRetryPolicies.begin(), kRetryPolicies.end(),
                                   [name](const RetryPolicy& policy) { return policy.name == name; });
  SVASIM_CHECK(found != kRetryPolicies.end(), "no such retry policy");
  return *found;
}

}  // namespace svasim
