// Interrupts from the terminal and requests to end, so that a run can clean up.
#pragma once

namespace svasim {

// A run was stopped by a signal.
struct Stopped {
  int signal = 0;
};

// While it lives, the first SIGINT, SIGTERM or SIGHUP is only noted; a second one ends the program.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // Throws Stopped when there was one.
  static void check();
  // Ends the program as if the signal had not been noted. For when everything is cleaned up.
  [[noreturn]] static void end_by(int signal);
};

}  // namespace svasim
