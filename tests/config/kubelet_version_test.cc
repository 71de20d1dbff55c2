// SPDX-License-Identifier: Apache-2.0
#include "config/kubelet_version.h"

#include <gtest/gtest.h>

namespace eviction::config {
namespace {

TEST(KubeletVersion, ReadsWhatNodesReport) {
  const Result<KubeletVersion> version = parse_kubelet_version("v1.32.3+rke2r1");
  ASSERT_TRUE(version);
  EXPECT_EQ(version->major, 1);
  EXPECT_EQ(version->minor, 32);
  EXPECT_EQ(version->patch, 3);
  EXPECT_EQ(version->suffix, "+rke2r1");
}

TEST(KubeletVersion, RoundTripsWithAV) {
  for (const char* text :
       {"v1.24.0", "v1.36.3+k3s1", "v1.30.0-rc.0+rke2r1", "v1.32", "v1.32-eks-1"}) {
    const Result<KubeletVersion> version = parse_kubelet_version(text);
    ASSERT_TRUE(version) << text;
    EXPECT_EQ(to_text(*version), text);
    EXPECT_EQ(to_text(*parse_kubelet_version(std::string_view{text}.substr(1))), text);
  }
  EXPECT_FALSE(parse_kubelet_version("1.32")->patch);
}

TEST(KubeletVersion, RefusesEverythingElse) {
  for (const char* text :
       {"",         "v",      "1",       "1.",        "v1.x",      "1.32.",  "1.32.x",
        "1.32.3.4", "vv1.32", " 1.32",   "1.32 ",     "1.032.1",   "1,32",   "-1.32",
        "1.-32",    "1.32+",  "1.32.3-", "1.32 rke2", "1.99999.1", "latest", "1.32\n"}) {
    const Result<KubeletVersion> version = parse_kubelet_version(text);
    ASSERT_FALSE(version) << text;
    EXPECT_EQ(version.error().kind, ErrorKind::kMalformed);
    EXPECT_FALSE(version.error().remedy.empty());
  }
}

TEST(KubeletVersion, ComparesMinors) {
  const KubeletVersion version = *parse_kubelet_version("1.32.0");
  EXPECT_TRUE(version.at_least(24));
  EXPECT_TRUE(version.at_least(32));
  EXPECT_FALSE(version.at_least(33));
}

}  // namespace
}  // namespace eviction::config
