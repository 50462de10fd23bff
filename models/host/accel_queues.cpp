#include "models/host/accel_queues.h"

#include <fmt/format.h>

#include "base/suggest.h"

namespace svasim {

const AccelQueue* AccelQueues::choose(const ProcessParams& process, std::string& why) {
  const auto can_open = [](const AccelQueue& queue) { return queue.type == "user" && queue.size != 0; };
  std::vector<std::string> names;
  for (std::size_t i = 0; i < device_->queues.size(); ++i) {
    const AccelQueue& queue = device_->queues[i];
    const std::string& dev = queue.node.find("dev")->text();
    if (!process.wq.empty()) {
      if (process.wq == dev || process.wq == queue.name || process.wq == std::to_string(queue.number)) {
        if (can_open(queue)) return &queue;
        why = fmt::format("{} of {} has {} entries and is of type {}: processes cannot open it", dev,
                          device_->name, queue.size, queue.type);
        return nullptr;
      }
      names.push_back(queue.name.empty() ? dev : queue.name);
      continue;
    }
    if (!can_open(queue) || queue.shared() != (process.queue == "shared") || owned_[i]) continue;
    owned_[i] = process.queue == "own";
    return &queue;
  }
  why = process.wq.empty() ? fmt::format(
                                 "{} has no work queue for queue: {} that processes can open, or not "
                                 "enough of them",
                                 device_->name, process.queue)
                           : fmt::format("{} has no work queue '{}'{}", device_->name, process.wq,
                                         suggestion(process.wq, names));
  return nullptr;
}

}  // namespace svasim
