// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace eviction::config {

struct ConfigMember;

/// A value of a kubelet configuration file as JSON has it, which is what the kubelet turns YAML
/// into, and where it was written. Members keep the order of the file; a JSON file may have a name
/// twice, and then the kubelet merges the two.
struct ConfigValue {
  enum class Kind { kNull, kBoolean, kNumber, kString, kList, kMap };

  Kind kind = Kind::kNull;
  std::string text;      ///< of a scalar: "true", "1000", "5%"
  std::string source;    ///< the file
  std::size_t line = 0;  ///< 1-based; 0 when not known
  std::vector<ConfigValue> items;
  std::vector<ConfigMember> members;

  /// The first member of that name; nullptr when there is none.
  [[nodiscard]] const ConfigValue* find(std::string_view name) const;
  [[nodiscard]] ConfigValue* find(std::string_view name);
};

/// One name of a map and its value.
struct ConfigMember {
  std::string name;
  ConfigValue value;
};

/// A word for messages: "a number", "a map", ...
[[nodiscard]] std::string_view to_text(ConfigValue::Kind kind);

/// "FILE:LINE" of a value, or "FILE" where the line is not known.
[[nodiscard]] std::string place(const ConfigValue& value);

/// Puts patch over target as RFC 7386 says: maps merge key by key, null deletes a key, anything
/// else replaces.
void merge_patch(ConfigValue& target, const ConfigValue& patch);

/// A parsed file.
struct ConfigDocument {
  ConfigValue root;
  std::vector<std::string> duplicates;  ///< names that a map has twice, each with its line
};

/// Deeper nesting than any kubelet configuration has; refused, so that no recursion runs away.
inline constexpr std::size_t kDeepestNesting = 100;

/// More names than any map of a kubelet configuration has; likewise, because they are searched one
/// by one.
inline constexpr std::size_t kMostMembers = 1000;

}  // namespace eviction::config
