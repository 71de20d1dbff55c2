// SPDX-License-Identifier: Apache-2.0
#include "config/kubelet_config.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "config/config_document.h"
#include "config/config_value.h"
#include "config/drop_in_files.h"
#include "config/kubelet_fields.h"
#include "config/kubelet_flags.h"
#include "config/settings_codec.h"

namespace eviction::config {
namespace {

/// Far more than any kubelet configuration.
constexpr std::size_t kLargestFile = std::size_t{1} << 20;

constexpr std::string_view kApiVersion = "kubelet.config.k8s.io/v1beta1";
constexpr std::string_view kKind = "KubeletConfiguration";
constexpr const char* kDefault = "kubelet default";

/// First minor versions of what changed. Source: kubelet cmd/kubelet/app/server.go and
/// pkg/kubelet/eviction/defaults_linux.go of these versions.
constexpr int kDefaultsOnlyWithConfig = 26;  ///< before, flags-only kubelets had them too
constexpr int kConfigDir = 28;               ///< --config-dir, behind an environment variable
constexpr int kJsonPatch = 29;               ///< drop-ins are JSON merge patches
constexpr int kInodesDefault = 30;           ///< imagefs.inodesFree; no environment variable
constexpr int kVersionedPatch = 32;          ///< patches of the versioned type, type checked
constexpr int kCompressible = 32;            ///< "kube-reserved-compressible"
constexpr int kMergeDefaults = 33;           ///< mergeDefaultEvictionSettings

SettingMap default_eviction_hard(const KubeletVersion& version) {
  SettingMap defaults{{"memory.available", {"100Mi", kDefault}},
                      {"nodefs.available", {"10%", kDefault}},
                      {"nodefs.inodesFree", {"5%", kDefault}},
                      {"imagefs.available", {"15%", kDefault}}};
  if (version.at_least(kInodesDefault)) {
    defaults["imagefs.inodesFree"] = {"5%", kDefault};
  }
  return defaults;
}

/// What the kubelet puts for zero values after it decoded a file. A setting that is absent here has
/// its default already.
void apply_zero_defaults(KubeletSettings& settings) {
  const auto reset_if = [](std::optional<Setting>& setting, bool zero) {
    if (zero) {
      setting.reset();
    }
  };
  const auto is_empty = [](const std::optional<Setting>& setting) {
    return setting && setting->value.empty();
  };
  reset_if(settings.memory_manager_policy, is_empty(settings.memory_manager_policy));
  reset_if(settings.cgroup_driver, is_empty(settings.cgroup_driver));
  reset_if(settings.cgroup_root, is_empty(settings.cgroup_root));
  reset_if(settings.healthz_bind_address, is_empty(settings.healthz_bind_address));
  reset_if(settings.container_runtime_endpoint, is_empty(settings.container_runtime_endpoint));
  reset_if(settings.port, settings.port && settings.port->value == "0");
  std::optional<Setting>& period = settings.eviction_pressure_transition_period;
  reset_if(period, period && period->value.find_first_of("123456789") == std::string::npos);
}

/// Adds or replaces keys; nothing where source has none.
void merge(std::optional<SettingMap>& target, const std::optional<SettingMap>& source) {
  for (const auto& [key, setting] : source.value_or(SettingMap{})) {
    if (!target) {
      target.emplace();
    }
    (*target)[key] = setting;
  }
}

/// What is wrong with enforceNodeAllocatable.
/// Source: kubelet v1.36 pkg/kubelet/apis/config/validation/validation.go.
std::vector<std::string> enforcement_errors(const std::vector<std::string>& enforced,
                                            const KubeletVersion& version) {
  constexpr std::array<std::string_view, 6> kNames{"none",
                                                   "pods",
                                                   "system-reserved",
                                                   "kube-reserved",
                                                   "system-reserved-compressible",
                                                   "kube-reserved-compressible"};
  const bool compressible = version.at_least(kCompressible);
  const auto* const end = compressible ? kNames.end() : kNames.end() - 2;
  std::vector<std::string> errors;
  for (const std::string& name : enforced) {
    if (std::find(kNames.begin(), end, name) == end) {
      errors.push_back(fmt::format("enforceNodeAllocatable: \"{}\" is not one of {}",
                                   name,
                                   fmt::join(kNames.begin(), end, ", ")));
    } else if (name == "none" && enforced.size() > 1) {
      errors.emplace_back("enforceNodeAllocatable: none excludes all others");
    } else if (compressible && std::count(enforced.begin(), enforced.end(), name) > 1) {
      errors.push_back(fmt::format("enforceNodeAllocatable: {} is there twice", name));
    } else if (std::count(enforced.begin(), enforced.end(), name + "-compressible") > 0) {
      errors.push_back(fmt::format("enforceNodeAllocatable: {0} excludes {0}-compressible", name));
    }
  }
  return errors;
}

class Loader {
 public:
  Loader(const KubeletInvocation& invocation, const cgroup::Directory& root)
      : version_{invocation.version},
        alpha_enabled_{invocation.config_dropin_dir_alpha},
        instead_{invocation.instead},
        root_{root},
        flags_{parse_kubelet_flags(invocation.arguments)},
        built_in_{default_eviction_hard(invocation.version)} {}

