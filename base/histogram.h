// Counters and histograms of the hot path: plain memory, everything inline.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace svasim {

struct Counter {
  std::uint64_t value = 0;
  void add(std::uint64_t n = 1) { value += n; }
  Counter& operator++() {
    ++value;
    return *this;
  }
};

// Distribution of 64-bit values in log-linear buckets: values below 64 exact, larger ones in 32
// buckets per power of two, read back at the bucket's middle and so at most 1/64 (1.6 %) off.
class Histogram {
 public:
  void record(std::uint64_t value, std::uint64_t times = 1) {
    buckets_[bucket_of(value)] += times;
    count_ += times;
    sum_ += value * times;
    min_ = value < min_ ? value : min_;
    max_ = value > max_ ? value : max_;
  }

  std::uint64_t count() const { return count_; }
  std::uint64_t sum() const { return sum_; }
  // 0 when empty.
  std::uint64_t min() const { return count_ == 0 ? 0 : min_; }
  std::uint64_t max() const { return max_; }
  double mean() const { return count_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(count_); }
  // The smallest value that at least this share of the recorded values do not exceed; per_mille in
  // [0, 1000]; 0 when empty. p50 is percentile(500).
  std::uint64_t percentile(unsigned per_mille) const;

  // What was recorded since `earlier`, a copy of this histogram. Count and sum are exact; min and max
  // are exact when `earlier` is empty and otherwise as exact as a bucket.
  Histogram since(const Histogram& earlier) const;

  static constexpr std::size_t kBuckets = 32 + 59 * 32;
  static constexpr std::size_t bucket_of(std::uint64_t value) {
    const unsigned shift = 58U - static_cast<unsigned>(__builtin_clzll(value | 32U));
    return static_cast<std::size_t>(shift * 32U + (value >> shift));
  }
  // The bucket's lowest and highest value.
  static constexpr std::uint64_t bucket_low(std::size_t bucket) {
    return bucket < 64 ? bucket : (32U + bucket % 32U) << (bucket / 32U - 1U);
  }
  static constexpr std::uint64_t bucket_high(std::size_t bucket) {
    return bucket < 64 ? bucket : bucket_low(bucket) + ((std::uint64_t{1} << (bucket / 32U - 1U)) - 1U);
  }

 private:
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t min_ = ~std::uint64_t{0};
  std::uint64_t max_ = 0;
  std::array<std::uint64_t, kBuckets> buckets_{};
};

}  // namespace svasim
