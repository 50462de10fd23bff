// How long bytes take on something with a bandwidth.
#pragma once

#include <cstdint>

#include "base/types.h"

namespace svasim {

// Picoseconds for a number of bytes, rounded up; at least 1 ps. Remembers the last answer: traffic
// has few sizes and a division costs more than the rest of a transfer.
class TransferTime {
 public:
  // bytes_per_second > 0.
  explicit TransferTime(std::uint64_t bytes_per_second) : rate_(bytes_per_second) {}

  Ps operator()(std::uint64_t bytes) {
    if (bytes != last_bytes_) {
      last_bytes_ = bytes;
      __extension__ using Wide = unsigned __int128;
      const Wide scaled = static_cast<Wide>(bytes) * kPsPerSecond;
      last_ = static_cast<Ps>((scaled + rate_ - 1) / rate_);
      if (last_ == 0) {
        last_ = 1;
      }
    }
    return last_;
  }

 private:
  static constexpr std::uint64_t kPsPerSecond = 1'000'000'000'000ULL;
  std::uint64_t rate_;
  std::uint64_t last_bytes_ = ~std::uint64_t{0};
  Ps last_ = 0;
};

}  // namespace svasim
