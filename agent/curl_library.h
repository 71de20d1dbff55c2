// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <curl/curl.h>

#include "cgroup/result.h"

namespace eviction::agent {

/// The functions of libcurl, which is loaded when it is first needed: with its own thirty libraries
/// it takes 4 MiB, and the daemon needs it in its child processes only. By their names alone, since
/// distributions give them versions of their own.
struct CurlLibrary {
  decltype(&curl_global_init) global_init = nullptr;
  decltype(&curl_easy_init) easy_init = nullptr;
  decltype(&curl_easy_setopt) easy_setopt = nullptr;
  decltype(&curl_easy_perform) easy_perform = nullptr;
  decltype(&curl_easy_getinfo) easy_getinfo = nullptr;
  decltype(&curl_easy_strerror) easy_strerror = nullptr;
  decltype(&curl_easy_cleanup) easy_cleanup = nullptr;
  decltype(&curl_slist_append) slist_append = nullptr;
  decltype(&curl_slist_free_all) slist_free_all = nullptr;
};

/// Ready for use, until the process ends. Errors: kIo, with a remedy, when the system
/// has none, or one that does not use OpenSSL 3.
[[nodiscard]] const Result<CurlLibrary>& curl_library();

}  // namespace eviction::agent
