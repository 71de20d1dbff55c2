// SPDX-License-Identifier: Apache-2.0
#include "agent/node_memory.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace eviction::agent {
namespace {

using namespace literals;  // NOLINT(google-build-using-namespace): nothing but literals

std::string node(const std::string& capacity, const std::string& allocatable) {
  return R"({"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n"}, "status": {"capacity": )" +
         capacity + R"(, "allocatable": )" + allocatable + "}}";
}

TEST(NodeMemory, IsReadToTheByte) {
  const Result<NodeMemory> memory = parse_node_allocatable(
      node(R"({"cpu": "2", "memory": "4021892Ki", "hugepages-2Mi": "400Mi", "hugepages-1Gi": "0"})",
           R"({"cpu": "2", "memory": "2985Mi", "hugepages-2Mi": "400Mi"})"));
  ASSERT_TRUE(memory) << to_text(memory.error());
  EXPECT_EQ(memory->capacity, 4021892_KiB);
  EXPECT_EQ(memory->allocatable, 2985_MiB);
  EXPECT_EQ(memory->hugepages, 400_MiB);
}

TEST(NodeMemory, IsAbsentUntilTheKubeletReportsIt) {
  const std::string memory = R"({"memory": "1Gi"})";
  for (const std::string& text : std::vector<std::string>{R"({"kind": "Node", "status": {}})",
                                                          node("null", memory),
                                                          node(memory, "{}"),
                                                          node(R"({"cpu": "2"})", memory)}) {
    EXPECT_EQ(parse_node_allocatable(text).error().kind, ErrorKind::kAbsent) << text;
  }
}

TEST(NodeMemory, IsRefusedWhenItIsSomethingElse) {
  const std::string memory = R"({"memory": "1Gi"})";
  for (const std::string& text :
       std::vector<std::string>{"",
                                "<html>",
                                "null",
                                "{}",
                                R"({"kind": "Status", "status": "Failure"})",
                                R"({"kind": "Node"})",
                                R"({"kind": "Node", "status": "x"})",
                                node(R"({"memory": 1})", memory),
                                node(R"({"memory": "1Gib"})", memory),
                                node(memory, R"({"memory": "-1"})"),
                                node(memory, R"({"memory": null})"),
                                node(R"({"memory": "1Gi", "hugepages-2Mi": "x"})", memory)}) {
    const Result<NodeMemory> parsed = parse_node_allocatable(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().kind, ErrorKind::kMalformed) << text;
  }
}

TEST(NodeMemory, WithoutWhatIsReservedIsAllocatable) {
  const NodeMemory plain{.capacity = 4096_MiB, .allocatable = {}, .hugepages = {}};
  EXPECT_EQ(allocatable_memory(plain, 0_B, 0_B), 4096_MiB);
  EXPECT_EQ(allocatable_memory(plain, 96_MiB, 700_MiB), 3300_MiB);
  EXPECT_EQ(allocatable_memory(plain, 96_MiB, 4000_MiB), 0_B);
  EXPECT_EQ(allocatable_memory(plain, 96_MiB, 4001_MiB), 0_B);
  const NodeMemory pages{.capacity = 4096_MiB, .allocatable = {}, .hugepages = 400_MiB};
  EXPECT_EQ(allocatable_memory(pages, 0_B, 700_MiB), 2996_MiB);
  EXPECT_EQ(allocatable_memory(pages, 0_B, 3800_MiB), 0_B);
}

}  // namespace
}  // namespace eviction::agent
