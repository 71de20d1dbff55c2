// SPDX-License-Identifier: Apache-2.0
#include "agent/configz.h"

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/source_tree.h"

namespace eviction::agent {
namespace {

std::string recorded(const std::string& node) {
  std::ifstream file{std::string{tests::kFixtures} + '/' + node + "/truth/configz.json"};
  return {std::istreambuf_iterator<char>{file}, {}};
}

// The thresholds are those of each node's description.
TEST(Configz, OfRecordedKubelets) {
  const Result<MemorySignals> new_kubelet = parse_configz(recorded("kubelet-1.36-dropin-pods"));
  ASSERT_TRUE(new_kubelet) << to_text(new_kubelet.error());
  EXPECT_EQ(new_kubelet->hard, "700Mi");
  EXPECT_EQ(new_kubelet->soft, std::nullopt);
  EXPECT_EQ(new_kubelet->reclaim, "200Mi");
  const Result<MemorySignals> old_kubelet = parse_configz(recorded("kubelet-1.20-flags"));
  ASSERT_TRUE(old_kubelet) << to_text(old_kubelet.error());
  EXPECT_EQ(old_kubelet->hard, "1100Mi");
}

TEST(Configz, MayLackEverything) {
  for (const char* text :
       {R"({"kubeletconfig": {}})",
        R"({"kubeletconfig": {"evictionHard": null, "evictionSoft": {}}, "other": 1})",
        R"({"kubeletconfig": {"evictionHard": {"nodefs.available": "5%"}}})"}) {
    const Result<MemorySignals> signals = parse_configz(text);
    ASSERT_TRUE(signals) << text;
    EXPECT_EQ(signals->hard, std::nullopt);
    EXPECT_EQ(signals->soft, std::nullopt);
    EXPECT_EQ(signals->reclaim, std::nullopt);
  }
}

TEST(Configz, IsRefusedWhenItIsSomethingElse) {
  for (const std::string& text : std::vector<std::string>{
           "",
           "{",
           "null",
           "[]",
           "\"kubeletconfig\"",
           "{}",
           R"({"kubeletconfig": null})",
           R"({"kubeletconfig": []})",
           R"({"kubeletconfig": {"evictionHard": []}})",
           R"({"kubeletconfig": {"evictionHard": "memory.available<1Gi"}})",
           R"({"kubeletconfig": {"evictionSoft": {"memory.available": 1}}})",
           R"({"kubeletconfig": {"evictionMinimumReclaim": {"memory.available": null}}})",
           R"({"kubeletconfig": {}} {})",
           std::string(100'000, '['),
           std::string{"{\"kubeletconfig\": {\0}}", 21}}) {
    const Result<MemorySignals> signals = parse_configz(text);
    ASSERT_FALSE(signals) << text;
    EXPECT_EQ(signals.error().kind, ErrorKind::kMalformed) << text;
    EXPECT_NE(signals.error().what, "") << text;
  }
}

}  // namespace
}  // namespace eviction::agent
