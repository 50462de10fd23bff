// Random numbers that are the same on every platform and independent between users: each user names
// its own stream, so a new user does not change what the others draw.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace svasim {

// 64-bit FNV-1a.
constexpr std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001B3U;
  }
  return hash;
}

// One step of SplitMix64: advances the state and returns a well-mixed word of it.
constexpr std::uint64_t split_mix64(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15U;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

// xoshiro256**, seeded by SplitMix64 from the run's seed and the stream's name.
class RngStream {
 public:
  RngStream(std::uint64_t seed, std::string_view name) {
    std::uint64_t state = seed ^ fnv1a(name);
    for (std::uint64_t& word : state_) word = split_mix64(state);
  }
  // A generator in a known state (not all zero).
  explicit RngStream(const std::array<std::uint64_t, 4>& state) : state_(state) {}

  std::uint64_t next() {
    const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  // Uniform in [0, n), without bias; n > 0.
  std::uint64_t below(std::uint64_t n) {
    // WHY: the high half of a 128-bit product is uniform once the few low halves that would favour
    // some results are thrown away; a division is needed only in that rare case.
    auto product = static_cast<unsigned __int128>(next()) * n;
    auto low = static_cast<std::uint64_t>(product);
    if (low < n) {
      const std::uint64_t threshold = (0 - n) % n;
      while (low < threshold) {
        product = static_cast<unsigned __int128>(next()) * n;
        low = static_cast<std::uint64_t>(product);
      }
    }
    return static_cast<std::uint64_t>(product >> 64);
  }

  // Uniform in [0, 1), a multiple of 2^-53.
  double uniform01() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  // True with probability p; p <= 0 never, p >= 1 always.
  bool chance(double p) { return uniform01() < p; }

 private:
  static constexpr std::uint64_t rotate(std::uint64_t x, unsigned k) { return (x << k) | (x >> (64 - k)); }

  std::array<std::uint64_t, 4> state_{};
};

}  // namespace svasim
