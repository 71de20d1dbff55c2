// SPDX-License-Identifier: Apache-2.0
#include "agent/node_memory.h"

#include <algorithm>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "cgroup/key_value.h"
#include "config/quantity.h"

namespace eviction::agent {
namespace {

using nlohmann::json;

tl::unexpected<Error> error(ErrorKind kind, std::string what) {
  return tl::unexpected{Error{.kind = kind, .path = {}, .line = 0, .what = std::move(what)}};
}

/// Errors also when it is negative. Throws json::exception when it is no text.
Result<Bytes> read_quantity(const json& value) {
  const auto& text = value.get_ref<const std::string&>();
  const Result<config::Quantity> quantity = config::parse_quantity(text);
  if (!quantity || quantity->sign < 0) {
    return error(ErrorKind::kMalformed, "a Node's memory is no amount: " + cgroup::quote(text));
  }
  return quantity->bytes;
}

/// Throws json::exception when a part is of another type.
Result<NodeMemory> read_node(const json& node) {
  if (node.at("kind") != "Node") {
    return error(ErrorKind::kMalformed, "no Node: it is of another kind");
  }
  const json& capacity = node.at("status").value("capacity", json::object());
  const json& allocatable = node.at("status").value("allocatable", json::object());
  if (!capacity.contains("memory") || !allocatable.contains("memory")) {
    return error(ErrorKind::kAbsent, "the Node object has no memory yet");
  }
  const Result<Bytes> whole = read_quantity(capacity.at("memory"));
  const Result<Bytes> given = read_quantity(allocatable.at("memory"));
  if (!whole || !given) {
    return tl::unexpected{whole ? given.error() : whole.error()};
  }
  NodeMemory memory{.capacity = *whole, .allocatable = *given, .hugepages = {}};
  for (const auto& [name, value] : capacity.items()) {
    if (!name.starts_with("hugepages-")) {
      continue;
    }
    const Result<Bytes> pages = read_quantity(value);
    if (!pages) {
      return tl::unexpected{pages.error()};
    }
    memory.hugepages += *pages;
  }
  return memory;
}

}  // namespace

Result<NodeMemory> parse_node_allocatable(std::string_view text) {
  const json document = json::parse(text, nullptr, false);
  if (document.is_discarded()) {
    return error(ErrorKind::kMalformed, "the Node object is not JSON");
  }
  try {
    return read_node(document);
  } catch (const json::exception& exception) {
    return error(ErrorKind::kMalformed, std::string{"no Node: "} + exception.what());
  }
}

Bytes allocatable_memory(const NodeMemory& node, Bytes reserved, Bytes hard) {
  return std::max(std::max(node.capacity - reserved - hard, Bytes{}) - node.hugepages, Bytes{});
}

}  // namespace eviction::agent
