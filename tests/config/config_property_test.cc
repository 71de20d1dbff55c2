// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <optional>
#include <string>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "config/config_document.h"
#include "config/drop_in.h"
#include "config/kubelet_config.h"
#include "config/quantity.h"
#include "config/thresholds.h"
#include "tests/support/temporary_tree.h"

namespace eviction::config {
namespace {

constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();

Bytes any_amount() {
  const std::int64_t any = *rc::gen::inRange<std::int64_t>(1, kLargest);
  return Bytes{(any >> *rc::gen::inRange(0, 62)) | 1};
}

std::optional<Bytes> maybe_amount() {
  return *rc::gen::arbitrary<bool>() ? std::optional{any_amount()} : std::nullopt;
}

RC_GTEST_PROP(QuantityProperty, WhatIsRenderedIsReadBack, ()) {
  const Bytes bytes{*rc::gen::inRange<std::int64_t>(-kLargest, kLargest) >>
                    *rc::gen::inRange(0, 62)};
  const Result<Quantity> quantity = parse_quantity(render_quantity(bytes));
  RC_ASSERT(quantity.has_value());
  RC_ASSERT(quantity->bytes == bytes);
}

RC_GTEST_PROP(QuantityProperty, NoTextCrashes, ()) {
  const auto text = *rc::gen::container<std::string>(
      rc::gen::elementOf(std::string{"0123456789.+-eEinumkKMGTP %_"}));
  const Result<Quantity> quantity = parse_quantity(text);
  RC_ASSERT(!quantity || text.find_first_of(" %_") == std::string::npos);
}

/// The bytes a kubelet has for memory.available, as hard, soft and minimum reclaim.
struct InForce {
  std::optional<Bytes> hard;
  std::optional<Bytes> soft;
  std::optional<Bytes> reclaim;
};

InForce in_force(const LoadedSettings& loaded, const KubeletVersion& version) {
  InForce result;
  RC_ASSERT(loaded.errors.empty());
  const ParsedThresholds parsed = parse_thresholds(loaded.settings, version);
  RC_ASSERT(parsed.errors.empty());
  for (const Threshold& threshold : parsed.thresholds) {
    if (threshold.signal != kMemoryAvailable) {
      continue;
    }
    (threshold.soft ? result.soft : result.hard) = threshold_bytes(threshold.value, Bytes{1});
    if (threshold.min_reclaim) {
      result.reclaim = threshold_bytes(*threshold.min_reclaim, Bytes{1});
    }
  }
  return result;
}

RC_GTEST_PROP(DropInProperty, MeansTheSameToTheKubelet, ()) {
  const MemoryEviction eviction{
      .hard = maybe_amount(), .soft = maybe_amount(), .reclaim = maybe_amount()};
  const KubeletVersion version{
      .major = 1, .minor = *rc::gen::inRange(32, kNewestMinor + 1), .patch = {}, .suffix = {}};
  tests::TemporaryTree tree;
  tree.file("d/60-eviction-agent.conf", render_drop_in(eviction));
  const InForce result = in_force(
      load_kubelet_settings(
          {.version = version, .arguments = {"--config-dir=/d"}, .config_dropin_dir_alpha = false},
          *cgroup::Directory::open(tree.path())),
      version);
  RC_ASSERT(result.hard == eviction.hard);
  RC_ASSERT(result.soft == eviction.soft);
  RC_ASSERT(result.reclaim == (eviction.hard || eviction.soft ? eviction.reclaim : std::nullopt));
}

RC_GTEST_PROP(KubeletArgsProperty, MeanTheSameToTheKubelet, ()) {
  const MemoryEviction eviction{
      .hard = any_amount(), .soft = maybe_amount(), .reclaim = maybe_amount()};
  const std::string text =
      render_kubelet_args(eviction, {"imagefs.available<5%", "imagefs.available=10%"});
  const Result<ConfigDocument> document = parse_config_document(text, "args.yaml");
  RC_ASSERT(document.has_value());
  KubeletInvocation invocation{.version = {.major = 1,
                                           .minor = *rc::gen::inRange(kOldestMinor, 32),
                                           .patch = {},
                                           .suffix = {}},
                               .arguments = {},
                               .config_dropin_dir_alpha = false};
  for (const ConfigValue& item : document->root.find("kubelet-arg+")->items) {
    invocation.arguments.push_back("--" + item.text);
  }
  tests::TemporaryTree tree;
  const LoadedSettings loaded =
      load_kubelet_settings(invocation, *cgroup::Directory::open(tree.path()));
  const InForce result = in_force(loaded, invocation.version);
  RC_ASSERT(result.hard == eviction.hard);
  RC_ASSERT(result.soft == eviction.soft);
  RC_ASSERT(result.reclaim == eviction.reclaim);
  RC_ASSERT(loaded.settings.eviction_hard->count("imagefs.available") == 1U);
}

}  // namespace
}  // namespace eviction::config
