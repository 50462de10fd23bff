// What a terminal shows while a simulation runs.
#pragma once

#include <chrono>
#include <ostream>

#include "base/types.h"
#include "sim/component.h"

namespace svasim {

// One line, redrawn a few times per second: simulated time, its rate, how far the workload is, and
// when it will be done.
class ProgressBar {
 public:
  explicit ProgressBar(std::ostream& out) : out_(out) {}
  void update(Ps now, const Progress& progress);
  // Takes the line away.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  std::ostream& out_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point drawn_ = start_;
  bool visible_ = false;
};

// How much simulated time to run at once so that the host looks up about 20 times per second.
class Slicer {
 public:
  Ps slice() const { return slice_; }

  template <typename Run>
  void run(const Run& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    if (taken.count() < 0.025 && slice_ < (Ps{1} << 60U)) {
      slice_ *= 2;
    } else if (taken.count() > 0.1 && slice_ > 1) {
      slice_ /= 2;
    }
  }

 private:
  Ps slice_ = 1'000'000;
};

}  // namespace svasim
