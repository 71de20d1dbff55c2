// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_document.h"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <map>
#include <new>
#include <optional>
#include <utility>

#include <yaml.h>

#include "config/yaml_scalar.h"

namespace eviction::config {
namespace {

/// More values than any kubelet configuration has; aliases can expand a small file to far more.
constexpr std::size_t kMostValues = 200000;

constexpr std::string_view kBlanks = " \t\r\n";

constexpr std::string_view kTagPrefix = "tag:yaml.org,2002:";

// libyaml is what go-yaml, the kubelet's reader, was translated from: the two take the same text.

/// The document cannot be read; thrown and caught in this file only.
class Unreadable : public std::exception {
 public:
  Unreadable(std::size_t line, std::string what) : line_{line}, what_{std::move(what)} {}

  [[nodiscard]] const char* what() const noexcept override { return what_.c_str(); }

  [[nodiscard]] std::size_t line() const { return line_; }

 private:
  std::size_t line_;
  std::string what_;
};

std::string_view text_of(const yaml_char_t* text) {
  return text == nullptr ? std::string_view{}
                         : std::string_view{reinterpret_cast<const char*>(text)};
}

std::size_t line_of(const yaml_mark_t& mark) {
  return mark.line + 1;
}

/// The events of a text, one after the other. Before the first next() there is none.
class Events {
 public:
  explicit Events(std::string_view text) {
    if (yaml_parser_initialize(&parser_) == 0) {
      throw std::bad_alloc{};
    }
    yaml_parser_set_input_string(
        &parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }

  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;
  Events(Events&&) = delete;
  Events& operator=(Events&&) = delete;

  ~Events() {
    yaml_event_delete(&event_);
    yaml_parser_delete(&parser_);
  }

  [[nodiscard]] const yaml_event_t& now() const { return event_; }

  void next() {
    yaml_event_delete(&event_);
    if (yaml_parser_parse(&parser_, &event_) == 0) {
      const std::string problem =
          parser_.problem == nullptr ? "it cannot be read" : parser_.problem;
      throw Unreadable{line_of(parser_.problem_mark), "it is not valid YAML: " + problem};
    }
  }

 private:
  yaml_parser_t parser_{};
  yaml_event_t event_{};
};

/// Whether text is written as a whole number; it is known to be a number.
bool is_whole(std::string_view text) {
  return text.find_first_of("xX") != std::string_view::npos ||
         text.find_first_of(".eE") == std::string_view::npos;
}

bool fits_tag(ConfigValue::Kind kind, std::string_view tag, std::string_view text) {
  switch (kind) {
    case ConfigValue::Kind::kNull:
      return tag == "null";
    case ConfigValue::Kind::kBoolean:
      return tag == "bool";
    case ConfigValue::Kind::kNumber:
      return tag == "float" || (tag == "int" && is_whole(text));
    case ConfigValue::Kind::kString:
    case ConfigValue::Kind::kList:
    case ConfigValue::Kind::kMap:
      break;
  }
  return false;
}

/// Whether a scalar of this type is more than its text.
bool is_resolved(std::string_view type) {
  return type == "null" || type == "bool" || type == "int" || type == "float" ||
         type == "timestamp" || type == "binary";
}

/// Source: go-yaml v2.4 decode.go scalar(), resolve.go resolve().
ConfigValue resolve_scalar(const yaml_event_t& event, bool is_bare_tag) {
  const auto& scalar = event.data.scalar;
  const std::string_view text{reinterpret_cast<const char*>(scalar.value), scalar.length};
  const std::string_view tag = text_of(scalar.tag);
  if (scalar.plain_implicit != 0 && !is_bare_tag) {
    ConfigValue plain = resolve_plain_scalar(text);
    if (plain.kind == ConfigValue::Kind::kNumber &&
        plain.text.find_first_of("in") != std::string::npos) {
      throw Unreadable{line_of(event.start_mark), "infinity and NaN are no values for the kubelet"};
    }
    return plain;
  }
  ConfigValue result;
  result.kind = ConfigValue::Kind::kString;
  result.text = text;
  if (tag.substr(0, kTagPrefix.size()) != kTagPrefix ||
      !is_resolved(tag.substr(kTagPrefix.size()))) {
    return result;
  }
  result = resolve_plain_scalar(text);
  if (!fits_tag(result.kind, tag.substr(kTagPrefix.size()), text)) {
    throw Unreadable{line_of(event.start_mark), "a value does not fit its tag; quote it instead"};
  }
  return result;
}

bool is_merge_key(const yaml_event_t& event) {
  if (event.type != YAML_SCALAR_EVENT || text_of(event.data.scalar.value) != "<<") {
    return false;
  }
  return event.data.scalar.plain_implicit != 0 ||
         text_of(event.data.scalar.tag) == std::string{kTagPrefix} + "merge";
}

std::string_view anchor_of(const yaml_event_t& event) {
  if (event.type == YAML_ALIAS_EVENT) {
    return text_of(event.data.alias.anchor);
  }
  if (event.type == YAML_SCALAR_EVENT) {
    return text_of(event.data.scalar.anchor);
  }
  return text_of(event.type == YAML_SEQUENCE_START_EVENT ? event.data.sequence_start.anchor
                                                         : event.data.mapping_start.anchor);
}

/// What is left of UTF-8 text from its character of that number on; a byte order mark at its start
/// is none.
std::string_view from_character(std::string_view text, std::size_t number) {
  if (text.substr(0, 3) == "\xef\xbb\xbf") {
    text.remove_prefix(3);
  }
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const bool continues = (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80U;
    if (!continues && number-- == 0) {
      break;
    }
  }
  return text.substr(at);
}

class Reader {
 public:
  Reader(std::string_view text, const std::string& path)
      : text_{text}, path_{path}, events_{text} {}

