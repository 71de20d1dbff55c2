// SPDX-License-Identifier: Apache-2.0
#include "config/config_value.h"

#include <string>

#include <gtest/gtest.h>

#include "config/config_document.h"

namespace eviction::config {
namespace {

ConfigValue parse(const std::string& text, const std::string& path = "f") {
  return parse_config_document(text, path)->root;
}

TEST(MergePatch, MergesMapsKeyByKey) {
  ConfigValue target = parse("a: {b: '1', c: '2'}", "old");
  merge_patch(target, parse("a: {c: '3', d: '4'}", "new"));
  const ConfigValue& a = *target.find("a");
  EXPECT_EQ(a.find("b")->text, "1");
  EXPECT_EQ(a.find("b")->source, "old");
  EXPECT_EQ(a.find("c")->text, "3");
  EXPECT_EQ(a.find("c")->source, "new");
  EXPECT_EQ(a.find("d")->text, "4");
}

TEST(MergePatch, DeletesWithNull) {
  ConfigValue target = parse("a: {b: '1', c: '2'}\nd: e");
  merge_patch(target, parse("a: {b: null, x: null}\nd: null"));
  EXPECT_EQ(target.find("a")->members.size(), 1U);
  EXPECT_EQ(target.find("d"), nullptr);
}

TEST(MergePatch, ReplacesListsAndScalars) {
  ConfigValue target = parse("a: [1, 2]\nb: {c: d}\ne: f");
  merge_patch(target, parse("a: [3]\nb: x\ne: {g: h, i: null}"));
  EXPECT_EQ(target.find("a")->items.size(), 1U);
  EXPECT_EQ(target.find("b")->text, "x");
  EXPECT_EQ(target.find("e")->members.size(), 1U);
}

}  // namespace
}  // namespace eviction::config
