// SPDX-License-Identifier: Apache-2.0
#include "agent/simulate/html_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "cgroup/descriptor.h"
#include "cgroup/write_all.h"

namespace eviction::agent::simulate {

namespace {

namespace fs = std::filesystem;

/// What a link leads to.
fs::path resolved(const std::string& path) {
  std::error_code failed;
  const fs::path absolute = fs::absolute(path, failed);
  const fs::path found = fs::weakly_canonical(absolute, failed);
  return failed ? absolute : found;
}

tl::unexpected<Error> failure(const std::string& page, int code, std::string remedy) {
  return tl::unexpected{Error{.kind = ErrorKind::kIo,
                              .path = page,
                              .what = std::generic_category().message(code),
                              .remedy = std::move(remedy)}};
}

/// 0 or an errno.
int cannot_access(const fs::path& path, int how) {
  return ::faccessat(AT_FDCWD, path.c_str(), how, AT_EACCESS) == 0 ? 0 : errno;
}

/// 0 or an errno.
int write_to(const std::string& device, std::string_view text) {
  const Descriptor out{::open(device.c_str(), O_WRONLY | O_CLOEXEC)};
  return out.get() < 0 ? errno : write_all(out.get(), text);
}

}  // namespace

Result<void> check_html_file(const std::string& page, const std::vector<std::string>& inputs) {
  const fs::path file = resolved(page);
  const auto is_page = [&file](const std::string& input) { return resolved(input) == file; };
  if (std::ranges::any_of(inputs, is_page)) {
    return tl::unexpected{Error{.kind = ErrorKind::kMalformed,
                                .path = page,
                                .what = "it is read, and the page would replace it",
                                .remedy = "name another file"}};
  }
  std::error_code unknown;
  const fs::file_status there = fs::status(page, unknown);
  int code = there.type() == fs::file_type::none ? unknown.value() : 0;
  if (fs::is_directory(there)) {
    code = EISDIR;
  } else if (code == 0 && fs::exists(there)) {
    code = cannot_access(page, W_OK);
  }
  if (code == 0 && !fs::is_other(there)) {
    code = cannot_access(file.parent_path(), W_OK | X_OK);
  }
  return code == 0 ? Result<void>{}
                   : failure(page, code, "name a file to write, in a folder that can be written");
}

Result<void> write_html_file(const std::string& page, std::string_view text) {
  std::error_code unknown;
  const fs::file_status there = fs::status(page, unknown);
  int code = 0;
  if (fs::is_other(there)) {
    code = write_to(page, text);
  } else {
    const fs::path file = resolved(page);
    const fs::path temporary =
        file.parent_path() / fmt::format(".eviction-agent.{}.tmp", ::getpid());
    const auto mode =
        fs::exists(there) ? std::optional{static_cast<mode_t>(there.permissions())} : std::nullopt;
    code = replace_file(file, temporary, text, mode);
  }
  return code == 0 ? Result<void>{}
                   : failure(page, code, "make room there or name another file, and run it again");
}

}  // namespace eviction::agent::simulate
