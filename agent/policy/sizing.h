// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/policy/growth.h"
#include "cgroup/bytes.h"

namespace eviction::agent {

/// Which of the kubelet's thresholds carry the need.
enum class Instrument { kHard, kHardSoft, kSoft, kNone };

/// "hard", "hard+soft", "soft", "none".
[[nodiscard]] std::string_view to_text(Instrument instrument);

/// One addend of the threshold.
struct Term {
  std::string name;
  Bytes bytes;
  std::string reason;
  std::string source;
};

/// What the need is computed from. All amounts are non-negative unless said otherwise. The page
/// cache that reclaim leaves alone (w) is not in it: it is gone when memory runs out. Source:
/// measured with kubelet 1.36.2 on a node with K + R of 231 MiB and w of 95 MiB, which the kernel
/// had to kill on with 185 to 227 MiB available to the kubelet.
struct NeedInput {
  Bytes capacity;                     ///< C
  Bytes reserve;                      ///< R
  Bytes kernel;                       ///< K
  Bytes page_tables;                  ///< what K grows by until memory runs out
  Bytes active_file_low;              ///< a at its lowest; 0 where that is not known
  std::optional<Bytes> outside_peak;  ///< S at its highest, or of this look; absent: unknown
  std::optional<Bytes> reserved;      ///< V; absent: kubepods has no limit
  bool allocatable_copy = true;       ///< a hard threshold holds on kubepods' limit, too
  Bytes hugepages;                    ///< pool of hugepages: part of K and of S
  Growth growth;
};

/// What a threshold must hold to fire before the kernel kills, for each of the two instruments.
struct Need {
  Bytes hard;            ///< full need, rounded up to step
  Bytes hard_effective;  ///< the same with half the growth: below it a hard value is useless
  Bytes soft;            ///< full need of a soft threshold, one poll later; rounded up
  Bytes soft_effective;
  bool hard_by_allocatable = false;  ///< the allocatable copy of the signal is the one that fires
  Bytes hugepages;                   ///< how much of hard is there for the pool of hugepages
  Bytes step;                        ///< rounding step at this capacity
  std::vector<Term> terms;           ///< that add up to hard
  std::vector<Term> soft_terms;      ///< that add up to soft
};

[[nodiscard]] Need compute_need(const NeedInput& input);

/// Rounding step: 16 MiB up to 128 GiB of RAM, then the power of two next below an 8192nd of it.
[[nodiscard]] Bytes rounding_step(Bytes capacity);

/// The largest values that pass the guards. Absent: no bound known.
struct Bounds {
  std::optional<Bytes> hard;           ///< the least of requests-fit, kubepods-room, reserved-fit
  std::string hard_holder;             ///< what would have to give way: "memory requests", ...
  std::optional<Bytes> headroom;       ///< available memory now less slack: binds hard and soft
  std::optional<std::string> no_hard;  ///< why there can be no hard threshold at all
  std::optional<std::string> no_soft;  ///< why there can be no soft threshold at all
  std::optional<Bytes> kubepods_room;  ///< binds hard and reclaim together, by the allocatable copy
  Bytes armed_hard = {};  ///< headroom does not bind what is in our file already: it is
  Bytes armed_soft = {};  ///< there for the low
};

/// What is to be set.
struct Sizing {
  Instrument instrument = Instrument::kNone;
  std::optional<Bytes> need;  ///< full need of hard (of soft, where that is the instrument)
  std::optional<Bytes> hard;
  std::optional<Bytes> soft;
  std::optional<Bytes> reclaim;
  Bytes hard_effective = {};  ///< below these a value is useless: see Need
  Bytes soft_effective = {};
  std::optional<Bytes> shortfall;     ///< what would have to move for the full hard value to pass
  std::string reason;                 ///< why this instrument, in words
  std::vector<Term> terms;            ///< that add up to need
  std::optional<Growth> growth = {};  ///< how its term came about; absent: not sized
};

/// Chooses the instrument: the full hard value if it passes, else the largest effective hard value,
/// with a soft one above it where there can be one (the full need, or what headroom leaves), else
/// soft alone, else none. A value below its effective need is never chosen.
[[nodiscard]] Sizing size(const Need& need, const Bounds& bounds, const Growth& growth);

}  // namespace eviction::agent
