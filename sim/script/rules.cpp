#include "sim/script/rules.h"

namespace svasim {

namespace {
using W = ArgumentRule::What;
}  // namespace

ArgumentRules with(ArgumentRules rules, const ArgumentRules& more) {
  rules.insert(rules.end(), more.begin(), more.end());
  return rules;
}

std::vector<std::string> keys(const OutcomeRules& table) {
  std::vector<std::string> names;
  names.reserve(table.size());
  for (const auto& [name, rules] : table) names.push_back(name);
  return names;
}

const ArgumentRules& request_rules() {
  static const ArgumentRules rules = {
      {"bdf", W::kValue, true}, {"addr", W::kValue, true}, {"pasid"}, {"priv", W::kFlag}, {"exec", W::kFlag}};
  return rules;
}

const ArgumentRules& fault_rules() {
  static const ArgumentRules rules = {
      {"code", W::kValue, true}, {"addr"},         {"bdf"},  {"pasid"}, {"no-pasid", W::kFlag},
      {"type", W::kWord},        {"at", W::kWord}, {"priv"}, {"exec"},  {"index"}};
  return rules;
}

const ArgumentRules& queued_request_rules() {
  static const ArgumentRules rules = {
      {"bdf"},  {"pasid"}, {"no-pasid", W::kFlag}, {"addr"}, {"read"}, {"write"}, {"last"}, {"priv"},
      {"exec"}, {"prgi"}};
  return rules;
}

const OutcomeRules& dma_outcomes() {
  static const OutcomeRules table = {{"ok", {{"pa"}, {"data", W::kBytes}}}, {"ur", {}}, {"ca", {}}};
  return table;
}

const OutcomeRules& translate_outcomes() {
  static const OutcomeRules table = {
      {"ok", {{"R"}, {"W"}, {"U"}, {"N"}, {"PRIV"}, {"EXE"}, {"GLOBAL"}, {"size"}, {"pa"}, {"count"}}},
      {"no-rights", {{"PRIV"}}},
      {"ur", {}},
      {"ca", {}}};
  return table;
}

const OutcomeRules& page_request_outcomes() {
  static const OutcomeRules table = {
      {"queued", {}}, {"response", {{"code", W::kValue, true}}}, {"nothing", {}}, {"ur", {}}};
  return table;
}

const OutcomeRules& message_rules() {
  static const ArgumentRules common = {{"bdf"}, {"pasid"}, {"no-pasid", W::kFlag}};
  static const OutcomeRules table = {
      {"invalidate", with(common, {{"itag"}, {"addr"}, {"size"}, {"all", W::kFlag}, {"global"}, {"body"}})},
      {"response", with(common, {{"code"}, {"prgi"}})}};
  return table;
}

const std::vector<std::string>& request_types() {
  static const std::vector<std::string> words = {"write", "page-request", "read", "atomic"};
  return words;
}

}  // namespace svasim
