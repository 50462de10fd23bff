#include "models/host/host_params.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/suggest.h"
#include "models/host/accel_config.h"

namespace svasim {

namespace {

struct Place {
  std::string key;   // parameter that says where it is
  std::string what;  // "memory node 1"
  Addr base;
  std::uint64_t size;
  bool overlaps(const Place& other) const {
    return base <= other.base + (other.size - 1) && other.base <= base + (size - 1);
  }
  std::string text() const { return fmt::format("{} ({:#x} to {:#x})", what, base, base + (size - 1)); }
};

}  // namespace

void check_places(const HostParams& host, const Complain& bad) {
  // What the operating system gives pages from.
  std::vector<Place> memory = {
      {"memory_base", "the memory from memory_base", host.memory_base, host.memory_size}};
  for (std::size_t i = 0; i < host.nodes.size(); ++i) {
    const Place node{fmt::format("nodes[{}].base", i), fmt::format("memory node {}", i + 1),
                     host.nodes[i].base, host.nodes[i].size};
    for (const Place& other : memory) {
      if (node.overlaps(other)) bad(node.key, node.text() + " overlaps " + other.text());
    }
    memory.push_back(node);
  }
  for (std::size_t i = 0; i < host.processes.size(); ++i) {
    const ProcessParams& process = host.processes[i];
    for (std::size_t j = 0; j < process.buffers.size(); ++j) {
      const BufferParams& buffer = process.buffers[j];
      if (buffer.kind != "device") continue;
      const Place device{fmt::format("processes[{}].buffers[{}].physical", i, j), "the memory of a device",
                         buffer.physical, buffer.size};
      for (const Place& other : memory) {
        if (device.overlaps(other)) {
          bad(device.key, device.text() + " lies within " + other.text() +
                              ", of which the operating system gives out pages");
        }
      }
    }
  }
  // A little less than the addresses of a process: areas have gaps.
  constexpr double kMost = 80.0 * (std::uint64_t{1} << 40U);
  for (std::size_t i = 0; i < host.processes.size(); ++i) {
    double size = 0;
    for (const BufferParams& buffer : host.processes[i].buffers) {
      size += buffer.mapped ? static_cast<double>(buffer.size) : 0;
    }
    if (size > kMost) {
      bad(fmt::format("processes[{}].buffers", i),
          "process " + host.processes[i].name + ": all that is mapped at the start is more than 80 TiB");
    }
  }
  for (const auto& [name, params] : host.sva.devices) {
    if (std::find(host.devices.begin(), host.devices.end(), name) == host.devices.end()) {
      bad("sva.devices." + name,
          "there is no device \"" + name + "\" among the host's devices" + suggestion(name, host.devices));
    }
  }
}

const AccelDevice* DsaDriverParams::divided(const std::string& device) const {
  if (accel == nullptr) return nullptr;
  const auto found = std::find_if(accel->devices.begin(), accel->devices.end(),
                                  [&](const AccelDevice& each) { return each.name == device; });
  return found == accel->devices.end() ? nullptr : &*found;
}

}  // namespace svasim
