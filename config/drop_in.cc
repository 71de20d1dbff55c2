// SPDX-License-Identifier: Apache-2.0
#include "config/drop_in.h"

#include <fmt/format.h>

#include "config/quantity.h"
#include "config/thresholds.h"

namespace eviction::config {
namespace {

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

bool has_mark(std::string_view text) {
  return text.substr(0, kMark.size()) == kMark &&
         (text.size() == kMark.size() || text[kMark.size()] == '\n');
}

}  // namespace eviction::config
