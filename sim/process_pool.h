// Runs pieces of work in processes of their own, some at a time.
#pragma once

#include <functional>
#include <vector>

namespace svasim {

// Forks a process for each piece of work, at most `jobs` at a time; a piece returns its exit code. Returns
// the exit codes in the order of the pieces; 128 + N for one that a signal N ended. Throws
// std::system_error if there can be no process.
// WHY processes: SystemC elaborates once in each. WHY fork alone: nothing has been elaborated here yet.
std::vector<int> run_in_processes(const std::vector<std::function<int()>>& pieces, unsigned jobs);

}  // namespace svasim
