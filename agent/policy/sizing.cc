// SPDX-License-Identifier: Apache-2.0
#include "agent/policy/sizing.h"

#include <algorithm>
#include <bit>
#include <cstdint>

#include <spdlog/fmt/fmt.h>

namespace eviction::agent {

namespace {

/// What the threshold holds against besides growth and R, on the signal that needs less.
struct Blind {
  Bytes node;                        ///< K, its page tables to come - a_low
  std::optional<Bytes> allocatable;  ///< max(0, S_peak - V); absent: that copy does not exist here
  Bytes unused;  ///< max(0, V - S_peak - R): available on the node when the pods reach their limit
};

Blind blind_memory(const NeedInput& input) {
  Blind blind{input.kernel + input.page_tables - input.active_file_low, std::nullopt, {}};
  if (input.reserved && input.outside_peak) {
    const Bytes above = *input.outside_peak - *input.reserved;
    if (input.allocatable_copy) {
      blind.allocatable = std::max(above, Bytes{});
    }
    blind.unused = std::max(Bytes{} - above - input.reserve, Bytes{});
  }
  return blind;
}

/// The terms that growth stands on: R and what the signal is blind to.
std::vector<Term> blind_terms(const NeedInput& input, const Blind& blind, bool by_allocatable) {
  std::vector<Term> terms = {{"reserve",
                              input.reserve,
                              "pages the kernel keeps back from user allocations (R)",
                              "/proc/zoneinfo: high watermarks and lowmem protection"}};
  if (by_allocatable) {
    terms.push_back(
        {"outside-pods",
         *blind.allocatable,
         fmt::format("memory outside pods ({}) above what is reserved for it ({}): S - V, "
                     "on the allocatable copy of the signal",
                     to_human(*input.outside_peak),
                     to_human(*input.reserved)),
         "/proc/meminfo and kubepods memory.current, memory.max"});
    return terms;
  }
  terms.push_back({"kernel",
                   input.kernel,
                   "memory the kernel holds and the kubelet calls available (K)",
                   "/proc/meminfo and the root's memory.stat"});
  terms.push_back({"page-tables",
                   input.page_tables,
                   "page tables of what is still available, which the kernel will hold, too",
                   "/proc/meminfo: PageTables and SecPageTables to AnonPages and Shmem"});
  terms.push_back({"active-file",
                   Bytes{} - input.active_file_low,
                   "page cache the kubelet counts as used (a): 0 of it, as it may all go",
                   "prior"});
  if (blind.unused > Bytes{}) {
    terms.push_back({"kubepods-limit",
                     blind.unused,
                     fmt::format("when the pods reach their limit, as much more is available on "
                                 "the node: what is reserved ({}) and not used (S {}), above R",
                                 to_human(*input.reserved),
                                 to_human(*input.outside_peak)),
                     "/proc/meminfo and kubepods memory.current, memory.max"});
  }
  return terms;
}

/// Puts growth before the terms and the rounding behind them. Returns the rounded sum.
Bytes complete_terms(std::vector<Term>& terms, std::vector<Term> growth, Bytes step) {
  terms.insert(terms.begin(), growth.begin(), growth.end());
  Bytes sum;
  for (const Term& term : terms) {
    sum += term.bytes;
  }
  const Bytes rounded = std::max(round_up(sum, step), Bytes{});
  terms.push_back(
      {"rounding", rounded - sum, fmt::format("up to a multiple of {}", to_human(step)), "fixed"});
  return rounded;
}

Bytes at_least_zero(Bytes amount) {
  return std::max(amount, Bytes{});
}

/// The largest whole number of steps that fits; absent when not one does.
std::optional<Bytes> fitting(Bytes bound, Bytes step) {
  const Bytes value = round_down(bound, step);
  return value > Bytes{} ? std::optional{value} : std::nullopt;
}

/// hard: the part of it that holds on kubepods' limit, too.
std::optional<Bytes> reclaim_for(Bytes threshold,
                                 const std::optional<Bytes>& hard,
                                 const Bounds& bounds,
                                 const Growth& growth,
                                 Bytes step) {
  Bytes reclaim = round_up(growth.bytes, step);
  if (bounds.headroom) {
    reclaim = std::min(reclaim, round_down(*bounds.headroom - threshold, step));
  }
  // Halved, not cut to fit: the room is that of one look, and a new value with each is no use.
  while (hard && bounds.kubepods_room && reclaim >= step &&
         reclaim > *bounds.kubepods_room - *hard) {
    reclaim = round_down(Bytes{reclaim.value() / 2}, step);
  }
  return reclaim >= step ? std::optional{reclaim} : std::nullopt;
}

/// The soft value that both protects and does not fire at once.
std::optional<Bytes> soft_value(const Need& need, const Bounds& bounds) {
  if (bounds.no_soft) {
    return std::nullopt;
  }
  Bytes value = need.soft;
  if (bounds.headroom) {
    value = std::min(value, std::max(round_down(*bounds.headroom, need.step), bounds.armed_soft));
  }
  return value >= need.soft_effective && value > Bytes{} ? std::optional{value} : std::nullopt;
}

std::optional<Bytes> headroom_of_hard(const Bounds& bounds) {
  return bounds.headroom ? std::optional{std::max(*bounds.headroom, bounds.armed_hard)}
                         : std::nullopt;
}

/// The hard value that passes its guards and still fires in time.
std::optional<Bytes> hard_value(const Need& need, const Bounds& bounds) {
  if (bounds.no_hard) {
    return std::nullopt;
  }
  Bytes value = need.hard;
  for (const std::optional<Bytes>& bound : {bounds.hard, headroom_of_hard(bounds)}) {
    if (bound && *bound < value) {
      value = fitting(*bound, need.step).value_or(Bytes{});
    }
  }
  return value >= need.hard_effective && value > Bytes{} ? std::optional{value} : std::nullopt;
}

std::string to_fit_all(const Sizing& sizing, const Bounds& bounds) {
  if (bounds.no_hard) {
    return *bounds.no_hard;
  }
  const bool by_holder =
      bounds.hard && (!bounds.headroom || *bounds.hard < *headroom_of_hard(bounds));
  return fmt::format("for the full hard value free {} of {}",
                     to_human(*sizing.shortfall),
                     by_holder ? bounds.hard_holder : "memory in use");
}

std::string explain(const Sizing& sizing, const Need& need, const Bounds& bounds) {
  if (sizing.instrument == Instrument::kHard && *sizing.hard == need.hard) {
    return "the full need fits as a hard threshold";
  }
  const std::string remedy = to_fit_all(sizing, bounds);
  switch (sizing.instrument) {
    case Instrument::kHard:
      return fmt::format("only {} of {} fit, and no soft threshold above it; {}",
                         to_human(*sizing.hard),
                         to_human(need.hard),
                         remedy);
    case Instrument::kHardSoft:
      return fmt::format(
          "only {} of {} fit as a hard threshold; a soft one above it adds the rest, "
          "one poll later; {}",
          to_human(*sizing.hard),
          to_human(need.hard),
          remedy);
    case Instrument::kSoft:
      return fmt::format(
          "no hard threshold that fires in time ({} or more) is right here; a soft one "
          "takes nothing from Allocatable and so rejects no pod; {}",
          to_human(need.hard_effective),
          remedy);
    case Instrument::kNone:
      return fmt::format("cannot protect: no threshold that fires in time fits; {}", remedy);
  }
  return {};
}

}  // namespace

std::string_view to_text(Instrument instrument) {
  switch (instrument) {
    case Instrument::kHard:
      return "hard";
    case Instrument::kHardSoft:
      return "hard+soft";
    case Instrument::kSoft:
      return "soft";
    case Instrument::kNone:
      return "none";
  }
  return "none";
}

Bytes rounding_step(Bytes capacity) {
  constexpr Bytes kSmallest = 16_MiB;
  constexpr std::int64_t kParts = 8192;
  const std::int64_t part = capacity.value() / kParts;
  if (part <= kSmallest.value()) {
    return kSmallest;
  }
  return Bytes{static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(part)))};
}

