// What a driver, or the device behind it, would refuse of an accel-config file.
#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "models/host/accel_config.h"

namespace svasim {
namespace {

class DeviceCheck {
 public:
  DeviceCheck(const AccelDevice& device, const AccelLimits& limits, Problems& problems)
      : device_(device), limits_(limits), problems_(problems) {}

  void check_numbers() {
    for (const AccelGroup& group : device_.groups) check_number(group, "groups", limits_.groups);
    for (const AccelQueue& queue : device_.queues) check_number(queue, "work queues", limits_.queues);
    for (const AccelEngine& engine : device_.engines) check_number(engine, "engines", limits_.engines);
  }

  void check() {
    for (const AccelQueue& queue : device_.queues) check_queue(queue);
    for (const AccelGroup& group : device_.groups) check_group(group);
    check_entries();
    check_names();
  }

 private:
  // At the entry's key, or at the entry when it does not have it.
  void add(const ConfigNode& node, const char* key, const std::string& message) {
    const ConfigNode* value = node.find(key);
    problems_.add(value != nullptr ? *value : node,
                  value != nullptr ? message : fmt::format("{}: {}", key, message));
  }
  template <typename Part>
  void check_number(const Part& part, const char* what, unsigned count) {
    if (part.number < count) return;
    add(part.node, "dev", fmt::format("{} has {} {}, numbered from 0", device_.name, count, what));
  }

  // SPEC: [DSA 9.2.12] the error codes of Enable WQ; [LINUX idxd_wq_config_write].
  void check_queue(const AccelQueue& queue) {
    const ConfigNode& node = queue.node;
    if (!queue.group && queue.size != 0) add(node, "group_id", "it has entries, but is in no group");
    if (queue.group && queue.size == 0) add(node, "size", "it is in a group, but has no entries");
    if (queue.size == 0) return;
    if (queue.priority == 0) add(node, "priority", "has to be from 1 to 15");
    if (queue.shared() && !limits_.shared) {
      add(node, "mode", device_.name + " has no shared work queues");
    }
    if (queue.shared() && queue.threshold == 0) {
      add(node, "threshold", "a shared work queue needs one, from 1 to its size");
    } else if (queue.shared() && queue.threshold > queue.size) {
      add(node, "threshold", fmt::format("{} is more than its {} entries", queue.threshold, queue.size));
    }
    if (queue.max_transfer_size > limits_.max_transfer) {
      add(node, "max_transfer_size",
          fmt::format("{} moves {} at most", device_.name, format_bytes(limits_.max_transfer)));
    }
    if (queue.max_batch_size > limits_.max_batch) {
      add(node, "max_batch_size",
          fmt::format("batches of {} have {} descriptors at most", device_.name, limits_.max_batch));
    }
    if (queue.prs_disable != 0 && queue.block_on_fault != 0) {
      add(node, "prs_disable", "without page requests nothing can block on a fault");
    }
  }

  // SPEC: [DSA 3.2] and error codes 0x15 and 0x18.
  void check_group(const AccelGroup& group) {
    const ConfigNode& node = group.node;
    const auto mine = [&](const auto& part) { return part.group == group.number; };
    const auto engines = std::count_if(device_.engines.begin(), device_.engines.end(), mine);
    const auto queues = std::count_if(device_.queues.begin(), device_.queues.end(), mine);
    if (queues != 0 && engines == 0) problems_.add(node, "has work queues, but no engine to serve them");
    if (engines != 0 && queues == 0) problems_.add(node, "has engines, but no work queue for them");
    if (!device_.is_dsa()) return;
    const unsigned reserved_in_all = reserved();
    if (group.read_buffers_allowed != 0) {
      const unsigned allowed = group.read_buffers_allowed;
      const auto least = 4 * static_cast<unsigned>(engines);
      const unsigned most = group.read_buffers_reserved + limits_.read_buffers -
                            std::min(limits_.read_buffers, reserved_in_all);
      if (allowed < least || allowed < group.read_buffers_reserved || allowed > most) {
        add(node, "read_buffers_allowed",
            fmt::format(
                "{} is not from {} (four per engine, or what is reserved) to {} (what other groups have "
                "not reserved)",
                allowed, std::max(least, group.read_buffers_reserved), most));
      }
    }
    if (reserved_in_all > limits_.read_buffers && group.read_buffers_reserved != 0) {
      add(node, "read_buffers_reserved",
          fmt::format("{} are reserved in all, but {} has {}", reserved_in_all, device_.name,
                      limits_.read_buffers));
    }
    if (group.use_read_buffer_limit != 0 && device_.read_buffer_limit == 0) {
      add(node, "use_read_buffer_limit", fmt::format("{} has no read_buffer_limit", device_.name));
    }
  }

  unsigned reserved() const {
    unsigned sum = 0;
    for (const AccelGroup& group : device_.groups) sum += group.read_buffers_reserved;
    return sum;
  }

  void check_entries() {
    unsigned sum = 0;
    for (const AccelQueue& queue : device_.queues) {
      const bool fitted = sum <= limits_.entries;
      sum += queue.size;
      if (fitted && sum > limits_.entries) {
        add(queue.node, "size",
            fmt::format("the work queues up to this one have {} entries, {} has {}", sum, device_.name,
                        limits_.entries));
      }
    }
    if (device_.read_buffer_limit > limits_.read_buffers) {
      add(device_.node, "read_buffer_limit",
          fmt::format("{} has {} read buffers", device_.name, limits_.read_buffers));
    }
  }

  // Processes find a queue by its name.
  void check_names() {
    for (const AccelQueue& queue : device_.queues) {
      const bool taken =
          !queue.name.empty() &&
          std::any_of(device_.queues.begin(), device_.queues.end(), [&](const AccelQueue& other) {
            return other.number < queue.number && other.name == queue.name;
          });
      if (taken) add(queue.node, "name", fmt::format("'{}' is another work queue's name too", queue.name));
    }
  }

  const AccelDevice& device_;
  const AccelLimits& limits_;
  Problems& problems_;
};

}  // namespace

void check_accel_numbers(const AccelDevice& device, const AccelLimits& limits, Problems& problems) {
  DeviceCheck(device, limits, problems).check_numbers();
}

void check_accel_device(const AccelDevice& device, const AccelLimits& limits, Problems& problems) {
  DeviceCheck(device, limits, problems).check();
}

}  // namespace svasim
