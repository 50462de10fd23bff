#include "sim/host_needs.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "base/units.h"
#include "models/host/accel_queues.h"
#include "sim/accel_page.h"
#include "sim/ports.h"

namespace svasim {
namespace {

class HostNeeds {
 public:
  HostNeeds(const std::string& name, const HostParams& host, Binder& binder, Contradictions& bad)
      : name_(name), host_(host), binder_(binder), bad_(bad) {}

  void check() {
    for (const std::string& iommu : host_.iommus) check_iommu(iommu);
    for (const std::string& device : host_.devices) check_device(device);
    check_divided_names();
    check_pasids();
  }

 private:
  // SPEC: [LINUX drivers/iommu/intel]: shared virtual addressing is used with all of these or not at all.
  void check_iommu(const std::string& iommu) {
    const RootPort& port = binder_.port<RootPort>(iommu);
    if (port.bus() != host_.bus) {
      bad_.add({{iommu, "bus"}, {name_, "bus"}},
               fmt::format("'{}' is on '{}', but '{}' is on '{}': it reaches neither its registers nor its "
                           "tables",
                           name_, host_.bus, iommu, port.bus()));
    }
    const IommuCapabilityParams& offered = port.capabilities();
    bool ats = false;
    bool page_requests = false;
    for (const std::string& device : host_.devices) {
      const DsaPort& dsa = binder_.port<DsaPort>(device);
      if (dsa.iommu(binder_) != iommu) continue;
      ats = ats || dsa.ats(binder_);
      page_requests = page_requests || dsa.page_requests(binder_);
    }
    for (const auto& [there, what] :
         {std::pair{offered.scalable_mode, "scalable_mode"}, std::pair{offered.first_stage, "first_stage"},
          std::pair{offered.device_tlb || !ats, "device_tlb"},
          std::pair{offered.page_requests || !page_requests, "page_requests"}}) {
      if (!there) {
        bad_.add({{iommu, std::string("capabilities.") + what}},
                 fmt::format("the driver of '{}' needs it", name_));
      }
    }
    const unsigned width = offered.host_address_width;
    if (((host_.memory_base + (host_.memory_size - 1)) >> width) != 0) {
      bad_.add({{name_, "memory_size"}, {name_, "memory_base"}, {iommu, "capabilities.host_address_width"}},
               fmt::format("the memory of '{}' ends above the {} bits of '{}'", name_, width, iommu));
    }
  }

  void check_divided_names() {
    if (host_.dsa.accel == nullptr) return;
    for (const AccelDevice& each : host_.dsa.accel->devices) {
      if (std::find(host_.devices.begin(), host_.devices.end(), each.name) == host_.devices.end()) {
        bad_.add({{name_, "dsa.accel_config"}},
                 fmt::format("{}: '{}' has no device '{}'", to_string(each.node.where()), name_, each.name));
      }
    }
  }

  void check_device(const std::string& device) {
    const DsaPort& port = binder_.port<DsaPort>(device);
    const std::string iommu = port.iommu(binder_);
    if (std::find(host_.iommus.begin(), host_.iommus.end(), iommu) == host_.iommus.end()) {
      bad_.add({{name_, "devices"}},
               fmt::format("'{}' is behind '{}', which is not among the iommus", device, iommu));
    }
    if (port.bus() != host_.bus) {
      bad_.add({{device, "bus"}, {name_, "bus"}},
               fmt::format("'{}' is on '{}', but '{}' is on '{}': it does not reach its registers", name_,
                           host_.bus, device, port.bus()));
    }
    if (const AccelDevice* divided = host_.dsa.divided(device)) {
      check_divided(device, *divided, port.capabilities());
      return;
    }
    // A work queue for each process that wants its own, and one for all that share a kind.
    std::uint64_t queues = 0;
    std::set<std::string> kinds;
    for (const ProcessParams& process : host_.processes) {
      const std::vector<std::string> opened = devices_opened(process);
      if (std::find(opened.begin(), opened.end(), device) == opened.end()) continue;
      queues += process.queue == "own" || kinds.insert(process.queue).second ? 1 : 0;
    }
    if (kinds.count("shared") != 0 && !port.capabilities().shared_queues) {
      bad_.add({{device, "shared_queues"}, {name_, "processes"}},
               fmt::format("a process wants a shared work queue of '{}', which has none", device));
    }
    if (queues != 0) check_used_device(device, port.capabilities(), queues);
  }

  // What is wrong with a file is told with the place there.
  void check_divided(const std::string& device, const AccelDevice& divided, const DsaParams& dsa) {
    Problems problems;
    check_accel_numbers(divided, limits_of(dsa), problems);
    if (!host_.dsa.accel_force) check_accel_device(divided, limits_of(dsa), problems);
    for (const std::string& line : problems.lines()) bad_.add({{name_, "dsa.accel_config"}}, line);
    AccelQueues queues(divided);
    for (std::size_t i = 0; i < host_.processes.size(); ++i) {
      const ProcessParams& process = host_.processes[i];
      const std::vector<std::string> opened = devices_opened(process);
      if (std::find(opened.begin(), opened.end(), device) == opened.end()) continue;
      std::string why;
      const AccelQueue* queue = queues.choose(process, why);
      if (queue == nullptr) {
        bad_.add({{name_, fmt::format("processes[{}].wq", i)}}, why);
      } else {
        check_queue_use(*queue, process, i);
      }
    }
  }

