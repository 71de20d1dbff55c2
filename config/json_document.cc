// SPDX-License-Identifier: Apache-2.0
#include "config/json_document.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <nlohmann/json.hpp>

namespace eviction::config {
namespace {

using nlohmann::json;

/// Builds a ConfigDocument from the parser's events, because a parsed nlohmann::json no longer
/// knows which names a map had twice.
class Builder : public json::json_sax_t {
 public:
  explicit Builder(const std::string& path) : path_{path} {}

  bool null() override { return scalar(ConfigValue::Kind::kNull, {}); }

  bool boolean(bool value) override {
    return scalar(ConfigValue::Kind::kBoolean, value ? "true" : "false");
  }

  bool number_integer(std::int64_t value) override {
    return scalar(ConfigValue::Kind::kNumber, std::to_string(value));
  }

  bool number_unsigned(std::uint64_t value) override {
    return scalar(ConfigValue::Kind::kNumber, std::to_string(value));
  }

  bool number_float(double /*value*/, const std::string& text) override {
    return scalar(ConfigValue::Kind::kNumber, text);
  }

  bool string(std::string& value) override { return scalar(ConfigValue::Kind::kString, value); }

  bool binary(json::binary_t& /*value*/) override { return false; }

  bool start_object(std::size_t /*elements*/) override { return open(ConfigValue::Kind::kMap); }

  bool start_array(std::size_t /*elements*/) override { return open(ConfigValue::Kind::kList); }

  bool end_object() override { return close(); }

  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    if (open_.back().second.find(name) != nullptr) {
      document_.duplicates.push_back(name);
    }
    key_ = name;
    too_large_ = open_.back().second.members.size() >= kMostMembers;
    return !too_large_;
  }

  bool parse_error(std::size_t position,
                   const std::string& /*token*/,
                   const json::exception& /*error*/) override {
    position_ = position;
    return false;
  }

  [[nodiscard]] ConfigDocument& document() { return document_; }

  [[nodiscard]] std::size_t position() const { return position_; }

  [[nodiscard]] bool too_large() const { return too_large_; }

 private:
  [[nodiscard]] ConfigValue make(ConfigValue::Kind kind, std::string text) const {
    ConfigValue value;
    value.kind = kind;
    value.text = std::move(text);
    value.source = path_;
    return value;
  }

  bool scalar(ConfigValue::Kind kind, std::string text) {
    add(key_, make(kind, std::move(text)));
    return true;
  }

  bool open(ConfigValue::Kind kind) {
    too_large_ = open_.size() >= kDeepestNesting;
    open_.emplace_back(key_, make(kind, {}));
    return !too_large_;
  }

  bool close() {
    auto [name, value] = std::move(open_.back());
    open_.pop_back();
    add(name, std::move(value));
    return true;
  }

  void add(const std::string& name, ConfigValue value) {
    if (open_.empty()) {
      document_.root = std::move(value);
    } else if (open_.back().second.kind == ConfigValue::Kind::kList) {
      open_.back().second.items.push_back(std::move(value));
    } else {
      open_.back().second.members.push_back({name, std::move(value)});
    }
  }

  const std::string& path_;
  std::vector<std::pair<std::string, ConfigValue>> open_;  ///< each with its name in its parent
  std::string key_;
  ConfigDocument document_;
  std::size_t position_ = 0;
  bool too_large_ = false;
};

}  // namespace

Result<ConfigDocument> parse_json_document(std::string_view text, const std::string& path) {
  Builder builder{path};
  if (json::sax_parse(text.begin(), text.end(), &builder)) {
    return std::move(builder.document());
  }
  const std::string_view read = text.substr(0, builder.position());
  const auto lines = static_cast<std::size_t>(std::count(read.begin(), read.end(), '\n'));
  return tl::unexpected{Error{
      .kind = ErrorKind::kMalformed,
      .path = path,
      .line = builder.too_large() ? 0 : lines + 1,
      .what = builder.too_large() ? "it is nested too deeply, or a map has too many names"
                                  : "it is not valid JSON",
      .remedy = "a file that begins with '{' is read as JSON; correct it or write it as YAML"}};
}

}  // namespace eviction::config
