// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "cgroup/bytes.h"
#include "cgroup/result.h"

namespace eviction::agent {

/// The one convention for absent facts in every document: KEY is null, and KEY with "_absent"
/// appended ("limit_bytes_absent") holds the reason.
void put_absent(nlohmann::ordered_json& object, const std::string& key, std::string_view reason);

/// The bytes as an integer, or put_absent().
void put(nlohmann::ordered_json& object,
         const std::string& key,
         std::optional<Bytes> bytes,
         std::string_view reason);

/// The bytes as an integer, or put_absent() with what the error says.
void put(nlohmann::ordered_json& object, const std::string& key, const Result<Bytes>& bytes);

/// The text that a JSON pointer leads to. Empty when the document has no such text.
[[nodiscard]] std::string text_at(const nlohmann::ordered_json& document, const char* pointer);

/// The text, or put_absent() when it is empty.
void put_text(nlohmann::ordered_json& object,
              const std::string& key,
              std::string_view text,
              std::string_view reason);

}  // namespace eviction::agent
