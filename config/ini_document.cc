// SPDX-License-Identifier: Apache-2.0
#include "config/ini_document.h"

#include <algorithm>
#include <utility>

#include <ini.h>

#include "config/wording.h"

namespace eviction::config {

namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Source: inih r55 ini.c MAX_SECTION; a longer section name would be cut without a word.
constexpr std::size_t kLongestName = 49;

bool is_control(char byte) {
  return (static_cast<unsigned char>(byte) < 0x20 && byte != '\t') || byte == 0x7F;
}

bool is_name_byte(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '.' || byte == '-' || byte == '_';
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kLongestName && std::ranges::all_of(text, is_name_byte);
}

std::string_view without_blanks_after(std::string_view text) {
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

/// Nothing, blanks, or blanks and a comment.
bool is_end_of_line(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  return first == std::string_view::npos || (first > 0 && text[first] == ';');
}

/// Hands inih the good lines of a text, one after the other, and keeps the errors of the others.
class Reading {
 public:
  Reading(std::string_view text, std::string path) : rest_{text}, path_{std::move(path)} {
    if (rest_.starts_with(kByteOrderMark)) {
      rest_.remove_prefix(kByteOrderMark.size());
    }
  }

  IniDocument run() {
    if (ini_parse_stream(read_line, this, take_entry, this) != 0) {
      fail("not understood", "write [section] or key = value on each line");
    }
    return std::move(document_);
  }

 private:
  /// As fgets(): the next good line with its line feed, or a null pointer after the last one.
  static char* read_line(char* buffer, int size, void* self) {
    return static_cast<Reading*>(self)->next_good_line(buffer, static_cast<std::size_t>(size));
  }

  static int take_entry(void* self, const char* section, const char* name, const char* value) {
    auto& reading = *static_cast<Reading*>(self);
    reading.document_.entries.push_back({section, name, value, reading.line_});
    return 1;
  }

  char* next_good_line(char* buffer, std::size_t size) {
    while (!rest_.empty()) {
      const std::string_view line = next_line();
      if (!is_good(line, size)) {
        continue;
      }
      char* const end = std::ranges::copy(line, buffer).out;
      end[0] = '\n';
      end[1] = '\0';
      return buffer;
    }
    return nullptr;
  }

  /// Takes the next line off the text; without its LF or CR LF.
  std::string_view next_line() {
    const std::size_t end = rest_.find('\n');
    std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    ++line_;
    if (end != std::string_view::npos && line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    return line;
  }

  /// Whether inih, with a buffer of that size, reads from the line what its author meant. Blank
  /// lines and comments are left out, too, but without an error.
  bool is_good(std::string_view line, std::size_t size) {
    if (std::ranges::any_of(line, is_control)) {
      return fail("a control character (NUL, a lone carriage return, ...)",
                  "save the file as plain text with LF or CR LF at the end of each line");
    }
    const std::size_t first = line.find_first_not_of(kBlanks);
    if (first == std::string_view::npos || line[first] == ';' || line[first] == '#') {
      return false;
    }
    if (line.size() + 2 > size) {
      return fail("a line of " + std::to_string(line.size()) + " bytes",
                  "at most " + std::to_string(size - 2) + " are read; shorten it");
    }
    if (first > 0) {
      return fail("an indented line", "begin sections and keys in the first column");
    }
    return line[0] == '[' ? is_good_section(line) : is_good_entry(line);
  }

  bool is_good_section(std::string_view line) {
    const std::size_t end = line.find(']');
    const std::string_view name = line.substr(1, end == std::string_view::npos ? end : end - 1);
    section_ = Section::kBad;
    if (end == std::string_view::npos || !is_name(name)) {
      return fail(in_quotes(line) + " is no section", "write [section], as in [sizing]");
    }
    if (!is_end_of_line(line.substr(end + 1))) {
      return fail(in_quotes(line.substr(end + 1)) + " behind a section",
                  "write each key = value on a line of its own");
    }
    section_ = Section::kGood;
    document_.sections.push_back({std::string{name}, line_});
    return true;
  }

  bool is_good_entry(std::string_view line) {
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) {
      return fail(in_quotes(line) + " is neither a section nor a key with its value",
                  "write [section] or key = value");
    }
    if (!is_name(without_blanks_after(line.substr(0, equals)))) {
      return fail(in_quotes(line.substr(0, equals)) + " is no key",
                  "write key = value, as in risk = 0.1%");
    }
    if (section_ == Section::kNone) {
      return fail("a key before any section", "write the [section] it belongs to above it");
    }
    return section_ == Section::kGood;  // below a bad one, the section's own error says it all
  }

  /// Always false, so that a check can end with it.
  bool fail(std::string what, std::string remedy) {
    document_.errors.push_back(
        {ErrorKind::kMalformed, path_, line_, std::move(what), std::move(remedy)});
    return false;
  }

  enum class Section { kNone, kGood, kBad };

  std::string_view rest_;
  std::string path_;
  std::size_t line_ = 0;
  Section section_ = Section::kNone;
  IniDocument document_;
};

}  // namespace

IniDocument parse_ini(std::string_view text, const std::string& path) {
  return Reading{text, path}.run();
}

}  // namespace eviction::config
