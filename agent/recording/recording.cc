// SPDX-License-Identifier: Apache-2.0
#include "agent/recording/recording.h"

#include <algorithm>
#include <array>
#include <utility>

#include "agent/growth_file.h"
#include "agent/recording/archive.h"

namespace eviction::agent {

namespace {

enum class Kind : char { kBegin = 'B', kLook = 'L', kWhole = 'W', kDifference = 'D' };
constexpr std::string_view kKinds = "BLWD";

constexpr std::array<std::uint32_t, 256> make_table() {
  constexpr std::uint32_t kPolynomial = 0x82f63b78;  // Castagnoli, reflected
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value & 1) != 0 ? value >> 1 ^ kPolynomial : value >> 1;
    }
    table.at(i) = value;
  }
  return table;
}

constexpr std::array<std::uint32_t, 256> kTable = make_table();
constexpr std::size_t kChecksumSize = 4;

void put_number(std::string& out, std::uint64_t value) {
  constexpr std::uint64_t kMore = 0x80;
  while (value >= kMore) {
    out += static_cast<char>(value | kMore);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

/// Small for small numbers of either sign.
void put_difference(std::string& out, std::int64_t now, std::int64_t before) {
  const auto difference = static_cast<std::int64_t>(static_cast<std::uint64_t>(now) -
                                                    static_cast<std::uint64_t>(before));
  put_number(
      out,
      static_cast<std::uint64_t>(difference) << 1 ^ static_cast<std::uint64_t>(difference >> 63));
}

/// Takes bytes off the front; what is not there is absent, and so is all after it.
class Taker {
 public:
  explicit Taker(std::string_view bytes) : bytes_{bytes} {}

  std::optional<std::uint64_t> number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::optional<std::string_view> next = bytes(1);
      if (!next) {
        return std::nullopt;
      }
      const auto byte = static_cast<unsigned char>(next->front());
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        return value;
      }
    }
    return std::nullopt;
  }

  std::optional<std::int64_t> difference_to(std::int64_t before) {
    const std::optional<std::uint64_t> coded = number();
    if (!coded) {
      return std::nullopt;
    }
    const std::uint64_t difference = *coded >> 1 ^ (~(*coded & 1) + 1);
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(before) + difference);
  }

  std::optional<std::string_view> bytes(std::uint64_t count) {
    if (count > bytes_.size()) {
      bytes_ = {};
      return std::nullopt;
    }
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }

  [[nodiscard]] std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

/// Runs of bytes that differ: how many stay, how many follow, those.
void put_runs(std::string& out, std::string_view now, std::string_view before) {
  constexpr std::size_t kWorthARun = 3;
  std::size_t done = 0;
  while (true) {
    std::size_t from = done;
    while (from < now.size() && now[from] == before[from]) {
      ++from;
    }
    if (from == now.size()) {
      return;
    }
    std::size_t end = from + 1;
    for (std::size_t at = end; at < now.size() && at < end + kWorthARun; ++at) {
      if (now[at] != before[at]) {
        end = at + 1;
      }
    }
    put_number(out, from - done);
    put_number(out, end - from);
    out += now.substr(from, end - from);
    done = end;
  }
}

/// Whether the runs fit what they change.
bool take_runs(Taker& taker, std::string& bytes) {
  std::size_t done = 0;
  while (!taker.rest().empty()) {
    const std::optional<std::uint64_t> skip = taker.number();
    const std::optional<std::uint64_t> count = taker.number();
    const auto changed = count ? taker.bytes(*count) : std::nullopt;
    if (!changed || *skip > bytes.size() - done || *count > bytes.size() - done - *skip) {
      return false;
    }
    done += *skip;
    bytes.replace(done, *count, *changed);
    done += *count;
  }
  return true;
}

std::string framed(const std::string& body) {
  std::string record;
  put_number(record, body.size());
  record += body;
  std::uint32_t sum = checksum(body);
  for (std::size_t i = 0; i < kChecksumSize; ++i, sum >>= 8) {
    record += static_cast<char>(sum & 0xff);
  }
  return record;
}

