// SPDX-License-Identifier: Apache-2.0
#include "config/drop_in.h"

#include <gtest/gtest.h>

#include "config/config_document.h"

namespace eviction::config {
namespace {

using namespace eviction::literals;  // NOLINT(google-build-using-namespace): literals only

TEST(DropIn, HoldsNothingButMemory) {
  EXPECT_EQ(render_drop_in({.hard = 1280_MiB, .soft = 3_GiB, .reclaim = 256_MiB}),
            "# Written by eviction-agent; changes are overwritten.\n"
            "apiVersion: kubelet.config.k8s.io/v1beta1\n"
            "kind: KubeletConfiguration\n"
            "evictionHard:\n"
            "  memory.available: \"1280Mi\"\n"
            "evictionSoft:\n"
            "  memory.available: \"3Gi\"\n"
            "evictionSoftGracePeriod:\n"
            "  memory.available: \"1s\"\n"
            "evictionMaxPodGracePeriod: 0\n"
            "evictionMinimumReclaim:\n"
            "  memory.available: \"256Mi\"\n");
}

TEST(DropIn, LeavesOutWhatIsNotAsked) {
  EXPECT_EQ(render_drop_in({.hard = 1_GiB, .soft = {}, .reclaim = {}}),
            "# Written by eviction-agent; changes are overwritten.\n"
            "apiVersion: kubelet.config.k8s.io/v1beta1\n"
            "kind: KubeletConfiguration\n"
            "evictionHard:\n"
            "  memory.available: \"1Gi\"\n");
  EXPECT_EQ(render_drop_in({}),
            "# Written by eviction-agent; changes are overwritten.\n"
            "apiVersion: kubelet.config.k8s.io/v1beta1\n"
            "kind: KubeletConfiguration\n");
}

TEST(KubeletArgs, RestateTheDiskSignals) {
  EXPECT_EQ(
      render_kubelet_args(
          {.hard = 700_MiB, .soft = 1_GiB, .reclaim = 64_MiB},
          {.eviction_hard = "imagefs.available<5%,nodefs.available<5%",
           .eviction_minimum_reclaim = "imagefs.available=10%,nodefs.available=10%"}),
      "# Written by eviction-agent; changes are overwritten.\n"
      "kubelet-arg+:\n"
      "  - \"eviction-hard=imagefs.available<5%,nodefs.available<5%,memory.available<700Mi\"\n"
      "  - \"eviction-soft=memory.available<1Gi\"\n"
      "  - \"eviction-soft-grace-period=memory.available=1s\"\n"
      "  - \"eviction-max-pod-grace-period=0\"\n"
      "  - \"eviction-minimum-reclaim=imagefs.available=10%,nodefs.available=10%,"
      "memory.available=64Mi\"\n");
}

TEST(KubeletArgs, NeedNothingToRestate) {
  EXPECT_EQ(render_kubelet_args({.hard = 1_GiB, .soft = {}, .reclaim = {}}, {}),
            "# Written by eviction-agent; changes are overwritten.\n"
            "kubelet-arg+:\n"
            "  - \"eviction-hard=memory.available<1Gi\"\n");
  EXPECT_EQ(render_kubelet_args({}, {}), "# Written by eviction-agent; changes are overwritten.\n");
}

TEST(KubeletArgs, QuoteWhatArgvHolds) {
  const std::string hostile = "a\"b\\c\n- d\t\x7f";
  const std::string text =
      render_kubelet_args({.hard = 1_GiB, .soft = {}, .reclaim = {}}, {hostile, {}});
  const Result<ConfigDocument> document = parse_config_document(text, "args.yaml");
  ASSERT_TRUE(document) << to_text(document.error());
  const ConfigValue* const list = document->root.find("kubelet-arg+");
  ASSERT_NE(list, nullptr);
  ASSERT_EQ(list->items.size(), 1U);
  EXPECT_EQ(list->items[0].text, "eviction-hard=" + hostile + ",memory.available<1Gi");
}

TEST(OwnFile, ComesBackAsItWas) {
  const RestatedFlags restated{.eviction_hard = "imagefs.available<5%",
                               .eviction_minimum_reclaim = "imagefs.available=10%"};
  for (const MemoryEviction& eviction :
       {MemoryEviction{.hard = 700_MiB, .soft = 1_GiB, .reclaim = 64_MiB},
        MemoryEviction{.hard = 700_MiB, .soft = {}, .reclaim = {}},
        MemoryEviction{.hard = {}, .soft = 3_GiB, .reclaim = 64_MiB},
        MemoryEviction{}}) {
    EXPECT_EQ(parse_own_file(render_drop_in(eviction), "f"), eviction);
    EXPECT_EQ(parse_own_file(render_kubelet_args(eviction, restated), "f"), eviction);
    EXPECT_EQ(parse_own_file(render_kubelet_args(eviction, {}), "f"), eviction);
    const RestatedFlags said{eviction.hard ? restated.eviction_hard : "",
                             eviction.reclaim ? restated.eviction_minimum_reclaim : ""};
    EXPECT_EQ(restated_in(render_kubelet_args(eviction, restated)), said);
    EXPECT_EQ(restated_in(render_drop_in(eviction)), RestatedFlags{});
  }
}

TEST(OwnFile, IsNotSomebodyElses) {
  const std::string mark{kMark};
  for (const std::string& text : {std::string{},
                                  std::string{"evictionHard:\n  memory.available: 1Gi\n"},
                                  mark + "\nevictionHard:\n  memory.available: much\n",
                                  mark + "\nevictionHard: [",
                                  mark + "\nkubelet-arg+:\n- eviction-hard=memory.available<x\n"}) {
    const Result<MemoryEviction> own = parse_own_file(text, "/x/60-eviction-agent.conf");
    ASSERT_FALSE(own) << text;
    EXPECT_EQ(own.error().path, "/x/60-eviction-agent.conf");
  }
}

TEST(Mark, IsTheWholeFirstLine) {
  EXPECT_TRUE(has_mark(render_drop_in({})));
  EXPECT_TRUE(has_mark(render_kubelet_args({}, {})));
  EXPECT_TRUE(has_mark(kMark));
  EXPECT_FALSE(has_mark(""));
  EXPECT_FALSE(has_mark("# Written by"));
  EXPECT_FALSE(has_mark(std::string{kMark} + " Not."));
  EXPECT_FALSE(has_mark('\n' + std::string{kMark}));
}

}  // namespace
}  // namespace eviction::config