  /// What follows the first document is not looked at, as in the kubelet.
  ConfigDocument read() {
    events_.next();
    events_.next();
    if (events_.now().type == YAML_DOCUMENT_START_EVENT) {
      check_version();
      events_.next();
      document_.root = value(0);
    }
    return std::move(document_);
  }

 private:
  struct Anchor {
    std::size_t owner = 0;             ///< serial number of the node
    std::optional<ConfigValue> value;  ///< absent while the node is being read
    std::size_t values = 0;            ///< in value, itself included
  };

  /// go-yaml takes YAML 1.1 only, libyaml 1.2 too.
  void check_version() const {
    const yaml_version_directive_t* const version =
        events_.now().data.document_start.version_directive;
    if (version != nullptr && (version->major != 1 || version->minor != 1)) {
      throw Unreadable{line(), "this is no directive of YAML 1.1"};
    }
  }

  [[nodiscard]] std::size_t line() const { return line_of(events_.now().start_mark); }

  void count(std::size_t values) {
    values_ += values;
    if (values_ > kMostValues) {
      throw Unreadable{line(), "it has too many values, or its aliases expand to them"};
    }
  }

  /// The value that begins with this event; leaves the event behind it. Unlike the other kinds an
  /// alias has been read to its end already.
  ConfigValue value(std::size_t depth) {
    if (depth > kDeepestNesting) {
      throw Unreadable{line(), "it is nested too deeply"};
    }
    const std::string anchor{anchor_of(events_.now())};
    if (events_.now().type == YAML_ALIAS_EVENT) {
      return alias(anchor);
    }
    const std::size_t owner = ++nodes_;
    const std::size_t values_before = values_;
    if (!anchor.empty()) {
      anchors_[anchor] = Anchor{.owner = owner, .value = std::nullopt, .values = 0};
    }
    count(1);
    const std::size_t first_line = line();
    ConfigValue result = content(depth);
    result.source = path_;
    result.line = first_line;
    events_.next();
    if (!anchor.empty() && anchors_[anchor].owner == owner) {
      anchors_[anchor].value = result;
      anchors_[anchor].values = values_ - values_before;
    }
    return result;
  }

  /// Leaves the last event of the value.
  ConfigValue content(std::size_t depth) {
    const yaml_event_t& event = events_.now();
    if (event.type == YAML_SCALAR_EVENT) {
      check_question_mark(event);
      return resolve_scalar(event, has_bare_tag(event));
    }
    const bool is_list = event.type == YAML_SEQUENCE_START_EVENT;
    const bool is_flow = is_list ? event.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE
                                 : event.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
    const std::size_t flow_level = flow_level_;
    flow_level_ += is_flow ? 1 : 0;
    ConfigValue result = is_list ? list(depth) : map(depth);
    flow_level_ = flow_level;
    return result;
  }

  /// Whether the tag is "!" alone, which makes a string of any scalar; libyaml does not tell.
  [[nodiscard]] bool has_bare_tag(const yaml_event_t& event) const {
    if (event.data.scalar.plain_implicit == 0 || event.data.scalar.length == 0 ||
        text_.find('!') == std::string_view::npos) {
      return false;
    }
    std::string_view rest = from_character(text_, event.start_mark.index);
    if (rest.substr(0, 1) == "&") {
      rest.remove_prefix(std::min(rest.find_first_of(kBlanks), rest.size()));
      rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
    }
    return rest.substr(0, 1) == "!";
  }