  LoadedSettings load() {
    loaded_.errors = flags_.errors;
    if (!version_.at_least(kOldestMinor) || version_.major != 1 || version_.minor > kNewestMinor) {
      loaded_.warnings.push_back(
          fmt::format("{} is outside 1.{} to 1.{}, whose rules are known; the nearest are applied",
                      to_text(version_),
                      kOldestMinor,
                      kNewestMinor));
    }
    if (!version_.at_least(kDefaultsOnlyWithConfig)) {
      settings().eviction_hard = built_in_;
    }
    if (!flags_.config.empty()) {
      load_main(flags_.config);
    }
    if (flags_.has_config_dir) {
      load_directory(flags_.config_dir);
    }
    for (std::string& error : apply_kubelet_flags(flags_, settings())) {
      loaded_.errors.push_back(std::move(error));
    }
    add_errors(enforcement_errors(settings().enforce_node_allocatable, version_));
    warn_of_containerfs();
    return std::move(loaded_);
  }

 private:
  KubeletSettings& settings() { return loaded_.settings; }

  void add_errors(std::vector<std::string> errors) {
    std::move(errors.begin(), errors.end(), std::back_inserter(loaded_.errors));
  }

  void warn(std::vector<std::string> warnings) {
    std::move(warnings.begin(), warnings.end(), std::back_inserter(loaded_.warnings));
  }

  std::optional<ConfigDocument> read(const std::string& path) {
    cgroup::Buffer buffer;
    const auto instead = instead_.find(path);
    const Result<std::string_view> text = instead != instead_.end() && instead->second
                                              ? Result<std::string_view>{*instead->second}
                                              : root_.read(path, buffer, kLargestFile);
    if (!text) {
      Error error = text.error();
      error.path = path;
      loaded_.errors.push_back(to_text(error));
      return std::nullopt;
    }
    if (text->empty()) {
      loaded_.errors.push_back(path + ": it is empty, and the kubelet wants a configuration there");
      return std::nullopt;
    }
    Result<ConfigDocument> document = parse_config_document(*text, path);
    if (!document) {
      loaded_.errors.push_back(to_text(document.error()));
      return std::nullopt;
    }
    if (document->root.kind != ConfigValue::Kind::kMap) {
      loaded_.errors.push_back(fmt::format(
          "{}: it holds {}, not the fields of a {}", path, to_text(document->root.kind), kKind));
      return std::nullopt;
    }
    return std::move(*document);
  }

  bool has_text(const ConfigDocument& document, std::string_view name, std::string_view wanted) {
    const ConfigValue* const value = document.root.find(name);
    if (value != nullptr && value->kind == ConfigValue::Kind::kString && value->text == wanted) {
      return true;
    }
    loaded_.errors.push_back(
        fmt::format("{}: {} has to be {}", document.root.source, name, wanted));
    return false;
  }