void put_head(std::string& body, const Moment& moment, const Moment& last) {
  put_difference(body, moment.at.time_since_epoch().count(), last.at.time_since_epoch().count());
  put_difference(body, moment.since_boot.count(), last.since_boot.count());
  put_difference(body, moment.mem_total.value(), last.mem_total.value());
  body += moment.mem_available ? '\1' : '\0';
  if (moment.mem_available) {
    put_difference(
        body, moment.mem_available->value(), last.mem_available.value_or(Bytes{}).value());
  }
}

bool is_amount(std::int64_t value) {
  constexpr std::int64_t kMost = std::int64_t{1} << 53;
  return value >= 0 && value <= kMost;
}

/// Absent: the head is damaged, or says what no clock and no node can.
std::optional<Moment> take_head(Taker& taker, const Moment& last) {
  constexpr std::int64_t kMostSeconds = 253'402'300'799;
  const auto at = taker.difference_to(last.at.time_since_epoch().count());
  const auto since_boot = taker.difference_to(last.since_boot.count());
  const auto total = taker.difference_to(last.mem_total.value());
  const auto has_available = taker.bytes(1);
  if (!has_available || *at < 0 || *at > kMostSeconds || !is_amount(*since_boot) ||
      !is_amount(*total)) {
    return std::nullopt;
  }
  Moment moment{.at = std::chrono::sys_seconds{std::chrono::seconds{*at}},
                .since_boot = std::chrono::milliseconds{*since_boot},
                .mem_total = Bytes{*total}};
  if (has_available->front() != '\0') {
    const auto available = taker.difference_to(last.mem_available.value_or(Bytes{}).value());
    if (!available || !is_amount(*available)) {
      return std::nullopt;
    }
    moment.mem_available = Bytes{*available};
  }
  return moment;
}

/// Reads records one after the other; each one changes what the next is the difference to.
class Decoder {
 public:
  explicit Decoder(const std::function<void(const Moment&)>& call) : call_{call} {}

  /// Whether the body was understood.
  bool take(std::string_view body) {
    Taker taker{body};
    const auto kind = taker.bytes(1);
    if (!kind) {
      return false;
    }
    switch (static_cast<Kind>(kind->front())) {
      case Kind::kBegin:
        last_ = {};
        archive_.clear();
        return take_growth(taker.rest());
      case Kind::kLook:
        return take_head_of(taker) && taker.rest().empty() && tell(nullptr);
      case Kind::kWhole:
        if (!take_head_of(taker)) {
          return false;
        }
        archive_ = taker.rest();
        return tell_seen();
      case Kind::kDifference:
        return take_head_of(taker) && !archive_.empty() && take_runs(taker, archive_) &&
               tell_seen();
    }
    return false;
  }

  [[nodiscard]] std::size_t moments() const { return moments_; }

 private:
  bool take_growth(std::string_view text) {
    learned_.reset();
    if (text.empty()) {
      return true;
    }
    Result<GrowthCheckpoint> learned = parse_growth(text, {});
    if (learned) {
      learned_ = std::move(*learned);
    }
    return learned.has_value();
  }

  bool take_head_of(Taker& taker) {
    const std::optional<Moment> head = take_head(taker, last_);
    if (head) {
      last_ = *head;
    }
    return head.has_value();
  }

  bool tell_seen() {
    const Result<Observation> seen = from_archive(archive_);
    return seen && tell(&*seen);
  }

  bool tell(const Observation* seen) {
    Moment moment = last_;
    moment.seen = seen;
    moment.learned = learned_ ? &*learned_ : nullptr;
    ++moments_;
    call_(moment);
    learned_.reset();
    return true;
  }

  const std::function<void(const Moment&)>& call_;
  Moment last_;
  std::string archive_;
  std::optional<GrowthCheckpoint> learned_;
  std::size_t moments_ = 0;
};

/// A record by its own length; its content may be damaged.
struct Frame {
  std::string_view body;
  std::string_view sum;
  std::string_view rest;  ///< what follows it
};

/// Absent: none begins here, or it is cut off.
std::optional<Frame> frame_of(std::string_view text) {
  Taker taker{text};
  const std::optional<std::uint64_t> size = taker.number();
  if (!size || *size > kLongestRecord) {
    return std::nullopt;
  }
  const auto body = taker.bytes(*size);
  const auto sum = body ? taker.bytes(kChecksumSize) : std::nullopt;
  // A length and a checksum of zeros fit an empty body: that is the end which a power cut leaves.
  if (!sum || body->empty() || kKinds.find(body->front()) == std::string_view::npos) {
    return std::nullopt;
  }
  return Frame{.body = *body, .sum = *sum, .rest = taker.rest()};
}

