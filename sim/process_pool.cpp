#include "sim/process_pool.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <system_error>

namespace svasim {
namespace {

// The next of ours that ends.
void collect(std::map<pid_t, std::size_t>& running, std::vector<int>& codes) {
  int status = 0;
  pid_t ended = -1;
  do {
    ended = waitpid(-1, &status, 0);
  } while (ended < 0 && errno == EINTR);
  if (ended < 0) throw std::system_error(errno, std::generic_category(), "waiting for a simulation");
  const auto found = running.find(ended);
  if (found == running.end()) return;
  codes[found->second] = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  running.erase(found);
}

}  // namespace

std::vector<int> run_in_processes(const std::vector<std::function<int()>>& pieces, unsigned jobs) {
  std::vector<int> codes(pieces.size(), 0);
  std::map<pid_t, std::size_t> running;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    while (running.size() >= jobs) collect(running, codes);
    const pid_t child = fork();
    if (child < 0) {
      const int error = errno;
      while (!running.empty()) collect(running, codes);
      throw std::system_error(error, std::generic_category(), "starting a simulation");
    }
    if (child == 0) _exit(pieces[i]());
    running[child] = i;
  }
  while (!running.empty()) collect(running, codes);
  return codes;
}

}  // namespace svasim