  bool is_kubelet_configuration(const ConfigDocument& document) {
    const bool api_version = has_text(document, "apiVersion", kApiVersion);
    return has_text(document, "kind", kKind) && api_version;
  }

  /// One file decoded as the kubelet's own type, defaults included. A name twice or unknown makes
  /// the strict decoder fail and the lenient one take over, which lets the last one win.
  std::optional<KubeletSettings> load_typed(const std::string& path) {
    const std::optional<ConfigDocument> document = read(path);
    if (!document || !is_kubelet_configuration(*document)) {
      return std::nullopt;
    }
    for (const std::string& name : document->duplicates) {
      loaded_.warnings.push_back(fmt::format("{}: {} is there twice", path, name));
    }
    warn(unknown_fields(document->root, NameMatch::kExact));
    KubeletSettings settings;
    add_errors(decode_settings(document->root, NameMatch::kExact, settings));
    apply_zero_defaults(settings);
    std::optional<SettingMap>& hard = settings.eviction_hard;
    if (!hard) {
      hard = built_in_;
    } else if (version_.at_least(kMergeDefaults) && merges_default_eviction(document->root)) {
      hard->insert(built_in_.begin(), built_in_.end());
    }
    return settings;
  }

  void load_main(const std::string& path) {
    if (std::optional<KubeletSettings> settings = load_typed(path)) {
      loaded_.settings = std::move(*settings);
      shares_built_in_ = loaded_.settings.eviction_hard == built_in_;
    }
  }

  void load_directory(const std::string& path) {
    if (!version_.at_least(kConfigDir)) {
      loaded_.errors.push_back(
          fmt::format("--config-dir: {} does not know this flag; it came with 1.{}",
                      to_text(version_),
                      kConfigDir));
      return;
    }
    if (path.empty()) {
      return;
    }
    if (!version_.at_least(kInodesDefault) && !alpha_enabled_) {
      loaded_.errors.push_back(
          fmt::format("--config-dir: {} takes it only with KUBELET_CONFIG_DROPIN_DIR_ALPHA in its "
                      "environment",
                      to_text(version_)));
      return;
    }
    DropInFiles found = find_drop_ins(root_, path);
    put_instead(found.paths);
    add_errors(std::move(found.errors));
    warn(std::move(found.warnings));
    if (version_.at_least(kJsonPatch)) {
      patch_with(found.paths);
      return;
    }
    for (const std::string& file : found.paths) {
      override_with(file);
    }
  }

  /// At its place in the kubelet's walk, which orders paths by their parts.
  void put_instead(std::vector<std::string>& paths) const {
    for (const auto& [path, content] : instead_) {
      std::erase(paths, path);
      if (content) {
        const auto later = [](const std::filesystem::path& left, const std::string& right) {
          return left < right;
        };
        paths.insert(std::upper_bound(paths.begin(), paths.end(), path, later), path);
      }
    }
  }