  void check_queue_use(const AccelQueue& queue, const ProcessParams& process, std::size_t index) {
    const auto bad = [&](const char* what, const std::string& message) {
      bad_.add({{name_, fmt::format("processes[{}].{}", index, what)}},
               fmt::format("wq{} {}", queue.number, message));
    };
    if (queue.shared() && (process.addressing != "sva" || !process.guest.empty())) {
      bad("wq", "is shared, which needs addressing sva and no guest");
    }
    unsigned outstanding = process.outstanding;
    for (const ThreadParams& thread : process.threads) outstanding += thread.most_outstanding();
    std::uint64_t largest = 0;
    unsigned batch = 0;
    for_each_step(process, [&](const StepParams& step) {
      outstanding = std::max(outstanding, step.outstanding);
      if (is_operation(step)) largest = std::max(largest, step.size);
      if (is_operation(step)) batch = std::max(batch, step.batch);
    });
    if (outstanding > queue.size) {
      bad("outstanding", fmt::format("has {} entries, fewer than operations outstanding", queue.size));
    }
    if (largest > queue.max_transfer_size) {
      bad("steps",
          fmt::format("takes {} at most, and an operation is larger", format_bytes(queue.max_transfer_size)));
    }
    if (batch > queue.max_batch_size) {
      bad("steps", fmt::format("takes batches of {} at most, and one is larger", queue.max_batch_size));
    }
  }

  void check_used_device(const std::string& device, const DsaParams& dsa, std::uint64_t queues) {
    if (queues > dsa.queues) {
      bad_.add(
          {{device, "queues"}, {name_, "processes"}},
          fmt::format("{} work queues of '{}' are asked for, but it has {}", queues, device, dsa.queues));
    } else if (queues * host_.dsa.wq_size > dsa.queue_entries) {
      bad_.add({{device, "queue_entries"}, {name_, "dsa.wq_size"}},
               fmt::format("{} work queues of {} entries are needed of '{}', but it has {} entries in all",
                           queues, host_.dsa.wq_size, device, dsa.queue_entries));
    }
    // SPEC: [DSA 9.2]: at least four read buffers per engine; the driver puts all engines into one group.
    if (dsa.read_buffers < 4 * dsa.engines) {
      bad_.add({{device, "read_buffers"}, {device, "engines"}},
               fmt::format("{} engines need at least {} read buffers, there are {}", dsa.engines,
                           4 * dsa.engines, dsa.read_buffers));
    }
    if (host_.dsa.block_on_fault == "true" && !binder_.port<DsaPort>(device).page_requests(binder_)) {
      bad_.add({{name_, "dsa.block_on_fault"}, {device, "page_requests"}},
               fmt::format("'{}' has no page requests: they need an ATC, ats and page_requests", device));
    }
    std::uint64_t largest = 0;
    for (const ProcessParams& process : host_.processes) {
      for_each_step(process, [&](const StepParams& step) {
        const bool transfers = step.action == "memmove" || step.action == "fill";
        const bool here = (step.device.empty() ? process.device : step.device) == device;
        if (transfers && here) largest = std::max(largest, step.size);
      });
    }
    if (largest > dsa.max_transfer) {
      bad_.add({{device, "max_transfer"}, {name_, "processes"}},
               fmt::format("a process moves {} at once, but '{}' moves {} at most", format_bytes(largest),
                           device, format_bytes(dsa.max_transfer)));
    }
  }

  // Those that open a device before their first step have PASIDs in their order.
  void check_pasids() {
    std::vector<std::string> told;
    std::uint64_t pasid = host_.sva.lowest_pasid;
    for (const ProcessParams& process : host_.processes) {
      if (process.device.empty() || !process.parent.empty()) continue;
      const std::string iommu = binder_.port<DsaPort>(process.device).iommu(binder_);
      const unsigned bits = binder_.port<RootPort>(iommu).capabilities().pasid_bits;
      if ((pasid >> bits) != 0 && std::find(told.begin(), told.end(), iommu) == told.end()) {
        told.push_back(iommu);
        bad_.add({{iommu, "capabilities.pasid_bits"}, {name_, "processes"}},
                 fmt::format("process {} gets PASID {}, but those of '{}' end at {}", process.name, pasid,
                             iommu, (std::uint64_t{1} << bits) - 1));
      }
      ++pasid;
    }
  }

  const std::string& name_;
  const HostParams& host_;
  Binder& binder_;
  Contradictions& bad_;
};

}  // namespace

void check_host(const std::string& name, const HostParams& host, Binder& binder, Contradictions& bad) {
  HostNeeds(name, host, binder, bad).check();
}

}  // namespace svasim
