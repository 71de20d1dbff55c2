// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_scalar.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace eviction::config {
namespace {

using Kind = ConfigValue::Kind;

struct Row {
  std::string text;
  Kind kind;
  std::string value;
};

// What sigs.k8s.io/yaml makes of each, unquoted.
TEST(YamlScalar, IsResolvedAsTheKubeletDoes) {
  const std::vector<Row> rows{{"100Mi", Kind::kString, "100Mi"},
                              {"5%", Kind::kString, "5%"},
                              {"1.5Gi", Kind::kString, "1.5Gi"},
                              {"30s", Kind::kString, "30s"},
                              {"1m30s", Kind::kString, "1m30s"},
                              {"100m", Kind::kString, "100m"},
                              {"1:30", Kind::kString, "1:30"},
                              {"1.5.2", Kind::kString, "1.5.2"},
                              {"2001-01-01", Kind::kString, "2001-01-01"},
                              {"0x", Kind::kString, "0x"},
                              {"_1", Kind::kString, "_1"},
                              {"--", Kind::kString, "--"},
                              {".", Kind::kString, "."},
                              {"1e400", Kind::kString, "1e400"},
                              {"1e", Kind::kString, "1e"},
                              {"yEs", Kind::kString, "yEs"},
                              {"NULL ", Kind::kString, "NULL "},
                              {"", Kind::kNull, ""},
                              {"~", Kind::kNull, ""},
                              {"null", Kind::kNull, ""},
                              {"Null", Kind::kNull, ""},
                              {"y", Kind::kBoolean, "true"},
                              {"Yes", Kind::kBoolean, "true"},
                              {"on", Kind::kBoolean, "true"},
                              {"TRUE", Kind::kBoolean, "true"},
                              {"n", Kind::kBoolean, "false"},
                              {"off", Kind::kBoolean, "false"},
                              {"False", Kind::kBoolean, "false"},
                              {"0", Kind::kNumber, "0"},
                              {"1000", Kind::kNumber, "1000"},
                              {"+1", Kind::kNumber, "1"},
                              {"-1", Kind::kNumber, "-1"},
                              {"1_000", Kind::kNumber, "1000"},
                              {"1__0", Kind::kNumber, "10"},
                              {"1_", Kind::kNumber, "1"},
                              {"010", Kind::kNumber, "8"},
                              {"08", Kind::kNumber, "8"},
                              {"0o7", Kind::kNumber, "7"},
                              {"0x1F", Kind::kNumber, "31"},
                              {"0b11", Kind::kNumber, "3"},
                              {"-0b11", Kind::kNumber, "-3"},
                              {"1e3", Kind::kNumber, "1000"},
                              {".5", Kind::kNumber, "0.5"},
                              {"5.", Kind::kNumber, "5"},
                              {"-.5", Kind::kNumber, "-0.5"},
                              {"1.25", Kind::kNumber, "1.25"},
                              {"18446744073709551616", Kind::kNumber, "1.8446744073709552e+19"},
                              {".inf", Kind::kNumber, ".inf"},
                              {"-.Inf", Kind::kNumber, "-.inf"},
                              {".NaN", Kind::kNumber, ".nan"}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    const ConfigValue value = resolve_plain_scalar(row.text);
    EXPECT_EQ(value.kind, row.kind);
    EXPECT_EQ(value.text, row.value);
  }
}

}  // namespace
}  // namespace eviction::config
