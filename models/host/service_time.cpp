#include "models/host/service_time.h"

namespace svasim {

ServiceTime::ServiceTime(const FaultHandlerParams& params, RngStream rng)
    : kind_(params.distribution == "fixed"     ? Kind::kFixed
            : params.distribution == "uniform" ? Kind::kUniform
                                               : Kind::kBuckets),
      time_(params.service_time),
      spread_(params.service_spread),
      buckets_(params.service_buckets),
      rng_(rng) {
  for (const TimeBucketParams& bucket : buckets_) weights_ += bucket.weight;
}

Ps ServiceTime::draw() {
  switch (kind_) {
    case Kind::kFixed:
      return time_;
    case Kind::kUniform:
      return time_ - spread_ + rng_.below(2 * spread_ + 1);
    case Kind::kBuckets:
      break;
  }
  return draw_bucket();
}

// Below the mean with probability (to - mean) / (to - from), above it otherwise, uniform on either side: the
// two means' average by these shares is the mean. WHY in whole numbers: the same on every machine.
Ps ServiceTime::draw_bucket() {
  std::uint64_t place = rng_.below(weights_);
  auto bucket = buckets_.begin();
  for (; place >= bucket->weight; ++bucket) place -= bucket->weight;
  if (bucket->from == bucket->to) {
    return bucket->from;
  }
  const bool below = rng_.below(bucket->to - bucket->from) < bucket->to - bucket->mean;
  const Ps low = below ? bucket->from : bucket->mean;
  const Ps high = below ? bucket->mean : bucket->to;
  return low + rng_.below(high - low + 1);
}

}  // namespace svasim
