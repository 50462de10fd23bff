// A run's results as a page of text.
#pragma once

#include <nlohmann/json.hpp>
#include <ostream>

namespace svasim {

// From the contents of results.json: throughput, latency percentiles, hit rates, where the time of
// an average access went, and the checks that failed.
void print_summary(std::ostream& out, const nlohmann::json& results);

}  // namespace svasim
