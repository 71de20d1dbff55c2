// SPDX-License-Identifier: Apache-2.0
#include "cgroup/zoneinfo.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "cgroup/key_value.h"
#include "cgroup/read_parsed.h"

namespace eviction::cgroup {
namespace {

/// More pages than a machine can have: 52 address bits make 2^40 pages of 4 KiB. Keeps every sum
/// over zones far from overflow. Source: linux v6.1 arch/x86/include/asm/sparsemem.h.
constexpr std::uint64_t kMostPages = std::uint64_t{1} << 44;

std::optional<std::int64_t> parse_pages(std::string_view text) {
  const auto pages = parse_digits(skip_spaces(text), kMostPages);
  return pages ? std::optional{static_cast<std::int64_t>(*pages)} : std::nullopt;
}

/// "Node 0, zone   Normal".
std::optional<std::pair<int, std::string_view>> parse_title(std::string_view line) {
  constexpr std::string_view kNode = "Node ";
  constexpr std::string_view kZone = ", zone ";
  constexpr std::uint64_t kMostNodes = 1 << 16;
  line.remove_prefix(kNode.size());
  const std::size_t end = line.find(kZone);
  if (end == std::string_view::npos) {
    return std::nullopt;
  }
  const auto node = parse_digits(line.substr(0, end), kMostNodes);
  const std::string_view name = skip_spaces(line.substr(end + kZone.size()));
  if (!node || name.empty() || name.find(' ') != std::string_view::npos) {
    return std::nullopt;
  }
  return std::pair{static_cast<int>(*node), name};
}

/// "(0, 1933, 3855)".
std::optional<std::vector<std::int64_t>> parse_protection(std::string_view text) {
  if (!text.starts_with('(') || !text.ends_with(')')) {
    return std::nullopt;
  }
  text = text.substr(1, text.size() - 2);
  std::vector<std::int64_t> pages;
  for (bool more = true; more;) {
    const std::size_t comma = text.find(',');
    const auto number = parse_pages(text.substr(0, comma));
    if (!number) {
      return std::nullopt;
    }
    pages.push_back(*number);
    more = comma != std::string_view::npos;
    text.remove_prefix(more ? comma + 1 : text.size());
  }
  return pages;
}

/// Reads one zone's lines after its title. The watermarks stand between "pages free" and
/// "protection"; the same words above and below ("high:" of a CPU's page list) mean other things.
class ZoneReader {
 public:
  explicit ZoneReader(Zone zone) : zone_{std::move(zone)} {}

  /// False when the line is not what a kernel prints.
  [[nodiscard]] bool read(std::string_view line) {
    line = skip_spaces(line);
    if (section_ == Section::kStatistics) {
      constexpr std::string_view kFirst = "pages free ";
      if (!line.starts_with(kFirst)) {
        return true;
      }
      section_ = Section::kWatermarks;
      return set(free_, line.substr(kFirst.size()));
    }
    return section_ == Section::kRest || read_watermark(line);
  }

  /// The zone, once all its lines were read. Absent when one is missing.
  [[nodiscard]] std::optional<Zone> finish() && {
    if (section_ != Section::kRest || !min_ || !low_ || !high_ || !managed_) {
      return std::nullopt;
    }
    zone_.free = *free_;
    zone_.boost = boost_.value_or(0);
    zone_.min = *min_;
    zone_.low = *low_;
    zone_.high = *high_;
    zone_.managed = *managed_;
    return std::move(zone_);
  }

 private:
  enum class Section { kStatistics, kWatermarks, kRest };

  [[nodiscard]] static bool set(std::optional<std::int64_t>& field, std::string_view text) {
    if (field) {
      return false;
    }
    field = parse_pages(text);
    return field.has_value();
  }

  [[nodiscard]] bool read_watermark(std::string_view line) {
    const std::string_view key = line.substr(0, line.find(' '));
    const std::string_view value = skip_spaces(line.substr(key.size()));
    if (key == "protection:") {
      section_ = Section::kRest;
      auto protection = parse_protection(value);
      if (!protection) {
        return false;
      }
      zone_.protection = *std::move(protection);
      return true;
    }
    const std::array fields{
        std::pair{std::string_view{"boost"}, &boost_},
        std::pair{std::string_view{"min"}, &min_},
        std::pair{std::string_view{"low"}, &low_},
        std::pair{std::string_view{"high"}, &high_},
        std::pair{std::string_view{"managed"}, &managed_},
    };
    const auto* const found = std::find_if(
        fields.begin(), fields.end(), [key](const auto& field) { return field.first == key; });
    return found == fields.end() || set(*found->second, value);
  }

