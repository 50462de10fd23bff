// The part of a driver in user space that serves page faults of its devices.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/host/thread.h"
#include "models/host/user_driver.h"

namespace svasim {

// Reads groups, maps each page where the device asked for it, and answers: success if all of the group could
// be mapped. Ends when it has answered `step.count` groups.
class FaultThread : public std::enable_shared_from_this<FaultThread> {
 public:
  FaultThread(Thread& thread, UserDriver& driver, const StepParams& step)
      : thread_(thread), driver_(driver), step_(step) {}
  void run();

 private:
  void read();
  void serve(std::size_t index, bool good);
  void served(std::size_t index, bool good);
  void answer(std::size_t index, bool good);

  Thread& thread_;
  UserDriver& driver_;
  const StepParams& step_;
  std::vector<IommufdFault> records_;
  std::uint64_t answered_ = 0;
};

}  // namespace svasim
