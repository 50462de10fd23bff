#include "base/histogram.h"

#include <algorithm>

namespace svasim {

std::uint64_t Histogram::percentile(unsigned per_mille) const {
  if (count_ == 0) return 0;
  const auto scaled = static_cast<unsigned __int128>(count_) * per_mille;
  const auto wanted = std::max<std::uint64_t>(1, static_cast<std::uint64_t>((scaled + 999) / 1000));
  std::uint64_t seen = 0;
  std::size_t bucket = 0;
  while ((seen += buckets_[bucket]) < wanted) ++bucket;
  const std::uint64_t middle = bucket_low(bucket) + (bucket_high(bucket) - bucket_low(bucket)) / 2;
  return std::clamp(middle, min_, max_);
}

Histogram Histogram::since(const Histogram& earlier) const {
  if (earlier.count_ == 0) return *this;
  Histogram result;
  result.count_ = count_ - earlier.count_;
  result.sum_ = sum_ - earlier.sum_;
  if (result.count_ == 0) return result;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    result.buckets_[i] = buckets_[i] - earlier.buckets_[i];
    if (result.buckets_[i] != 0) {
      result.min_ = std::min(result.min_, std::max(bucket_low(i), min_));
      result.max_ = std::min(bucket_high(i), max_);
    }
  }
  return result;
}

}  // namespace svasim
