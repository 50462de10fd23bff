#include "models/host/dsa_division.h"

#include <algorithm>

#include "models/formats/dsa_registers.h"
#include "models/host/host_params.h"

namespace svasim {
namespace {

// SPEC: [ACCEL config-wq]: what is no power of two is rounded up.
unsigned log2_up(std::uint64_t value) {
  unsigned log2 = 0;
  while ((std::uint64_t{1} << log2) < value) ++log2;
  return log2;
}

template <typename Field>
void set_field(DsaDivision::Group& group, std::uint64_t value) {
  group.flags |= Field::make(value);
  group.flags_kept &= ~Field::kMask;
}

// MODEL: limits of what is in progress are not: the device has none.
DsaDivision::Group group_of(const AccelDevice& device, const AccelGroup& from) {
  DsaDivision::Group group;
  group.number = from.number;
  const auto bits = [&](const auto& parts) {
    std::uint64_t bitmap = 0;
    for (const auto& part : parts) {
      if (part.group == from.number && part.number < 64) bitmap |= std::uint64_t{1} << part.number;
    }
    return bitmap;
  };
  group.queues = bits(device.queues);
  group.engines = bits(device.engines);
  if (from.read_buffers_allowed != 0) {
    set_field<DsaGrpcfg::READ_BUFFERS_ALLOWED>(group, from.read_buffers_allowed);
  }
  if (from.read_buffers_reserved != 0) {
    set_field<DsaGrpcfg::READ_BUFFERS_RESERVED>(group, from.read_buffers_reserved);
  }
  if (from.use_read_buffer_limit != 0) set_field<DsaGrpcfg::USE_GLOBAL_READ_BUFFER_LIMIT>(group, 1);
  if (from.traffic_class_a != 0) set_field<DsaGrpcfg::TC_A>(group, from.traffic_class_a);
  if (from.traffic_class_b != 0) set_field<DsaGrpcfg::TC_B>(group, from.traffic_class_b);
  return group;
}

}  // namespace

unsigned DsaDivision::entries() const {
  unsigned sum = 0;
  for (const Queue& queue : queues) sum += queue.size;
  return sum;
}

bool DsaDivision::shares() const {
  return std::any_of(queues.begin(), queues.end(), [](const Queue& queue) { return queue.shared; });
}

DsaDivision default_division(const DsaDriverParams& params, const std::vector<bool>& shared,
                             bool block_on_fault) {
  DsaDivision plan;
  for (const bool each : shared) {
    DsaDivision::Queue queue;
    queue.shared = each;
    queue.size = params.wq_size;
    if (each) queue.threshold = params.shared_threshold == 0 ? params.wq_size : params.shared_threshold;
    queue.priority = params.priority;
    queue.block_on_fault = block_on_fault;
    queue.log2_max_transfer = log2_up(params.max_transfer);
    queue.log2_max_batch = log2_up(params.max_batch);
    plan.queues.push_back(queue);
  }
  DsaDivision::Group group;
  group.queues = shared.size() < 64 ? (std::uint64_t{1} << shared.size()) - 1 : ~std::uint64_t{0};
  group.engines = ~std::uint64_t{0};
  plan.groups.push_back(group);
  return plan;
}

DsaDivision division_of(const AccelDevice& device, bool forced) {
  DsaDivision plan;
  plan.forced = forced;
  plan.read_buffer_limit = device.read_buffer_limit;
  for (const AccelQueue& from : device.queues) {
    plan.queues.resize(std::max<std::size_t>(plan.queues.size(), from.number + 1));
    DsaDivision::Queue& queue = plan.queues[from.number];
    queue.shared = from.shared();
    queue.size = from.size;
    if (from.shared()) queue.threshold = from.threshold;
    queue.priority = from.priority;
    queue.block_on_fault = from.block_on_fault != 0;
    queue.ats_disable = from.ats_disable != 0;
    queue.prs_disable = from.prs_disable != 0;
    queue.log2_max_transfer = log2_up(from.max_transfer_size);
    queue.log2_max_batch = log2_up(from.max_batch_size);
    queue.operations = from.operations();
  }
  for (const AccelGroup& from : device.groups) plan.groups.push_back(group_of(device, from));
  return plan;
}

}  // namespace svasim
