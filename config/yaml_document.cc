// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_document.h"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include <yaml-cpp/yaml.h>

#include "config/yaml_scalar.h"

namespace eviction::config {
namespace {

/// More values than any kubelet configuration has; aliases can expand a small file to far more.
constexpr std::size_t kMostValues = 200000;

constexpr auto kNpos = std::string_view::npos;

constexpr std::string_view kTagPrefix = "tag:yaml.org,2002:";

/// The document cannot be read; thrown and caught in this file only, as yaml-cpp's own exceptions.
class Unreadable : public std::exception {
 public:
  Unreadable(int line, std::string what)
      : line_{line < 0 ? 0 : static_cast<std::size_t>(line) + 1}, what_{std::move(what)} {}

  [[nodiscard]] const char* what() const noexcept override { return what_.c_str(); }

  [[nodiscard]] std::size_t line() const { return line_; }

 private:
  std::size_t line_;
  std::string what_;
};

bool is_plain(const YAML::Node& node) {
  return node.IsScalar() && (node.Tag() == "?" || node.Tag().empty());
}

class Converter {
 public:
  Converter(const std::string& path, const std::string& text) : path_{path}, text_{text} {}

  ConfigDocument convert(const YAML::Node& root) {
    document_.root = value(root, 0);
    return std::move(document_);
  }

 private:
  ConfigValue value(const YAML::Node& node, std::size_t depth) {
    if (depth > kDeepestNesting) {
      throw Unreadable{node.Mark().line, "it is nested too deeply, or an anchor contains itself"};
    }
    if (++values_ > kMostValues) {
      throw Unreadable{node.Mark().line, "it has too many values, or its aliases expand to them"};
    }
    ConfigValue result;
    switch (node.Type()) {
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null:
        break;
      case YAML::NodeType::Scalar:
        result = scalar(node);
        break;
      case YAML::NodeType::Sequence:
        result.kind = ConfigValue::Kind::kList;
        for (const YAML::Node& item : node) {
          result.items.push_back(value(item, depth + 1));
        }
        break;
      case YAML::NodeType::Map:
        result.kind = ConfigValue::Kind::kMap;
        add_members(result, node, depth);
        break;
    }
    result.source = path_;
    result.line = node.Mark().line < 0 ? 0 : static_cast<std::size_t>(node.Mark().line) + 1;
    return result;
  }

  static ConfigValue scalar(const YAML::Node& node) {
    const std::string& tag = node.Tag();
    if (is_plain(node)) {
      ConfigValue plain = resolve_plain_scalar(node.Scalar());
      if (plain.kind == ConfigValue::Kind::kNumber && plain.text.find_first_of("in") != kNpos) {
        throw Unreadable{node.Mark().line, "infinity and NaN are no values for the kubelet"};
      }
      return plain;
    }
    ConfigValue result;
    result.kind = ConfigValue::Kind::kString;
    result.text = node.Scalar();
    if (tag.rfind(kTagPrefix, 0) != 0 || tag.substr(kTagPrefix.size()) == "str") {
      return result;
    }
    result = resolve_plain_scalar(node.Scalar());
    if (!fits_tag(result.kind, tag.substr(kTagPrefix.size()))) {
      throw Unreadable{node.Mark().line, "a value does not fit its tag; quote it instead"};
    }
    return result;
  }

  static bool fits_tag(ConfigValue::Kind kind, std::string_view tag) {
    switch (kind) {
      case ConfigValue::Kind::kNull:
        return tag == "null";
      case ConfigValue::Kind::kBoolean:
        return tag == "bool";
      case ConfigValue::Kind::kNumber:
        return tag == "int" || tag == "float";
      case ConfigValue::Kind::kString:
      case ConfigValue::Kind::kList:
      case ConfigValue::Kind::kMap:
        break;
    }
    return false;
  }

  void add_members(ConfigValue& result, const YAML::Node& node, std::size_t depth) {
    for (const auto& member : node) {
      const YAML::Node& key = member.first;
      if (is_plain(key) && key.Scalar() == "<<") {
        merge(result, member.second, depth);
      } else {
        check_colon(key, member.second);
        add(result, name_of(key), value(member.second, depth + 1), key.Mark().line);
      }
    }
  }

  /// A merge key; of several maps the first one wins.
  void merge(ConfigValue& result, const YAML::Node& maps, std::size_t depth) {
    if (depth > kDeepestNesting || ++values_ > kMostValues) {
      throw Unreadable{maps.Mark().line, "it has too many values, or its aliases expand to them"};
    }
    if (maps.IsMap()) {
      add_members(result, maps, depth + 1);
      return;
    }
    if (!maps.IsSequence()) {
      throw Unreadable{maps.Mark().line, "a merge key needs a map"};
    }
    for (std::size_t i = maps.size(); i > 0; --i) {
      if (!maps[i - 1].IsMap()) {
        throw Unreadable{maps.Mark().line, "a merge key needs a map"};
      }
      add_members(result, maps[i - 1], depth + 1);
    }
  }

