// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <yaml-cpp/yaml.h>

#include "config/kubeconfig.h"

namespace {

using eviction::config::Kubeconfig;
using eviction::config::Pem;

constexpr const char* kPath = "/etc/kubernetes/kubelet.conf";

void check(bool holds) {
  if (!holds) {
    std::abort();
  }
}

bool is_given(const Pem& pem) {
  check(pem.text.empty() || pem.file.empty());
  check(pem.file.empty() || pem.file.front() == '/');
  return !pem.text.empty() || !pem.file.empty();
}

void check_promises(const Kubeconfig& kubeconfig) {
  check(kubeconfig.server.starts_with("https://") && !kubeconfig.server.ends_with('/'));
  check(kubeconfig.server.find_first_of(" \r\n@?#") == std::string::npos);
  check(is_given(kubeconfig.authority));
  check(is_given(kubeconfig.certificate) == is_given(kubeconfig.key));
  check(is_given(kubeconfig.key) || !kubeconfig.token.empty() || !kubeconfig.token_file.empty());
}

void set(YAML::Node node, const std::string& key, const Pem& pem) {
  if (pem.text.empty()) {
    node[key] = pem.file;
  } else {
    node[key + "-data"] = YAML::EncodeBase64(
        reinterpret_cast<const unsigned char*>(pem.text.data()), pem.text.size());
  }
}

/// The same content as another program would write it.
std::string write(const Kubeconfig& kubeconfig) {
  YAML::Node document;
  document["current-context"] = "c";
  document["contexts"][0]["name"] = "c";
  document["contexts"][0]["context"]["cluster"] = "k";
  document["contexts"][0]["context"]["user"] = "u";
  document["clusters"][0]["name"] = "k";
  document["clusters"][0]["cluster"]["server"] = kubeconfig.server;
  set(document["clusters"][0]["cluster"], "certificate-authority", kubeconfig.authority);
  document["users"][0]["name"] = "u";
  set(document["users"][0]["user"], "client-certificate", kubeconfig.certificate);
  set(document["users"][0]["user"], "client-key", kubeconfig.key);
  document["users"][0]["user"]["token"] = kubeconfig.token;
  document["users"][0]["user"]["tokenFile"] = kubeconfig.token_file;
  YAML::Emitter emitter;
  emitter << YAML::DoubleQuoted << document;
  return emitter.c_str();
}

bool is_same(const Pem& left, const Pem& right) {
  return left.text == right.text && left.file == right.file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto first =
      eviction::config::parse_kubeconfig({reinterpret_cast<const char*>(data), size}, kPath);
  if (!first) {
    check(first.error().path == kPath && !first.error().what.empty());
    return 0;
  }
  check_promises(*first);
  const std::string names = first->authority.file + first->certificate.file + first->key.file +
                            first->token_file + first->token;
  for (const char c : names) {
    if (c < ' ' || c > '~') {
      return 0;  // the emitter does not give back every byte
    }
  }
  const auto again = eviction::config::parse_kubeconfig(write(*first), kPath);
  check(again.has_value());
  check(again->server == first->server && is_same(again->authority, first->authority) &&
        is_same(again->certificate, first->certificate) && is_same(again->key, first->key) &&
        again->token == first->token && again->token_file == first->token_file);
  return 0;
}
