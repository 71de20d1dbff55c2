// SPDX-License-Identifier: Apache-2.0
#include "agent/kubelet_health.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "agent/http.h"
#include "cgroup/key_value.h"

namespace eviction::agent {
namespace {

using config::Setting;

tl::unexpected<Error> refuse(ErrorKind kind, const Setting& setting, std::string what) {
  return tl::unexpected{Error{.kind = kind,
                              .path = setting.source,
                              .line = 0,
                              .what = std::move(what),
                              .remedy = "let the kubelet answer /healthz on 127.0.0.1:10248, its "
                                        "default (healthzPort, healthzBindAddress)"}};
}

/// As a URL has it. Who listens on every address listens on the loopback's as well.
Result<std::string> host_of(const std::optional<Setting>& setting) {
  const std::string address = setting ? setting->value : "127.0.0.1";
  in6_addr six{};
  if (::inet_pton(AF_INET, address.c_str(), &six) == 1) {
    return address == "0.0.0.0" ? "127.0.0.1" : address;
  }
  if (::inet_pton(AF_INET6, address.c_str(), &six) == 1) {
    return '[' + (IN6_IS_ADDR_UNSPECIFIED(&six) ? std::string{"::1"} : address) + ']';
  }
  return refuse(ErrorKind::kMalformed,
                *setting,
                "healthzBindAddress is no IP address: " + cgroup::quote(address));
}

Result<std::uint64_t> port_of(const std::optional<Setting>& setting) {
  constexpr std::uint64_t kDefault = 10248;
  constexpr std::uint64_t kLargest = 65535;
  if (!setting) {
    return kDefault;
  }
  const auto port = cgroup::parse_digits(setting->value, kLargest);
  if (!port) {
    return refuse(ErrorKind::kMalformed,
                  *setting,
                  "healthzPort is no port: " + cgroup::quote(setting->value));
  }
  if (*port == 0) {
    return refuse(
        ErrorKind::kUnsupported, *setting, "healthzPort 0: the kubelet does not tell its health");
  }
  return *port;
}

KubeletHealth judge(const HttpAnswer& answer, const std::string& url) {
  if (answer.status == 200 && answer.body == "ok") {
    return {.healthy = true, .reason = {}};
  }
  return {.healthy = false,
          .reason = url + ": status " + std::to_string(answer.status) + ", " +
                    cgroup::quote(answer.body)};
}

}  // namespace

Result<KubeletHealth> kubelet_health(const Kubelet& kubelet, std::chrono::milliseconds timeout) {
  constexpr std::size_t kLimit = std::size_t{64} << 10;  // a line for each check that failed
  const config::KubeletSettings& settings = kubelet.loaded.settings;
  const Result<std::string> host = host_of(settings.healthz_bind_address);
  const Result<std::uint64_t> port = port_of(settings.healthz_port);
  if (!host || !port) {
    return tl::unexpected{host ? port.error() : host.error()};
  }
  const std::string url = "http://" + *host + ':' + std::to_string(*port) + "/healthz";
  const auto answer = send(HttpRequest{.url = url,
                                       .headers = {},
                                       .timeout = timeout,
                                       .limit = kLimit,
                                       .tls = {},
                                       .socket = {},
                                       .body = {}});
  if (!answer) {
    return KubeletHealth{.healthy = false, .reason = to_text(answer.error().error)};
  }
  return judge(*answer, url);
}

}  // namespace eviction::agent
