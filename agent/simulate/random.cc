// SPDX-License-Identifier: Apache-2.0
#include "agent/simulate/random.h"

namespace eviction::agent::simulate {

namespace {

/// e^x by its series, the same on every machine; x within 20 of 0.
double power_of_e(double x) {
  constexpr int kHalvings = 6;
  constexpr int kTerms = 12;
  double sum = 1;
  for (int i = kTerms; i > 0; --i) {
    sum = 1 + sum * x / (i * (1 << kHalvings));
  }
  for (int i = 0; i < kHalvings; ++i) {
    sum *= sum;
  }
  return sum;
}

}  // namespace

double Random::exponential(double mean) {
  double whole = 0;
  while (true) {
    const double first = uniform(0, 1);
    double last = first;
    int run = 1;
    double drawn = uniform(0, 1);
    while (drawn < last) {
      last = drawn;
      ++run;
      drawn = uniform(0, 1);
    }
    if (run % 2 == 1) {
      return mean * (whole + first);
    }
    whole += 1;
  }
}

double Random::lognormal(double median, double spread) {
  constexpr int kSummands = 12;
  double normal = -kSummands / 2.0;
  for (int i = 0; i < kSummands; ++i) {
    normal += uniform(0, 1);
  }
  return median * power_of_e(spread * normal);
}

}  // namespace eviction::agent::simulate