bool is_whole(const Frame& frame) {
  std::uint32_t expected = checksum(frame.body);
  for (const char byte : frame.sum) {
    if (byte != static_cast<char>(expected & 0xff)) {
      return false;
    }
    expected >>= 8;
  }
  return true;
}

/// Whether a whole record begins behind the first byte. What takes too long to find out is taken to
/// be so.
bool hides_records(std::string_view text) {
  constexpr std::size_t kMostChecked = std::size_t{256} << 20;
  std::size_t checked = 0;
  while (text.size() > 1) {
    text.remove_prefix(1);
    if (const std::optional<Frame> frame = frame_of(text)) {
      checked += frame->body.size();
      if (checked > kMostChecked || is_whole(*frame)) {
        return true;
      }
    }
  }
  return false;
}

Result<std::string_view> records_of(std::string_view text) {
  if (text.starts_with(kRecordingMagic)) {
    return text.substr(kRecordingMagic.size());
  }
  const bool other = begins_as_recording(text);
  return tl::unexpected{Error{.kind = ErrorKind::kMalformed,
                              .path = {},
                              .what = other
                                          ? "it is a recording of another version of eviction-agent"
                                          : "it is no recording of eviction-agent"}};
}

}  // namespace

std::uint32_t checksum(std::string_view bytes) {
  std::uint32_t sum = ~std::uint32_t{0};
  for (const char byte : bytes) {
    sum = sum >> 8 ^ kTable.at((sum ^ static_cast<unsigned char>(byte)) & 0xff);
  }
  return ~sum;
}

std::string RecordingWriter::begin(bool new_file, const std::optional<GrowthCheckpoint>& learned) {
  last_ = {};
  last_archive_.clear();
  const std::string mark =
      framed(static_cast<char>(Kind::kBegin) + (learned ? render_growth(*learned) : std::string{}));
  return new_file ? std::string{kRecordingMagic} + mark : mark;
}

std::string RecordingWriter::add(const Moment& moment) {
  std::string body;
  std::string archive;
  if (moment.seen == nullptr) {
    body += static_cast<char>(Kind::kLook);
    put_head(body, moment, last_);
  } else {
    archive = to_archive(*moment.seen);
    const bool alike = archive.size() == last_archive_.size();
    body += static_cast<char>(alike ? Kind::kDifference : Kind::kWhole);
    put_head(body, moment, last_);
    if (alike) {
      put_runs(body, archive, last_archive_);
    } else {
      body += archive;
    }
  }
  if (body.size() > kLongestRecord) {
    return {};
  }
  if (moment.seen != nullptr) {
    last_archive_ = std::move(archive);
  }
  last_ = moment;
  last_.seen = nullptr;
  last_.learned = nullptr;
  return framed(body);
}

bool begins_as_recording(std::string_view text) {
  return text.starts_with(kRecordingMagic.substr(0, kRecordingMagic.size() - 1));
}

Result<RecordingSpan> read_recording(std::string_view text,
                                     const std::function<void(const Moment&)>& call) {
  Result<std::string_view> rest = records_of(text);
  if (!rest) {
    return tl::unexpected{rest.error()};
  }
  Decoder decoder{call};
  RecordingSpan span;
  while (!rest->empty() && !span.problem) {
    span.whole_bytes = text.size() - rest->size();
    const std::optional<Frame> frame = frame_of(*rest);
    const bool whole = frame && is_whole(*frame);
    if (whole && decoder.take(frame->body)) {
      rest = frame->rest;
      continue;
    }
    const bool hides = hides_records(*rest);
    span.problem = Error{.kind = hides ? ErrorKind::kMalformed : ErrorKind::kAbsent,
                         .path = {},
                         .what = "the record at byte " + std::to_string(span.whole_bytes) +
                                 (whole ? " is not understood" : " is cut off or damaged"),
                         .remedy = std::string{"what was recorded before it is used"} +
                                   (hides ? ", what follows it is not" : "")};
  }
  if (!span.problem) {
    span.whole_bytes = text.size();
  }
  span.moments = decoder.moments();
  return span;
}

}  // namespace eviction::agent
