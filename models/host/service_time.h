// How long a fault handler takes for a page.
#pragma once

#include "base/rng.h"
#include "models/host/host_params.h"

namespace svasim {

class ServiceTime {
 public:
  ServiceTime(const FaultHandlerParams& params, RngStream rng);

  Ps draw();

 private:
  enum class Kind { kFixed, kUniform, kBuckets };
  Ps draw_bucket();

  Kind kind_;
  Ps time_;
  Ps spread_;
  std::vector<TimeBucketParams> buckets_;
  std::uint64_t weights_ = 0;  // all together
  RngStream rng_;
};

}  // namespace svasim
