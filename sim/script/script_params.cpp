#include "sim/script/script_params.h"

#include <algorithm>
#include <regex>

#include "base/config.h"
#include "base/input_error.h"
#include "base/suggest.h"
#include "sim/script/script_system.h"

namespace svasim {

ScriptParams load_script_params(const std::string& file, const std::vector<ScriptSetting>& settings,
                                std::vector<std::string>& lines) {
  ScriptParams params;
  static const std::vector<std::string> kParts = {"bus", "iommu", "memory", "prq", "walker"};
  for (const ScriptSetting& setting : settings) {
    const std::string part = setting.text.substr(0, setting.text.find_first_of(".="));
    if (std::find(kParts.begin(), kParts.end(), part) == kParts.end()) {
      lines.emplace_back(
          InputError(file, setting.line, "there is no part '" + part + "' to set" + suggestion(part, kParts))
              .what());
      return params;
    }
  }
  Problems problems;
  std::vector<std::string> all = {"memory.size=1 GiB"};  // unless it is set
  for (const ScriptSetting& setting : settings) all.push_back(setting.text);
  const Config config = load_config_text("{}", file, all, problems);
  const auto node = [&](const char* part) {
    const ConfigNode* found = config.root.find(part);
    return found != nullptr ? *found : ConfigNode::map({file, 0, 0}, part);
  };
  params.bus = memory_bus_params().load(node("bus"), problems);
  params.iommu = iommu_params().load(node("iommu"), problems);
  params.memory = memory_params().load(node("memory"), problems);
  params.prq = prq_params().load(node("prq"), problems);
  params.walker = walker_params().load(node("walker"), problems);
  for (const std::string& line : problems.lines()) {
    static const std::regex place("^--set #([0-9]+): ");
    std::smatch match;
    if (!std::regex_search(line, match, place)) {
      lines.push_back(line);
      continue;
    }
    const std::size_t number = std::stoul(match[1]);
    const std::uint64_t at = number >= 2 ? settings[number - 2].line : 0;
    lines.emplace_back(InputError(file, at, match.suffix()).what());
  }
  if (!problems.empty() || settings.empty()) return params;
  // What the addresses of script_system.h and the interrupt range leave room for.
  constexpr std::uint64_t kLeast = ScriptSystem::kData + (std::uint64_t{256} << 20U);
  const MemoryParams& memory = params.memory;
  const Addr registers = params.iommu.register_base;
  const Addr registers_end = registers + IommuParams::kRegisterBytes;
  const auto hits = [&](Addr first, Addr last) { return registers_end > first && registers <= last; };
  if (memory.base != 0 || registers_end < registers || memory.size < kLeast ||
      memory.size > std::min(registers, kInterruptRangeFirst) ||
      hits(kInterruptRangeFirst, kInterruptRangeLast) ||
      hits(ScriptSystem::kRom, ScriptSystem::kRom + ScriptSystem::kRomBytes - 1)) {
    lines.emplace_back(InputError(file, settings.back().line,
                                  "memory begins at 0, has at least 512 MiB and ends below the registers and "
                                  "the interrupt range; registers, interrupt range and rom do not overlap: "
                                  "set memory.base, memory.size and iommu.register_base so")
                           .what());
  }
  return params;
}

}  // namespace svasim
