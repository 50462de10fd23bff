#include "sim/accel_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/bits.h"
#include "base/units.h"

namespace svasim {
namespace {

using Row = std::vector<std::string>;

// Columns as wide as their widest cell.
void append_table(const std::vector<Row>& rows, std::string& text) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    std::string line = " ";
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format(" {:<{}}", row[i], widths[i]);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
}

std::string count_of(std::size_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string group_name(const std::optional<unsigned>& group) {
  return group ? std::to_string(*group) : "none";
}

class DevicePage {
 public:
  DevicePage(const AccelDevice& device, std::string& text)
      : device_(device), limits_(usual_limits(device)), text_(text) {}

  void write() {
    unsigned entries = 0;
    for (const AccelQueue& queue : device_.queues) entries += queue.size;
    text_ +=
        fmt::format("{}: {}, {}, {}, {} of {} entries used\n", device_.name,
                    count_of(device_.groups.size(), "group"), count_of(device_.queues.size(), "work queue"),
                    count_of(device_.engines.size(), "engine"), entries, limits_.entries);
    if (device_.read_buffer_limit != 0) {
      text_ += fmt::format("  at most {} read buffers for slow memory\n", device_.read_buffer_limit);
    }
    if (device_.event_log_size != 0) {
      text_ += fmt::format("  event log of {} entries\n", device_.event_log_size);
    }
    if (!device_.groups.empty()) write_groups();
    if (!device_.queues.empty()) write_queues();
    write_notes();
  }

 private:
  std::string numbers_in(unsigned group, bool engines) const {
    std::string list;
    const auto take = [&](const auto& parts) {
      for (const auto& part : parts) {
        if (part.group == group) list += (list.empty() ? "" : " ") + std::to_string(part.number);
      }
    };
    engines ? take(device_.engines) : take(device_.queues);
    return list.empty() ? "-" : list;
  }

  void write_groups() {
    std::vector<Row> rows = {{"group", "engines", "work queues", "read buffers", "reserved", "classes A B"}};
    for (const AccelGroup& group : device_.groups) {
      const unsigned allowed = group.read_buffers_allowed;
      rows.push_back({std::to_string(group.number), numbers_in(group.number, true),
                      numbers_in(group.number, false), allowed == 0 ? "all" : std::to_string(allowed),
                      std::to_string(group.read_buffers_reserved),
                      fmt::format("{} {}", group.traffic_class_a, group.traffic_class_b)});
    }
    text_ += "\n";
    append_table(rows, text_);
  }

  void write_queues() {
    std::vector<Row> rows = {{"queue", "name", "group", "mode", "size", "threshold", "priority",
                              "max transfer", "max batch", "page faults", "type"}};
    for (const AccelQueue& queue : device_.queues) {
      rows.push_back({std::to_string(queue.number), queue.name.empty() ? "-" : queue.name,
                      group_name(queue.group), queue.mode, std::to_string(queue.size),
                      queue.shared() ? std::to_string(queue.threshold) : "-", std::to_string(queue.priority),
                      format_bytes(next_power_of_two(queue.max_transfer_size)),
                      std::to_string(next_power_of_two(queue.max_batch_size)),
                      queue.ats_disable != 0      ? "no ATS"
                      : queue.block_on_fault != 0 ? "wait"
                                                  : "reported",
                      queue.type});
    }
    text_ += "\n";
    append_table(rows, text_);
  }

  static std::uint64_t next_power_of_two(std::uint64_t value) {
    std::uint64_t power = 1;
    while (power < value) power *= 2;
    return power;
  }

  void note(const std::string& text) {
    text_ += (noted_ ? "  " : "\n  unusual:\n  ") + ("- " + text) + "\n";
    noted_ = true;
  }

  void write_notes() {
    if (!device_.is_dsa()) note("svasim has no such device: it explains it, but cannot use it");
    for (const AccelQueue& queue : device_.queues) note_queue(queue);
    for (const AccelEngine& engine : device_.engines) {
      if (!engine.group && device_.is_dsa()) {
        note(fmt::format("engine {} is in no group: it stands still", engine.number));
      }
    }
    if (device_.is_dsa()) note_unnamed_engines();
    for (const AccelGroup& group : device_.groups) {
      const bool used = numbers_in(group.number, true) != "-";
      if (used && group.read_buffers_allowed != 0 && group.read_buffers_allowed < limits_.read_buffers) {
        note(fmt::format("group {} may use {} of {} read buffers, which bounds its bandwidth", group.number,
                         group.read_buffers_allowed, limits_.read_buffers));
      }
    }
  }

  void note_unnamed_engines() {
    if (device_.engines.empty() || device_.engines.size() >= limits_.engines) return;
    note(fmt::format("{} of {} engines are not mentioned: load-config leaves them in the groups they are in",
                     limits_.engines - device_.engines.size(), limits_.engines));
  }

  void note_queue(const AccelQueue& queue) {
    const std::string name = fmt::format("queue {}", queue.number);
    if (queue.size == 0) note(name + " has no entries: it stays disabled");
    if (queue.shared() && queue.threshold == queue.size && queue.size != 0) {
      note(name + " has a threshold of its size: processes can fill it, and nothing is kept for the kernel");
    }
    if (!queue.shared() && queue.threshold != 0) {
      note(name + " is dedicated: load-config passes over its threshold");
    }
    if (queue.type == "none") note(name + " has no type: no driver takes it");
    const bool others = !queue.driver_name.empty() && (queue.type == "user" || queue.type == "kernel") &&
                        queue.driver_name != (queue.type == "user" ? "user" : "dmaengine");
    if (others) {
      note(fmt::format("{} is of type {}, but its driver is '{}'", name, queue.type, queue.driver_name));
    }
    if (queue.ats_disable != 0) note(name + " does without ATS: writes to pages that are not there are lost");
    if (!is_power_of_two(queue.max_transfer_size)) {
      note(fmt::format("{}: max_transfer_size {} is rounded up to a power of two", name,
                       queue.max_transfer_size));
    }
    if (!is_power_of_two(queue.max_batch_size)) {
      note(fmt::format("{}: max_batch_size {} is rounded up to a power of two", name, queue.max_batch_size));
    }
    if (queue.operations()) note(name + " takes the operations of op_config only");
  }

  const AccelDevice& device_;
  const AccelLimits limits_;
  std::string& text_;
  bool noted_ = false;
};

}  // namespace

AccelLimits limits_of(const DsaParams& dsa) {
  return {dsa.groups,       dsa.queues,       dsa.queue_entries, dsa.engines,
          dsa.read_buffers, dsa.max_transfer, dsa.max_batch,     dsa.shared_queues};
}

AccelLimits usual_limits(const AccelDevice& device) {
  AccelLimits limits = limits_of(dsa_params().defaults());
  if (!device.is_dsa()) limits.engines = 64;
  return limits;
}

std::string accel_page(const AccelConfig& config) {
  std::string text;
  for (const AccelDevice& device : config.devices) {
    if (!text.empty()) text += "\n";
    DevicePage(device, text).write();
  }
  return text;
}

}  // namespace svasim