  /// yaml-cpp takes a line without a colon for a key without a value: "memory.available:1Gi".
  void check_colon(const YAML::Node& key, const YAML::Node& value) const {
    const auto start = static_cast<std::size_t>(std::max(key.Mark().pos, 0));
    if (!is_plain(key) || !value.IsNull() ||
        text_.compare(std::min(start, text_.size()), key.Scalar().size(), key.Scalar()) != 0) {
      return;
    }
    const std::size_t next = text_.find_first_not_of(" \t", start + key.Scalar().size());
    if (next == std::string::npos || text_[next] == '\n') {
      throw Unreadable{key.Mark().line, "a key lacks its ': ' (a space has to follow the colon)"};
    }
  }

  static std::string name_of(const YAML::Node& key) {
    if (!key.IsScalar()) {
      throw Unreadable{key.Mark().line, "a key has to be a string"};
    }
    const ConfigValue name = scalar(key);
    if (name.kind == ConfigValue::Kind::kNull) {
      throw Unreadable{key.Mark().line, "a key has to be a string"};
    }
    return name.text;
  }

  /// The last one of a name wins, as in the kubelet.
  void add(ConfigValue& result, const std::string& name, ConfigValue value, int line) {
    if (ConfigValue* const earlier = result.find(name)) {
      document_.duplicates.push_back(name + " (line " + std::to_string(line + 1) + ")");
      *earlier = std::move(value);
    } else if (result.members.size() == kMostMembers) {
      throw Unreadable{line, "a map has too many keys"};
    } else {
      result.members.push_back({name, std::move(value)});
    }
  }

  const std::string& path_;
  const std::string& text_;
  ConfigDocument document_;
  std::size_t values_ = 0;
};

Error malformed(const std::string& path, std::size_t line, std::string what) {
  return Error{.kind = ErrorKind::kMalformed,
               .path = path,
               .line = line,
               .what = std::move(what),
               .remedy = "correct the YAML"};
}

/// The line of a directive that the kubelet refuses: %YAML of another version than 1.1, or one
/// after the document has begun, where yaml-cpp would leave out all that follows; 0 for none.
std::size_t bad_directive_line(std::string_view text) {
  bool begun = false;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view content = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const bool document_mark = content.substr(0, 3) == "---" || content.substr(0, 3) == "...";
    if (begun && document_mark) {
      return 0;
    }
    if (content.substr(0, 1) != "%") {
      begun = begun || (!content.empty() && content.front() != '#');
    } else if (begun || (content.substr(0, 5) == "%YAML" && content.find(" 1.1") == kNpos)) {
      return line;
    }
  }
  return 0;
}

/// YAML 1.1 has six line breaks, yaml-cpp knows two.
std::string with_plain_breaks(std::string_view text) {
  constexpr std::array<std::string_view, 5> kBreaks{
      "\r\n", "\r", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"};
  std::string plain;
  while (!text.empty()) {
    const auto* const found =
        std::find_if(kBreaks.begin(), kBreaks.end(), [text](std::string_view line_break) {
          return text.substr(0, line_break.size()) == line_break;
        });
    plain += found == kBreaks.end() ? text.front() : '\n';
    text.remove_prefix(found == kBreaks.end() ? 1 : found->size());
  }
  return plain;
}

/// yaml-cpp sees a quote that is never closed only when text ends right there, without a blank.
void check_quotes(const std::string& text) {
  static_cast<void>(YAML::Load(text + "\n#"));
}

}  // namespace

Result<ConfigDocument> parse_yaml_document(std::string_view text, const std::string& path) {
  const std::string plain = with_plain_breaks(text);
  if (const std::size_t line = bad_directive_line(plain)) {
    return tl::unexpected{malformed(path, line, "this is no directive of YAML 1.1")};
  }
  try {
    const YAML::Node root = YAML::Load(plain);
    check_quotes(plain);
    return Converter{path, plain}.convert(root);
  } catch (const Unreadable& error) {
    return tl::unexpected{malformed(path, error.line(), error.what())};
  } catch (const YAML::Exception& error) {
    const std::size_t line =
        error.mark.is_null() ? 0 : static_cast<std::size_t>(error.mark.line) + 1;
    return tl::unexpected{malformed(path, line, "it is not valid YAML: " + error.msg)};
  }
}

}  // namespace eviction::config
