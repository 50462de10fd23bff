// What may follow the first words of a statement, and what requests can get.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace svasim {

// name=value, or a name alone.
struct ArgumentRule {
  enum class What { kValue, kFlag, kBytes, kTable, kWord };
  const char* name;
  What what = What::kValue;
  bool required = false;
};
using ArgumentRules = std::vector<ArgumentRule>;
using OutcomeRules = std::map<std::string, ArgumentRules>;

ArgumentRules with(ArgumentRules rules, const ArgumentRules& more);
std::vector<std::string> keys(const OutcomeRules& table);

// Of every request of the device.
const ArgumentRules& request_rules();
const ArgumentRules& fault_rules();
const ArgumentRules& queued_request_rules();
const OutcomeRules& dma_outcomes();
const OutcomeRules& translate_outcomes();
const OutcomeRules& page_request_outcomes();
// Messages to the device.
const OutcomeRules& message_rules();
// The type of a request in a fault record, by {T1, T2}.
const std::vector<std::string>& request_types();

}  // namespace svasim
