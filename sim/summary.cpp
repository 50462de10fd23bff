#include "sim/summary.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "sim/text.h"
#include "tlm/attribution.h"

namespace svasim {
namespace {

using Json = nlohmann::json;

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::string words(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

std::vector<std::pair<std::string, const Json*>> select(
    const Json& statistics, const std::function<bool(const std::string&, const Json&)>& want) {
  std::vector<std::pair<std::string, const Json*>> result;
  for (const auto& [path, stat] : statistics.items()) {
    if (want(path, stat)) result.emplace_back(path, &stat);
  }
  return result;
}

void print_throughput(std::ostream& out, const Json& statistics) {
  const auto rates = select(statistics, [](const std::string&, const Json& stat) {
    return stat["unit"] == "bytes/s" && stat["value"].is_number();
  });
  if (rates.empty()) return;
  fmt::print(out, "\nthroughput\n");
  for (const auto& [path, stat] : rates) {
    fmt::print(out, "  {:<34} {:>12}\n", path, show_rate((*stat)["value"].get<double>()));
  }
}

void print_latencies(std::ostream& out, const Json& statistics) {
  const auto histograms = select(statistics, [](const std::string&, const Json& stat) {
    return stat["unit"] == "ps" && stat.contains("p50") && stat["count"] != 0;
  });
  if (histograms.empty()) return;
  fmt::print(out, "\n{:<36} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}\n", "latency", "count", "mean", "p50",
             "p95", "p99", "max");
  for (const auto& [path, stat] : histograms) {
    const auto time = [&s = *stat](const char* field) { return show_time(s[field].get<double>()); };
    fmt::print(out, "  {:<34} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}\n", path,
               show_count((*stat)["count"].get<std::uint64_t>()), time("mean"), time("p50"), time("p95"),
               time("p99"), time("max"));
  }
}

void print_ratios(std::ostream& out, const Json& statistics) {
  const auto ratios = select(statistics, [](const std::string&, const Json& stat) {
    return stat["unit"] == "ratio" && stat["value"].is_number();
  });
  if (ratios.empty()) return;
  fmt::print(out, "\nhit rates and other ratios\n");
  for (const auto& [path, stat] : ratios) {
    fmt::print(out, "  {:<34} {:>10.1f} %\n", path, (*stat)["value"].get<double>() * 100);
  }
}

// Every component with counters NAME.attribution.STAGE, and the number of accesses in NAME.latency.
void print_attribution(std::ostream& out, const Json& statistics) {
  const std::string last = std::string(".attribution.") + stage_name(Stage::kMemory);
  for (const auto& [path, stat] : statistics.items()) {
    if (!ends_with(path, last)) continue;
    const std::string component = path.substr(0, path.size() - last.size());
    // Of a device whose latency is that of whole operations, the parts are those of its accesses.
    auto latency = statistics.find(component + ".access_latency");
    if (latency == statistics.end()) latency = statistics.find(component + ".latency");
    if (latency == statistics.end() || (*latency)["count"] == 0) continue;
    const auto count = (*latency)["count"].get<double>();
    double total = 0;
    std::vector<std::pair<std::string, double>> parts;
    for (std::size_t i = 0; i < kStages; ++i) {
      const std::string stage = stage_name(static_cast<Stage>(i));
      parts.emplace_back(stage, statistics[component + ".attribution." + stage]["value"].get<double>());
      total += parts.back().second;
    }
    if (total == 0) continue;
    fmt::print(out, "\nwhere the time went: {}, {} per access on average\n", component,
               show_time(total / count));
    for (const auto& [stage, time] : parts) {
      if (time == 0) continue;
      const double share = time / total;
      fmt::print(out, "  {:<16} {:>10} {:>6.1f} % {}\n", stage, show_time(time / count), share * 100,
                 std::string(static_cast<std::size_t>(share * 50 + 0.5), '#'));
    }
  }
}

// A replay: what was compared, and the differences that have an explanation, each under its name.
void print_replay(std::ostream& out, const Json& checks) {
  const std::string compared = ".compared";
  const auto line = [&](const std::string& what, const Json& check) {
    const Json& figure = check["figure"];
    fmt::print(out, "  {:<52} {:>12}{}\n", what,
               figure.is_number_unsigned() ? show_count(figure.get<std::uint64_t>()) : figure.dump(),
               check["ok"].get<bool>() ? "" : "  FAILED");
  };
  for (const Json& replay : checks) {
    const std::string replay_name = replay["name"];
    if (!ends_with(replay_name, compared)) continue;
    const std::string prefix = replay_name.substr(0, replay_name.size() - compared.size() + 1);
    fmt::print(out, "\ncompared with the capture: {}\n", prefix.substr(0, prefix.size() - 1));
    line("accesses and faults", replay);
    for (const bool explained : {false, true}) {
      if (explained) fmt::print(out, "differences with an explanation\n");
      for (const Json& check : checks) {
        const std::string name = check["name"];
        if (name.rfind(prefix, 0) != 0) continue;
        const std::string what = name.substr(prefix.size());
        const std::string group = "explained.";
        if (explained && what.rfind(group, 0) == 0) line(words(what.substr(group.size())), check);
        if (!explained && (ends_with(what, "_mismatches") || ends_with(what, "_resolved"))) {
          line(words(what), check);
        }
      }
    }
  }
}

// The first uses of translations that the tables no longer held.
void print_stale_uses(std::ostream& out, const Json& results) {
  const auto found = results.find("stale_uses");
  if (found == results.end()) return;
  const Json& statistics = results["statistics"];
  const auto value = [&](const std::string& name) {
    return statistics["stale_uses." + name]["value"].get<std::uint64_t>();
  };
  fmt::print(out, "\nuses of translations compared with the tables: {}\n", show_count(value("checked")));
  const auto line = [&](const std::string& what, std::uint64_t count) {
    fmt::print(out, "  {:<52} {:>12}\n", what, show_count(count));
  };
  line("after their invalidation was complete (errors)", value("errors"));
  for (const char* from : {"walk", "iotlb", "atc"}) {
    for (const char* access : {"reads", "writes"}) {
      const std::string name = std::string(from) + "_" + access;
      if (const std::uint64_t count = value("exposed." + name)) line("exposed: " + words(name), count);
    }
  }
  if (const std::uint64_t pages = value("exposed.pages")) {
    line("pages with such uses", pages);
    line("uses of pages that others have used since", value("exposed.reused"));
    const Json& age = statistics["stale_uses.exposed.age"];
    if (age["count"] != 0) {
      fmt::print(out, "  {:<52} {:>12}\n", "longest exposure seen", show_time(age["max"].get<double>()));
    }
  }
  for (const char* kind : {"errors", "exposed"}) {
    for (const Json& use : (*found)[kind]) fmt::print(out, "  {}\n", use["text"].get<std::string>());
  }
}

void print_checks(std::ostream& out, const Json& results) {
  std::size_t failed = 0;
  for (const Json& check : results["checks"]) failed += !check["ok"].get<bool>();
  if (failed == 0) {
    fmt::print(out, "\nchecks: all {} ok\n", results["checks"].size());
    return;
  }
  fmt::print(out, "\nchecks: {} of {} FAILED\n", failed, results["checks"].size());
  for (const Json& check : results["checks"]) {
    if (check["ok"].get<bool>()) continue;
    fmt::print(out, "  {}: {}, expected {}\n", check["name"].get<std::string>(), check["figure"].dump(),
               check["expected"].get<std::string>());
  }
}

}  // namespace

void print_summary(std::ostream& out, const Json& results) {
  const Json& end = results["end"];
  const Json& statistics = results["statistics"];
  const std::string description = results["configuration"].value("description", "");
  if (!description.empty()) fmt::print(out, "{}\n", description);
  fmt::print(out, "{} after {} of simulated time, {} timing, seed {}\n", end["reason"].get<std::string>(),
             show_time(end["time_ps"].get<double>()),
             results["configuration"]["sim"]["timing"].get<std::string>(),
             results["seed"].get<std::uint64_t>());
  for (const Json& line : end["in_flight"]) fmt::print(out, "  in flight: {}\n", line.get<std::string>());
  print_throughput(out, statistics);
  print_latencies(out, statistics);
  print_ratios(out, statistics);
  print_attribution(out, statistics);
  print_replay(out, results["checks"]);
  print_stale_uses(out, results);
  if (!results["notes"].empty()) fmt::print(out, "\n");
  for (const Json& note : results["notes"]) fmt::print(out, "{}\n", note.get<std::string>());
  for (const Json& warning : results["warnings"])
    fmt::print(out, "warning: {}\n", warning.get<std::string>());
  print_checks(out, results);
}

}  // namespace svasim
