// How the administrator of a machine divides DSA devices: files of `accel-config save-config`.
// SPEC: [ACCEL load-config]
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/config.h"

namespace svasim {

// Numbers as the file has them; 0 of what it does not give, but for the driver's own defaults.
struct AccelQueue {
  ConfigNode node;
  unsigned number = 0;
  std::optional<unsigned> group;
  std::string mode;
  std::string type;
  std::string name;
  std::string driver_name;
  unsigned size = 0;
  unsigned threshold = 0;
  unsigned priority = 0;
  unsigned block_on_fault = 0;
  unsigned ats_disable = 0;
  unsigned prs_disable = 0;
  std::uint64_t max_transfer_size = 0;
  unsigned max_batch_size = 0;
  std::string op_config;

  bool shared() const { return mode == "shared"; }
  // The bitmap of operations it takes, none: all the device has.
  std::optional<std::array<std::uint32_t, 8>> operations() const;
};

struct AccelEngine {
  ConfigNode node;
  unsigned number = 0;
  std::optional<unsigned> group;
};

struct AccelGroup {
  ConfigNode node;
  unsigned number = 0;
  unsigned read_buffers_reserved = 0;
  unsigned read_buffers_allowed = 0;  // 0: all
  unsigned use_read_buffer_limit = 0;
  unsigned traffic_class_a = 0;
  unsigned traffic_class_b = 0;
  unsigned desc_progress_limit = 0;
  unsigned batch_progress_limit = 0;
};

struct AccelDevice {
  ConfigNode node;
  std::string name;  // "dsa0"
  unsigned number = 0;
  unsigned read_buffer_limit = 0;  // 0: none
  unsigned event_log_size = 0;     // 0: the driver's own
  std::vector<AccelGroup> groups;
  std::vector<AccelQueue> queues;    // by number
  std::vector<AccelEngine> engines;  // by number

  bool is_dsa() const { return name.compare(0, 3, "dsa") == 0; }
};

struct AccelConfig {
  std::vector<AccelDevice> devices;
};

// What a device has, as its capability registers tell.
struct AccelLimits {
  unsigned groups = 0;
  unsigned queues = 0;
  unsigned entries = 0;
  unsigned engines = 0;
  unsigned read_buffers = 0;
  std::uint64_t max_transfer = 0;
  std::uint64_t max_batch = 0;
  bool shared = true;
};

// What the file says, with everything that is wrong with its form: names, types, ranges, duplicates.
AccelConfig load_accel_config(const std::string& file, Problems& problems);

// What the device does not have.
void check_accel_numbers(const AccelDevice& device, const AccelLimits& limits, Problems& problems);
// What the driver or the device would refuse of what it has.
void check_accel_device(const AccelDevice& device, const AccelLimits& limits, Problems& problems);

}  // namespace svasim
