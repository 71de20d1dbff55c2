// SPDX-License-Identifier: Apache-2.0
#include "config/kubelet_fields.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace eviction::config {
namespace {

constexpr auto kB = FieldType::kBoolean;
constexpr auto kI = FieldType::kInteger;
constexpr auto kS = FieldType::kString;
constexpr auto kD = FieldType::kDuration;
constexpr auto kL = FieldType::kStringList;
constexpr auto kM = FieldType::kStringMap;
constexpr auto kO = FieldType::kOther;

constexpr std::array kFields = std::to_array<KubeletField>({
    {"address", kS},
    {"allowedUnsafeSysctls", kL},
    {"apiVersion", kS},
    {"authentication", kO},
    {"authorization", kO},
    {"cgroupDriver", kS},
    {"cgroupRoot", kS},
    {"cgroupsPerQOS", kB},
    {"clusterDNS", kL},
    {"clusterDomain", kS},
    {"configMapAndSecretChangeDetectionStrategy", kS},
    {"containerLogMaxFiles", kI},
    {"containerLogMaxSize", kS},
    {"containerLogMaxWorkers", kI},
    {"containerLogMonitorInterval", kO},
    {"containerRuntimeEndpoint", kS},
    {"contentType", kS},
    {"cpuCFSQuota", kB},
    {"cpuCFSQuotaPeriod", kO},
    {"cpuManagerPolicy", kS},
    {"cpuManagerPolicyOptions", kM},
    {"cpuManagerReconcilePeriod", kD},
    {"crashLoopBackOff", kO},
    {"draManagerReconcilePeriod", kO},
    {"enableContentionProfiling", kB},
    {"enableControllerAttachDetach", kB},
    {"enableDebugFlagsHandler", kB},
    {"enableDebuggingHandlers", kB},
    {"enableProfilingHandler", kB},
    {"enableServer", kB},
    {"enableSystemLogHandler", kB},
    {"enableSystemLogQuery", kO},
    {"enforceNodeAllocatable", kL},
    {"eventBurst", kI},
    {"eventRecordQPS", kI},
    {"evictionHard", kM},
    {"evictionMaxPodGracePeriod", kI},
    {"evictionMinimumReclaim", kM},
    {"evictionPressureTransitionPeriod", kD},
    {"evictionSoft", kM},
    {"evictionSoftGracePeriod", kM},
    {"failCgroupV1", kO},
    {"failSwapOn", kB},
    {"featureGates", kO},
    {"fileCheckFrequency", kD},
    {"hairpinMode", kS},
    {"healthzBindAddress", kS},
    {"healthzPort", kI},
    {"httpCheckFrequency", kD},
    {"imageGCHighThresholdPercent", kI},
    {"imageGCLowThresholdPercent", kI},
    {"imageMaximumGCAge", kO},
    {"imageMinimumGCAge", kD},
    {"imagePullCredentialsVerificationPolicy", kO},
    {"imageServiceEndpoint", kO},
    {"iptablesDropBit", kI},
    {"iptablesMasqueradeBit", kI},
    {"kernelMemcgNotification", kB},
    {"kind", kS},
    {"kubeAPIBurst", kI},
    {"kubeAPIQPS", kI},
    {"kubeReserved", kM},
    {"kubeReservedCgroup", kS},
    {"kubeletCgroups", kS},
    {"localStorageCapacityIsolation", kO},
    {"logging", kO},
    {"makeIPTablesUtilChains", kB},
    {"maxOpenFiles", kI},
    {"maxParallelImagePulls", kO},
    {"maxPods", kI},
    {"memoryManagerPolicy", kS},
    {"memoryReservationPolicy", kO},
    {"memorySwap", kO},
    {"memoryThrottlingFactor", kO},
    {"mergeDefaultEvictionSettings", kO},
    {"nodeLeaseDurationSeconds", kI},
    {"nodeStatusMaxImages", kI},
    {"nodeStatusReportFrequency", kD},
    {"nodeStatusUpdateFrequency", kD},
    {"oomScoreAdj", kI},
    {"podCIDR", kS},
    {"podHousekeepingPeriod", kO},
    {"podLogsDir", kO},
    {"podPidsLimit", kI},
    {"podsPerCore", kI},
    {"port", kI},
    {"preloadedImagesVerificationAllowlist", kO},
    {"protectKernelDefaults", kB},
    {"providerID", kS},
    {"qosReserved", kM},
    {"readOnlyPort", kI},
    {"registerNode", kB},
    {"registerWithTaints", kO},
    {"registryBurst", kI},
    {"registryPullQPS", kI},
    {"reservedMemory", kO},
    {"reservedSystemCPUs", kS},
    {"resolvConf", kS},
    {"rotateCertificates", kB},
    {"runOnce", kB},
    {"runtimeRequestTimeout", kD},
    {"seccompDefault", kB},
    {"serializeImagePulls", kB},
    {"serverTLSBootstrap", kB},
    {"showHiddenMetricsForVersion", kS},
    {"shutdownGracePeriod", kD},
    {"shutdownGracePeriodByPodPriority", kO},
    {"shutdownGracePeriodCriticalPods", kD},
    {"singleProcessOOMKill", kO},
    {"staticPodPath", kS},
    {"staticPodURL", kS},
    {"staticPodURLHeader", kO},
    {"streamingConnectionIdleTimeout", kD},
    {"syncFrequency", kD},
    {"systemCgroups", kS},
    {"systemReserved", kM},
    {"systemReservedCgroup", kS},
    {"tlsCertFile", kS},
    {"tlsCipherSuites", kL},
    {"tlsCurvePreferences", kO},
    {"tlsMinVersion", kS},
    {"tlsPrivateKeyFile", kS},
    {"topologyManagerPolicy", kS},
    {"topologyManagerPolicyOptions", kO},
    {"topologyManagerScope", kS},
    {"tracing", kO},
    {"userNamespaces", kO},
    {"volumePluginDir", kS},
    {"volumeStatsAggPeriod", kD},
});

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

bool same_name(std::string_view left, std::string_view right, NameMatch match) {
  if (match == NameMatch::kExact) {
    return left == right;
  }
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](char a, char b) {
    return lower(a) == lower(b);
  });
}

const KubeletField* find_kubelet_field(std::string_view name, NameMatch match) {
  const auto* const field =
      std::find_if(kFields.begin(), kFields.end(), [name, match](const KubeletField& known) {
        return same_name(known.name, name, match);
      });
  return field == kFields.end() ? nullptr : field;
}

std::vector<std::string> unknown_fields(const ConfigValue& root, NameMatch match) {
  std::vector<std::string> names;
  for (const auto& [name, value] : root.members) {
    if (find_kubelet_field(name, match) == nullptr) {
      names.push_back(fmt::format("{}: no kubelet has {}; it is ignored", place(value), name));
    }
  }
  return names;
}

}  // namespace eviction::config