  /// 1.28: every drop-in is a whole configuration with its own defaults, and what is not empty in
  /// it wins: one that leaves evictionHard out puts the built-in thresholds back.
  /// Where the main file leaves it out too, kubelet and drop-ins share one map, and what a drop-in
  /// sets becomes built-in for the next one.
  /// Source: kubelet v1.28 cmd/kubelet/app/server.go mergeKubeletConfigurations().
  void override_with(const std::string& file) {
    std::optional<KubeletSettings> drop_in = load_typed(file);
    if (!drop_in) {
      return;
    }
    merge(settings().eviction_hard, drop_in->eviction_hard);
    if (shares_built_in_) {
      built_in_ = *settings().eviction_hard;
    }
    merge(settings().eviction_soft, drop_in->eviction_soft);
    merge(settings().eviction_soft_grace_period, drop_in->eviction_soft_grace_period);
    merge(settings().eviction_minimum_reclaim, drop_in->eviction_minimum_reclaim);
    merge(settings().kube_reserved, drop_in->kube_reserved);
    merge(settings().system_reserved, drop_in->system_reserved);
    settings().eviction_pressure_transition_period = drop_in->eviction_pressure_transition_period;
    settings().memory_manager_policy = drop_in->memory_manager_policy;
    settings().cgroup_driver = drop_in->cgroup_driver;
    settings().port = drop_in->port;
    settings().healthz_bind_address = drop_in->healthz_bind_address;
    settings().healthz_port = drop_in->healthz_port;
    settings().container_runtime_endpoint = drop_in->container_runtime_endpoint;
    if (drop_in->cgroup_root) {
      settings().cgroup_root = drop_in->cgroup_root;
    }
    const std::optional<Setting>& grace = drop_in->eviction_max_pod_grace_period;
    if (grace && grace->value != "0") {
      settings().eviction_max_pod_grace_period = grace;
    }
    if (drop_in->reserved_memory && !drop_in->reserved_memory->empty()) {
      settings().reserved_memory = drop_in->reserved_memory;
    }
    if (!drop_in->enforce_node_allocatable.empty()) {
      settings().enforce_node_allocatable = drop_in->enforce_node_allocatable;
    }
  }

  /// 1.29 and later: JSON merge patches. Up to 1.31 they meet the internal type, whose names are
  /// capitalised, so that null finds nothing to delete; the last decoding ignores case.
  void patch_with(const std::vector<std::string>& files) {
    const bool versioned = version_.at_least(kVersionedPatch);
    ConfigValue merged =
        encode_settings(settings(), versioned ? NameStyle::kVersioned : NameStyle::kInternal);
    for (const std::string& file : files) {
      const std::optional<ConfigDocument> document = read(file);
      if (document && is_patch(*document)) {
        warn(unknown_fields(document->root, NameMatch::kAnyCase));
        merge_patch(merged, document->root);
      }
    }
    std::sort(merged.members.begin(),
              merged.members.end(),
              [](const auto& left, const auto& right) { return left.name < right.name; });
    if (versioned) {
      settings() = KubeletSettings{};
    }
    add_errors(decode_settings(merged, NameMatch::kAnyCase, settings()));
    if (versioned) {
      apply_zero_defaults(settings());
    }
  }

  bool is_patch(const ConfigDocument& document) {
    const std::string& path = document.root.source;
    for (const std::string& name : document.duplicates) {
      loaded_.errors.push_back(
          fmt::format("{}: {} is there twice, which no drop-in may have", path, name));
    }
    if (version_.at_least(kVersionedPatch)) {
      return is_kubelet_configuration(document) && document.duplicates.empty();
    }
    const ConfigValue* const kind = document.root.find("kind");
    if (kind == nullptr || kind->kind != ConfigValue::Kind::kString || kind->text.empty()) {
      loaded_.errors.push_back(fmt::format("{}: kind is missing; write {}", path, kKind));
      return false;
    }
    return document.duplicates.empty();
  }

  void warn_of_containerfs() {
    for (const auto* map : {&settings().eviction_hard, &settings().eviction_soft}) {
      for (const auto& [signal, setting] : map->value_or(SettingMap{})) {
        if (signal.rfind("containerfs.", 0) == 0) {
          loaded_.warnings.push_back(
              fmt::format("{}: {} is overwritten by the kubelet from nodefs or imagefs",
                          setting.source,
                          signal));
        }
      }
    }
  }

  KubeletVersion version_;
  bool alpha_enabled_;
  const FilesInstead& instead_;
  const cgroup::Directory& root_;
  KubeletFlags flags_;
  SettingMap built_in_;
  bool shares_built_in_ = false;
  LoadedSettings loaded_;
};

}  // namespace

LoadedSettings load_kubelet_settings(const KubeletInvocation& invocation,
                                     const cgroup::Directory& root) {
  return Loader{invocation, root}.load();
}

}  // namespace eviction::config
