// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <system_error>
#include <utility>

#include "config/agent_config.h"
#include "config/wording.h"

namespace eviction::config {

namespace {

constexpr std::array kKeys{
    KeyInfo{
        "agent",
        "mode",
        &AgentConfig::mode,
        "stage",
        "What the daemon does with the value it computes. observe: shows it, and leaves one that "
        "is in "
        "force as it is; run \"eviction-agent rollback\" before. stage: also keeps it beside the "
        "file it is meant for, under a name that nobody reads, so that \"eviction-agent apply\" "
        "can put it in force. enforce: puts it in force itself, which "
        "restarts the kubelet."},
    KeyInfo{"agent",
            "restarts-per-day",
            NumberField{&AgentConfig::restarts_per_day, 0, 24},
            "2",
            "How often at most the agent may restart the kubelet within 24 hours."},
    KeyInfo{"agent",
            "restart-spread",
            NumberField{&AgentConfig::restart_spread_minutes, 0, 1440},
            "10",
            "Minutes over which the nodes of a cluster are spread: so long at most after it has "
            "read its configuration and node and kubelet have run for 5 minutes, another time on "
            "each node and after each boot, a daemon with mode enforce waits until it may restart "
            "the kubelet. Else the agents of a DaemonSet, which begin together, would restart "
            "every kubelet at once. 0: it does not wait. "
            "\"eviction-agent apply\" never does."},
    KeyInfo{
        "sizing",
        "risk",
        PercentField{&AgentConfig::risk_permyriad, 1, 9900},
        "10%",
        "Of what the node loses when it is near running out of memory, the share that may be lost "
        "in larger falls, within one reaction time of the kubelet, than the threshold allows for, "
        "as far as what was learned counts. "
        "A smaller risk makes a larger threshold: fewer OOM kills when memory falls fast, more "
        "evictions without need. It is about what the node itself showed, near running out, in the "
        "last days; until it showed something, 70 MiB are allowed for and 0.11 % of RAM where "
        "containers hold the memory, 0.08 % where VMs do, and up to 375 MiB below 16 GiB of RAM. "
        "With a risk of 1% and less what public traces lost is allowed for, too: 4 % of RAM for "
        "containers, and 6 % with 0.1%, when VMs count with 2 %."},
    KeyInfo{"sizing",
            "growth-ceiling",
            PercentField{&AgentConfig::growth_ceiling_permyriad, 100, 5000},
            "10%",
            "Largest share of the node's memory that the threshold may allow for growth. What the "
            "kernel needs before it kills comes on top and has no ceiling."},
    KeyInfo{"kubelet",
            "version",
            &AgentConfig::kubelet_version,
            "",
            "Version of the kubelet whose rules apply. Empty: the version found on the node."},
    KeyInfo{"kubelet",
            "target",
            &AgentConfig::target,
            "auto",
            "Which file the threshold is meant for. auto: found from the running kubelet and its "
            "supervisor. rke2-dropin, k3s-dropin, kubelet-dropin: a file in the kubelet's drop-in "
            "directory (RKE2 and k3s from 1.32, others from 1.30). rke2-args, k3s-args: a "
            "kubelet-arg file in config.yaml.d (RKE2 and k3s to 1.31). none: advise only."},
    KeyInfo{"kubelet",
            "override",
            &AgentConfig::override_foreign,
            "no",
            "Whether a memory signal that somebody else has set may be replaced."},
    KeyInfo{"kubelet",
            "allow-version",
            &AgentConfig::allow_unknown_version,
            "no",
            "Whether to act on a kubelet whose version is not in the table of known ones."},
    KeyInfo{
        "kubelet",
        "restart-unit",
        &AgentConfig::restart_unit,
        "no",
        "Whether to restart the whole service, RKE2 or k3s, where the kubelet alone cannot be made "
        "to read its new value: with the targets k3s-dropin, k3s-args and rke2-args."},
    KeyInfo{"metrics",
            "listen",
            &AgentConfig::metrics_listen,
            "127.0.0.1:9847",
            "Where the daemon serves /metrics for Prometheus, /healthz and /readyz: one or more "
            "ADDRESS:PORT, an IPv6 address in brackets. 0.0.0.0 is every IPv4 address of the "
            "node, [::] every IPv6 address. off: nowhere."},
    KeyInfo{"metrics",
            "tls-certificate",
            &AgentConfig::metrics_tls_certificate,
            "",
            "PEM file with the server's certificate and those between it and its authority. With "
            "it HTTPS is served, and nothing else. It is read again when it changes. The path is "
            "that of the agent's own file system, not below ROOTFS."},
    KeyInfo{"metrics",
            "tls-key",
            &AgentConfig::metrics_tls_key,
            "",
            "PEM file with the key of tls-certificate, without a password."},
    KeyInfo{"metrics",
            "tls-client-ca",
            &AgentConfig::metrics_tls_client_ca,
            "",
            "PEM file with authorities. With it /metrics is given only to clients that have a "
            "certificate of one of them; /healthz and /readyz stay open. Needs tls-certificate."},
    KeyInfo{"metrics",
            "basic-auth-file",
            &AgentConfig::metrics_basic_auth_file,
            "",
            "File with lines of USER:HASH, as htpasswd -B writes them (bcrypt, cost 10 at most). "
            "With it /metrics is given only to these users; /healthz and /readyz stay open. "
            "Without TLS the password crosses the network in the clear."},
    KeyInfo{"metrics",
            "top-pods",
            NumberField{&AgentConfig::metrics_top_pods, 0, 100},
            "10",
            "How many pods have metrics of their own besides the VMs: those with the largest "
            "working sets."},
};

struct NamedMode {
  std::string_view name;
  Mode mode;
};

constexpr std::array kModes{NamedMode{"observe", Mode::kObserve},
                            NamedMode{"stage", Mode::kStage},
                            NamedMode{"enforce", Mode::kEnforce}};

struct NamedTarget {
  std::string_view name;
  TargetChoice target;
};

constexpr std::array kTargets{NamedTarget{"auto", TargetChoice::kAuto},
                              NamedTarget{"rke2-dropin", TargetChoice::kRke2Dropin},
                              NamedTarget{"k3s-dropin", TargetChoice::kK3sDropin},
                              NamedTarget{"kubelet-dropin", TargetChoice::kKubeletDropin},
                              NamedTarget{"rke2-args", TargetChoice::kRke2Args},
                              NamedTarget{"k3s-args", TargetChoice::kK3sArgs},
                              NamedTarget{"none", TargetChoice::kNone}};

std::optional<int> parse_digits(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool all = !text.empty() && text.front() != '-' && end == text.data() + text.size();
  return all && error == std::errc{} ? std::optional{value} : std::nullopt;
}

/// "12%" or "0.25%" in parts per 10000.
std::optional<int> parse_percent(std::string_view text) {
  if (!text.ends_with('%')) {
    return std::nullopt;
  }
  text.remove_suffix(1);
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  std::string decimals{point == std::string_view::npos ? "0" : text.substr(point + 1)};
  if (whole.size() > 3 || decimals.empty() || decimals.size() > 2) {
    return std::nullopt;
  }
  decimals.resize(2, '0');
  const std::optional<int> percent = parse_digits(whole);
  const std::optional<int> hundredths = parse_digits(decimals);
  if (!percent || !hundredths) {
    return std::nullopt;
  }
  return *percent * 100 + *hundredths;
}

std::string render_percent(int permyriad) {
  std::string text = std::to_string(permyriad / 100);
  if (const int hundredths = permyriad % 100; hundredths != 0) {
    text += hundredths < 10 ? ".0" : ".";
    text += std::to_string(hundredths % 10 == 0 ? hundredths / 10 : hundredths);
  }
  return text + '%';
}

/// Each of these: whether the value is an allowed one; the configuration is unchanged if not.
bool set_field(AgentConfig& config, const PercentField& percent, std::string_view value) {
  const std::optional<int> permyriad = parse_percent(value);
  if (!permyriad || *permyriad < percent.least || *permyriad > percent.most) {
    return false;
  }
  config.*percent.field = *permyriad;
  return true;
}

bool set_field(AgentConfig& config, const NumberField& number, std::string_view value) {
  const std::optional<int> parsed = parse_digits(value);
  if (!parsed || *parsed < number.least || *parsed > number.most) {
    return false;
  }
  config.*number.field = *parsed;
  return true;
}

bool set_field(AgentConfig& config, Mode AgentConfig::*field, std::string_view value) {
  const auto* const found = std::ranges::find(kModes, value, &NamedMode::name);
  if (found == kModes.end()) {
    return false;
  }
  config.*field = found->mode;
  return true;
}

bool set_field(AgentConfig& config, bool AgentConfig::*field, std::string_view value) {
  if (value != "yes" && value != "no") {
    return false;
  }
  config.*field = value == "yes";
  return true;
}

bool set_field(AgentConfig& config, TargetChoice AgentConfig::*field, std::string_view value) {
  const auto* const found = std::ranges::find(kTargets, value, &NamedTarget::name);
  if (found == kTargets.end()) {
    return false;
  }
  config.*field = found->target;
  return true;
}

bool set_field(AgentConfig& config,
               std::optional<KubeletVersion> AgentConfig::*field,
               std::string_view value) {
  if (value.empty()) {
    config.*field = std::nullopt;
    return true;
  }
  Result<KubeletVersion> version = parse_kubelet_version(value);
  if (!version) {
    return false;
  }
  config.*field = std::move(*version);
  return true;
}

bool set_field(AgentConfig& config,
               std::vector<ListenAddress> AgentConfig::*field,
               std::string_view value) {
  auto addresses = parse_listen_addresses(value);
  if (!addresses) {
    return false;
  }
  config.*field = std::move(*addresses);
  return true;
}

bool set_field(AgentConfig& config, std::string AgentConfig::*field, std::string_view value) {
  if (!value.empty() && !value.starts_with('/')) {
    return false;
  }
  config.*field = std::string{value};
  return true;
}

}  // namespace

std::string_view to_text(Mode mode) {
  return std::ranges::find(kModes, mode, &NamedMode::mode)->name;
}

std::span<const KeyInfo> agent_config_keys() {
  return kKeys;
}

std::string allowed_values(const KeyInfo& key) {
  struct Rendering {
    std::string operator()(const PercentField& percent) const {
      return render_percent(percent.least) + " to " + render_percent(percent.most) +
             " with at most two decimals";
    }

    std::string operator()(const NumberField& number) const {
      return std::to_string(number.least) + " to " + std::to_string(number.most);
    }

    std::string operator()(Mode AgentConfig::*) const {
      std::vector<std::string_view> names;
      std::ranges::transform(kModes, std::back_inserter(names), &NamedMode::name);
      return joined(names);
    }

    std::string operator()(bool AgentConfig::*) const { return "yes, no"; }

    std::string operator()(TargetChoice AgentConfig::*) const {
      std::vector<std::string_view> names;
      std::ranges::transform(kTargets, std::back_inserter(names), &NamedTarget::name);
      return joined(names);
    }

    std::string operator()(std::optional<KubeletVersion> AgentConfig::*) const {
      return "a version such as 1.32, 1.32.3 or v1.32.3+rke2r1, or empty";
    }

    std::string operator()(std::vector<ListenAddress> AgentConfig::*) const {
      return "ADDRESS:PORT, " + std::to_string(kMostListenAddresses) +
             " at most, separated by spaces or commas, or off";
    }

    std::string operator()(std::string AgentConfig::*) const {
      return "a path that begins with /, or empty";
    }
  };

  return std::visit(Rendering{}, key.field);
}

bool set_value(AgentConfig& config, const KeyInfo& key, std::string_view value) {
  return std::visit([&config, value](const auto& field) { return set_field(config, field, value); },
                    key.field);
}

}  // namespace eviction::config
