// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace eviction::agent::simulate {

/// Random numbers that are the same on every machine for the same seed, which neither the standard
/// library's distributions nor libm's logarithms are: additions, multiplications and comparisons
/// only.
/// Source: SplitMix64, Steele, Lea and Flood, "Fast splittable pseudorandom number generators".
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_{seed} {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31U);
  }

  /// From low up to high.
  double uniform(double low, double high) {
    constexpr double kSpan = 9007199254740992.0;  // 2^53
    return low + (high - low) * static_cast<double>(next() >> 11U) / kSpan;
  }

  /// Source: von Neumann, "Various techniques used in connection with random digits".
  double exponential(double mean);

  /// spread: standard deviation of the logarithm, which is the sum of twelve uniform numbers and so
  /// within six of them.
  double lognormal(double median, double spread);

  bool chance(double probability) { return uniform(0, 1) < probability; }

 private:
  std::uint64_t state_;
};

}  // namespace eviction::agent::simulate
