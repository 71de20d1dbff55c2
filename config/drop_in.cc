// SPDX-License-Identifier: Apache-2.0
#include "config/drop_in.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "config/config_document.h"
#include "config/quantity.h"
#include "config/thresholds.h"

namespace eviction::config {
namespace {

constexpr std::string_view kArgumentsKey = "kubelet-arg+";

/// A YAML string in double quotes.
std::string quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string memory_map(std::string_view name, std::string_view value) {
  return fmt::format("{}:\n  {}: {}\n", name, kMemoryAvailable, quoted(value));
}

/// "FLAG=RESTATED,memory.available<VALUE" as one entry of the list.
std::string argument(std::string_view flag,
                     std::string_view restated,
                     char separator,
                     std::string_view value) {
  const std::string_view comma = restated.empty() ? "" : ",";
  return fmt::format(
      "  - {}\n",
      quoted(
          fmt::format("{}={}{}{}{}{}", flag, restated, comma, kMemoryAvailable, separator, value)));
}

/// Takes the quantity of memory.available out of "a<5%,memory.available<1Gi".
std::optional<std::string> memory_in_list(std::string_view list, char separator) {
  const std::string key = std::string{kMemoryAvailable} + separator;
  while (!list.empty()) {
    const std::string_view item = list.substr(0, list.find(','));
    if (item.starts_with(key)) {
      return std::string{item.substr(key.size())};
    }
    list.remove_prefix(std::min(item.size() + 1, list.size()));
  }
  return std::nullopt;
}

/// "a<5%,memory.available<1Gi" -> "a<5%".
std::string without_memory(std::string_view list) {
  std::string others;
  while (!list.empty()) {
    const std::string_view item = list.substr(0, list.find(','));
    if (!item.starts_with(kMemoryAvailable)) {
      others.append(others.empty() ? "" : ",").append(item);
    }
    list.remove_prefix(std::min(item.size() + 1, list.size()));
  }
  return others;
}

/// The quantities by the configuration's names, as text.
using Values = std::map<std::string, std::string, std::less<>>;

struct FlagName {
  std::string_view flag;
  std::string_view field;
  char separator;
};

constexpr std::array kFlags{FlagName{"eviction-hard=", "evictionHard", '<'},
                            FlagName{"eviction-soft=", "evictionSoft", '<'},
                            FlagName{"eviction-minimum-reclaim=", "evictionMinimumReclaim", '='}};

/// Takes what one flag of a list of arguments says over what was there.
void add_argument(Values& values, std::string_view argument) {
  for (const FlagName& name : kFlags) {
    if (argument.starts_with(name.flag)) {
      if (const auto value = memory_in_list(argument.substr(name.flag.size()), name.separator)) {
        values.insert_or_assign(std::string{name.field}, *value);
      }
    }
  }
}

Values values_of(const ConfigValue& root) {
  Values values;
  for (const FlagName& name : kFlags) {
    const ConfigValue* const map = root.find(name.field);
    const ConfigValue* const value = map == nullptr ? nullptr : map->find(kMemoryAvailable);
    if (value != nullptr) {
      values.emplace(name.field, value->text);
    }
  }
  if (const ConfigValue* const arguments = root.find(kArgumentsKey)) {
    for (const ConfigValue& argument : arguments->items) {
      add_argument(values, argument.text);
    }
  }
  return values;
}

}  // namespace

std::string render_drop_in(const MemoryEviction& eviction) {
  std::string text{kMark};
  text += "\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";
  if (eviction.hard) {
    text += memory_map("evictionHard", render_quantity(*eviction.hard));
  }
  if (eviction.soft) {
    text += memory_map("evictionSoft", render_quantity(*eviction.soft));
    text += memory_map("evictionSoftGracePeriod", "1s");
    text += "evictionMaxPodGracePeriod: 0\n";
  }
  if (eviction.reclaim) {
    text += memory_map("evictionMinimumReclaim", render_quantity(*eviction.reclaim));
  }
  return text;
}

std::string render_kubelet_args(const MemoryEviction& eviction, const RestatedFlags& restated) {
  std::string arguments;
  if (eviction.hard) {
    arguments +=
        argument("eviction-hard", restated.eviction_hard, '<', render_quantity(*eviction.hard));
  }
  if (eviction.soft) {
    arguments += argument("eviction-soft", {}, '<', render_quantity(*eviction.soft));
    arguments += argument("eviction-soft-grace-period", {}, '=', "1s");
    arguments += "  - \"eviction-max-pod-grace-period=0\"\n";
  }
  if (eviction.reclaim) {
    arguments += argument("eviction-minimum-reclaim",
                          restated.eviction_minimum_reclaim,
                          '=',
                          render_quantity(*eviction.reclaim));
  }
  const std::string list = arguments.empty() ? "" : "kubelet-arg+:\n" + arguments;
  return std::string{kMark} + '\n' + list;
}

Result<MemoryEviction> parse_own_file(std::string_view text, const std::string& path) {
  const Result<ConfigDocument> document = parse_config_document(text, path);
  if (!document || !has_mark(text)) {
    return tl::unexpected{document ? Error{.kind = ErrorKind::kMalformed,
                                           .path = path,
                                           .line = 1,
                                           .what = "it lacks the agent's mark"}
                                   : document.error()};
  }
  MemoryEviction eviction;
  const std::array fields{std::pair{"evictionHard", &eviction.hard},
                          std::pair{"evictionSoft", &eviction.soft},
                          std::pair{"evictionMinimumReclaim", &eviction.reclaim}};
  const Values values = values_of(document->root);
  for (const auto& [name, field] : fields) {
    const auto found = values.find(name);
    if (found == values.end()) {
      continue;
    }
    const Result<Quantity> quantity = parse_quantity(found->second);
    if (!quantity) {
      return tl::unexpected{Error{.kind = ErrorKind::kMalformed,
                                  .path = path,
                                  .what = std::string{name} + ": " + quantity.error().what}};
    }
    *field = quantity->bytes;
  }
  return eviction;
}

RestatedFlags restated_in(std::string_view text) {
  RestatedFlags restated;
  const Result<ConfigDocument> document = parse_config_document(text, {});
  const ConfigValue* const arguments = document ? document->root.find(kArgumentsKey) : nullptr;
  if (arguments == nullptr) {
    return restated;
  }
  for (const ConfigValue& argument : arguments->items) {
    const std::size_t equals = argument.text.find('=');
    const std::string_view flag = std::string_view{argument.text}.substr(0, equals);
    if (flag == "eviction-hard") {
      restated.eviction_hard = without_memory(argument.text.substr(equals + 1));
    } else if (flag == "eviction-minimum-reclaim") {
      restated.eviction_minimum_reclaim = without_memory(argument.text.substr(equals + 1));
    }
  }
  return restated;
}

bool has_mark(std::string_view text) {
  return text.substr(0, kMark.size()) == kMark &&
         (text.size() == kMark.size() || text[kMark.size()] == '\n');
}

}  // namespace eviction::config