  Zone zone_;
  Section section_ = Section::kStatistics;
  std::optional<std::int64_t> free_;
  std::optional<std::int64_t> boost_;
  std::optional<std::int64_t> min_;
  std::optional<std::int64_t> low_;
  std::optional<std::int64_t> high_;
  std::optional<std::int64_t> managed_;
};

/// Collects the zones of the file in their order.
class ZoneinfoReader {
 public:
  [[nodiscard]] Result<void> read(std::string_view line, std::size_t number) {
    if (!line.starts_with("Node ")) {
      if (!current_ || !current_->read(line)) {
        return tl::make_unexpected(malformed(number, "no zone's line: " + quote(line)));
      }
      return {};
    }
    const auto title = parse_title(line);
    if (!title) {
      return tl::make_unexpected(malformed(number, "no zone's title: " + quote(line)));
    }
    if (Result<void> done = finish(); !done) {
      return done;
    }
    title_line_ = number;
    Zone zone;
    zone.node = title->first;
    zone.name = title->second;
    current_.emplace(std::move(zone));
    return {};
  }

  /// Ends the zone that is being read, if any.
  [[nodiscard]] Result<void> finish() {
    if (!current_) {
      return {};
    }
    auto zone = std::move(*current_).finish();
    if (!zone) {
      return tl::make_unexpected(malformed(
          title_line_, "a zone without its free, min, low, high, managed or protection line"));
    }
    info_.zones.push_back(*std::move(zone));
    return {};
  }

  [[nodiscard]] Zoneinfo take() && { return std::move(info_); }

  /// A zone that is there twice would count twice.
  [[nodiscard]] bool has_duplicate() const {
    std::vector<std::pair<int, std::string_view>> titles;
    titles.reserve(info_.zones.size());
    for (const Zone& zone : info_.zones) {
      titles.emplace_back(zone.node, zone.name);
    }
    std::sort(titles.begin(), titles.end());
    return std::adjacent_find(titles.begin(), titles.end()) != titles.end();
  }

 private:
  Zoneinfo info_;
  std::optional<ZoneReader> current_;
  std::size_t title_line_ = 0;
};

}  // namespace

std::int64_t Zoneinfo::reserve_pages() const {
  std::int64_t sum = 0;
  for (const Zone& zone : zones) {
    std::int64_t protection = 0;
    for (const std::int64_t pages : zone.protection) {
      protection = std::max(protection, pages);
    }
    const std::int64_t high = std::max(std::int64_t{0}, zone.high - zone.boost);
    sum += std::min(zone.managed, high + protection);
  }
  return sum;
}

std::int64_t Zoneinfo::low_watermark_pages() const {
  std::int64_t sum = 0;
  for (const Zone& zone : zones) {
    sum += zone.low;
  }
  return sum;
}

std::int64_t Zoneinfo::managed_pages() const {
  std::int64_t sum = 0;
  for (const Zone& zone : zones) {
    sum += zone.managed;
  }
  return sum;
}

Bytes Zoneinfo::page_size(Bytes mem_total) const {
  using literals::operator""_KiB;
  const std::int64_t pages = managed_pages();
  if (pages == 0) {
    return 4_KiB;
  }
  // Linux has pages of 4, 16 and 64 KiB; the borders lie halfway between them.
  const Bytes measured{mem_total.value() / pages};
  if (measured < 8_KiB) {
    return 4_KiB;
  }
  return measured < 32_KiB ? 16_KiB : 64_KiB;
}

std::size_t Zoneinfo::numa_nodes() const {
  std::vector<int> nodes;
  for (const Zone& zone : zones) {
    if (zone.managed > 0) {
      nodes.push_back(zone.node);
    }
  }
  std::sort(nodes.begin(), nodes.end());
  return static_cast<std::size_t>(std::unique(nodes.begin(), nodes.end()) - nodes.begin());
}

Result<Zoneinfo> parse_zoneinfo(std::string_view text) {
  if (Result<void> checked = check_text(text); !checked) {
    return tl::make_unexpected(checked.error());
  }
  ZoneinfoReader reader;
  for (Lines lines{text}; lines.next();) {
    if (Result<void> read = reader.read(lines.line(), lines.number()); !read) {
      return tl::make_unexpected(read.error());
    }
  }
  if (Result<void> done = reader.finish(); !done) {
    return tl::make_unexpected(done.error());
  }
  if (reader.has_duplicate()) {
    return tl::make_unexpected(malformed(0, "a zone appears twice"));
  }
  return std::move(reader).take();
}

Result<Zoneinfo> read_zoneinfo(const Directory& proc, Buffer& buffer) {
  return read_parsed(proc, "zoneinfo", buffer, parse_zoneinfo);
}

}  // namespace eviction::cgroup