  /// libyaml takes "?" in a plain scalar between brackets, go-yaml does not.
  void check_question_mark(const yaml_event_t& event) const {
    if (flow_level_ > 0 && event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
        text_of(event.data.scalar.value).find('?') != std::string_view::npos) {
      throw Unreadable{line(), "a value with ? between brackets or braces has to be quoted"};
    }
  }

  ConfigValue list(std::size_t depth) {
    ConfigValue result;
    result.kind = ConfigValue::Kind::kList;
    events_.next();
    while (events_.now().type != YAML_SEQUENCE_END_EVENT) {
      result.items.push_back(value(depth + 1));
    }
    return result;
  }

  ConfigValue map(std::size_t depth) {
    ConfigValue result;
    result.kind = ConfigValue::Kind::kMap;
    events_.next();
    while (events_.now().type != YAML_MAPPING_END_EVENT) {
      read_member(result, depth);
    }
    return result;
  }

  ConfigValue alias(const std::string& name) {
    const auto anchor = anchors_.find(name);
    if (anchor == anchors_.end()) {
      throw Unreadable{line(), "the alias *" + name + " has no anchor before it"};
    }
    if (!anchor->second.value) {
      throw Unreadable{line(), "the anchor &" + name + " contains itself"};
    }
    count(anchor->second.values);
    events_.next();
    return *anchor->second.value;
  }

  void read_member(ConfigValue& map, std::size_t depth) {
    const std::size_t key_line = line();
    if (is_merge_key(events_.now())) {
      events_.next();
      merge(map, depth);
      return;
    }
    const ConfigValue key = value(depth + 1);
    if (key.kind == ConfigValue::Kind::kNull || key.kind == ConfigValue::Kind::kList ||
        key.kind == ConfigValue::Kind::kMap) {
      throw Unreadable{key_line, "a key has to be a string"};
    }
    add(map, key.text, value(depth + 1), key_line);
  }

  /// The value of a merge key: a map, or a list of maps of which the first one wins; an alias has
  /// to be of a map. Source: go-yaml v2.4 decode.go merge().
  void merge(ConfigValue& map, std::size_t depth) {
    const std::size_t first_line = line();
    const bool is_alias = events_.now().type == YAML_ALIAS_EVENT;
    const ConfigValue merged = value(depth + 1);
    if (merged.kind == ConfigValue::Kind::kMap) {
      add_all(map, merged, first_line);
      return;
    }
    if (merged.kind != ConfigValue::Kind::kList || is_alias) {
      throw Unreadable{first_line, "a merge key needs a map"};
    }
    for (std::size_t i = merged.items.size(); i > 0; --i) {
      const ConfigValue& item = merged.items[i - 1];
      if (item.kind != ConfigValue::Kind::kMap) {
        throw Unreadable{first_line, "a merge key needs a map"};
      }
      add_all(map, item, first_line);
    }
  }

  void add_all(ConfigValue& map, const ConfigValue& merged, std::size_t line) {
    for (const ConfigMember& member : merged.members) {
      add(map, member.name, member.value, line);
    }
  }

  /// The last one of a name wins, as in the kubelet.
  void add(ConfigValue& map, const std::string& name, ConfigValue value, std::size_t line) {
    if (ConfigValue* const earlier = map.find(name)) {
      document_.duplicates.push_back(name + " (line " + std::to_string(line) + ")");
      *earlier = std::move(value);
    } else if (map.members.size() == kMostMembers) {
      throw Unreadable{line, "a map has too many keys"};
    } else {
      map.members.push_back({name, std::move(value)});
    }
  }

  std::string_view text_;
  const std::string& path_;
  Events events_;
  ConfigDocument document_;
  std::map<std::string, Anchor> anchors_;
  std::size_t flow_level_ = 0;  ///< brackets and braces around
  std::size_t nodes_ = 0;
  std::size_t values_ = 0;
};

}  // namespace

Result<ConfigDocument> parse_yaml_document(std::string_view text, const std::string& path) {
  try {
    return Reader{text, path}.read();
  } catch (const Unreadable& error) {
    return tl::unexpected{Error{.kind = ErrorKind::kMalformed,
                                .path = path,
                                .line = error.line(),
                                .what = error.what(),
                                .remedy = "correct the YAML"}};
  }
}

}  // namespace eviction::config