Need compute_need(const NeedInput& input) {
  Need need;
  need.step = rounding_step(input.capacity);
  const Blind blind = blind_memory(input);
  const Bytes node_blind = blind.node + blind.unused;
  need.hard_by_allocatable = blind.allocatable && *blind.allocatable < node_blind;
  const Bytes hard_blind = need.hard_by_allocatable ? *blind.allocatable : node_blind;
  need.hugepages =
      need.hard_by_allocatable ? std::min(input.hugepages, *blind.allocatable) : input.hugepages;
  const Bytes least = scale(input.growth.bytes, 1, 2);
  need.hard_effective = at_least_zero(input.reserve + hard_blind) + least;
  need.soft_effective = at_least_zero(input.reserve + node_blind) + least + input.growth.per_poll;

  const Term growth{"growth", input.growth.bytes, input.growth.reason, input.growth.source};
  const Term poll{"one-poll",
                  input.growth.per_poll,
                  "growth of one more poll: a soft threshold kills at the second look",
                  input.growth.source};
  need.terms = blind_terms(input, blind, need.hard_by_allocatable);
  need.hard = complete_terms(need.terms, {growth}, need.step);
  need.soft_terms = blind_terms(input, blind, false);
  need.soft = complete_terms(need.soft_terms, {growth, poll}, need.step);
  return need;
}

Sizing size(const Need& need, const Bounds& bounds, const Growth& growth) {
  Sizing sizing;
  sizing.growth = growth;
  sizing.terms = need.terms;
  sizing.need = need.hard;
  sizing.hard_effective = need.hard_effective;
  sizing.soft_effective = need.soft_effective;
  sizing.hard = hard_value(need, bounds);
  Bytes fits = need.hard;
  for (const std::optional<Bytes>& bound : {bounds.hard, headroom_of_hard(bounds)}) {
    fits = bound ? std::min(fits, *bound) : fits;
  }
  sizing.shortfall = need.hard - fits;
  if (sizing.hard && *sizing.hard == need.hard) {
    sizing.instrument = Instrument::kHard;
  } else {
    sizing.soft = soft_value(need, bounds);
    if (sizing.hard && sizing.soft && *sizing.soft > *sizing.hard) {
      sizing.instrument = Instrument::kHardSoft;
    } else if (sizing.hard) {
      sizing.instrument = Instrument::kHard;
      sizing.soft.reset();
    } else if (sizing.soft) {
      sizing.instrument = Instrument::kSoft;
      sizing.need = need.soft;
      sizing.terms = need.soft_terms;
    }
  }
  if (sizing.instrument != Instrument::kNone) {
    const Bytes threshold = std::max(sizing.hard.value_or(Bytes{}), sizing.soft.value_or(Bytes{}));
    sizing.reclaim = reclaim_for(threshold, sizing.hard, bounds, growth, need.step);
  }
  sizing.reason = explain(sizing, need, bounds);
  return sizing;
}

}  // namespace eviction::agent
