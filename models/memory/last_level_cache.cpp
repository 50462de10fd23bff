#include "models/memory/last_level_cache.h"

namespace svasim {

LastLevelCache::LastLevelCache(const LlcParams& params, std::uint64_t seed, std::string_view name)
    : params_(params), rng_(seed, name) {
  if (!params.enable) {
    return;
  }
  lines_.assign(params.size >> kLineShift, kEmpty);
  sets_ = static_cast<unsigned>(lines_.size() / params.ways);
  policy_ = make_replacement(params.policy, ReplacementShape{sets_, params.ways}, rng_);
}

bool LastLevelCache::allocates(bool write, AccessOrigin origin) const {
  if (write) {
    return params_.device_writes;
  }
  return origin == AccessOrigin::kDevice ? params_.device_reads : params_.table_reads;
}

bool LastLevelCache::access(std::uint64_t address, std::uint64_t length, bool write, AccessOrigin origin) {
  const bool allocate = allocates(write, origin);
  bool hit = true;
  const std::uint64_t last = (address + (length == 0 ? 0 : length - 1)) >> kLineShift;
  for (std::uint64_t line = address >> kLineShift; line <= last; ++line) {
    hit = touch(line, allocate) && hit;
  }
  return hit;
}

bool LastLevelCache::touch(std::uint64_t line, bool allocate) {
  const auto set = static_cast<unsigned>(line & (sets_ - 1));
  const std::size_t first = std::size_t{set} * params_.ways;
  unsigned free = params_.ways;
  for (unsigned way = 0; way < params_.ways; ++way) {
    if (lines_[first + way] == line) {
      policy_->touch(set, way);
      return true;
    }
    if (lines_[first + way] == kEmpty && free == params_.ways) {
      free = way;
    }
  }
  if (allocate) {
    const unsigned way = free != params_.ways ? free : policy_->victim(set);
    lines_[first + way] = line;
    policy_->fill(set, way);
  }
  return false;
}

}  // namespace svasim
