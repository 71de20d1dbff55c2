// SPDX-License-Identifier: Apache-2.0
#include "agent/curl_library.h"

#include <string>
#include <string_view>

#include <dlfcn.h>

namespace eviction::agent {
namespace {

constexpr const char* kName = "libcurl.so.4";

tl::unexpected<Error> unusable(const std::string& why) {
  return tl::unexpected{Error{.kind = ErrorKind::kIo,
                              .path = kName,
                              .line = 0,
                              .what = "cannot be used: " + why,
                              .remedy = "install libcurl with OpenSSL (Debian: libcurl4)"}};
}

/// False: it is not there.
template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  return function != nullptr;
}

Result<CurlLibrary> load() {
  void* const library = ::dlopen(kName, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return unusable(::dlerror());  // NOLINT(concurrency-mt-unsafe): of this thread
  }
  CurlLibrary curl;
  decltype(&::curl_version_info) version_info = nullptr;
  const bool complete = find(library, "curl_version_info", version_info) &&
                        find(library, "curl_global_init", curl.global_init) &&
                        find(library, "curl_easy_init", curl.easy_init) &&
                        find(library, "curl_easy_setopt", curl.easy_setopt) &&
                        find(library, "curl_easy_perform", curl.easy_perform) &&
                        find(library, "curl_easy_getinfo", curl.easy_getinfo) &&
                        find(library, "curl_easy_strerror", curl.easy_strerror) &&
                        find(library, "curl_easy_cleanup", curl.easy_cleanup) &&
                        find(library, "curl_slist_append", curl.slist_append) &&
                        find(library, "curl_slist_free_all", curl.slist_free_all);
  if (!complete) {
    return unusable("a function is missing");
  }
  if (const CURLcode code = curl.global_init(CURL_GLOBAL_DEFAULT); code != CURLE_OK) {
    return unusable(curl.easy_strerror(code));
  }
  // It is handed objects of the OpenSSL that this program is linked with.
  const char* const tls = version_info(CURLVERSION_NOW)->ssl_version;
  if (tls == nullptr || !std::string_view{tls}.starts_with("OpenSSL/3.")) {
    return unusable("its TLS is " + std::string{tls == nullptr ? "none" : tls} +
                    ", and has to be OpenSSL 3");
  }
  return curl;
}

}  // namespace

const Result<CurlLibrary>& curl_library() {
  static const Result<CurlLibrary> library = load();
  return library;
}

}  // namespace eviction::agent
