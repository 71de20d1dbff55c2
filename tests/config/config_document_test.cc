// SPDX-License-Identifier: Apache-2.0
#include "config/config_document.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eviction::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Kind = ConfigValue::Kind;

/// Compact, so that a table can show it: strings in quotes, the rest bare.
std::string show(const ConfigValue& value) {
  std::string text;
  switch (value.kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBoolean:
    case Kind::kNumber:
      return value.text;
    case Kind::kString:
      return '\'' + value.text + '\'';
    case Kind::kList:
      for (const ConfigValue& item : value.items) {
        text += (text.empty() ? "" : " ") + show(item);
      }
      return '[' + text + ']';
    case Kind::kMap:
      for (const auto& [name, item] : value.members) {
        text += (text.empty() ? "" : " ") + name + ':' + show(item);
      }
      return '{' + text + '}';
  }
  return text;
}

struct Row {
  std::string name;
  std::string text;
  std::string value;
};

TEST(ConfigDocument, ReadsYaml) {
  const std::vector<Row> rows{
      {"plain", "a: 100Mi\nb: 1\n", "{a:'100Mi' b:1}"},
      {"quoted", "a: \"1\"\nb: 'no'\nc: ''\n", "{a:'1' b:'no' c:''}"},
      {"null", "a: ~\nb:\nc: null", "{a:null b:null c:null}"},
      {"tags", "a: !!str 5\nb: !!int '5'\nc: !own 5", "{a:'5' b:5 c:'5'}"},
      {"bare tag", "a: ! 5\nb: &x ! '5'\nc: *x", "{a:'5' b:'5' c:'5'}"},
      {"whole as float", "a: !!float 5", "{a:5}"},
      {"anchor used again", "a: &x 1\nb: &x [&x 2, *x]\nc: *x\n", "{a:1 b:[2 2] c:2}"},
      {"folded with a tab", "a: >\n  b\n  \tc\n", "{a:'b\n\tc\n'}"},
      {"mark inside a line",
       "a: b\xef\xbb\xbf"
       "c\n",
       "{a:'b\xef\xbb\xbf"
       "c'}"},
      {"flow", "a: {b: c, d: [1, x,]}", "{a:{b:'c' d:[1 'x']}}"},
      {"blocks", "a: |\n  x\nb: >-\n  y\n  z\n", "{a:'x\n' b:'y z'}"},
      {"anchor", "a: &x {m: 1Gi}\nb: *x\n", "{a:{m:'1Gi'} b:{m:'1Gi'}}"},
      {"merge",
       "a: &x {m: 1Gi, p: 2}\nb:\n  <<: *x\n  o: 3\n",
       "{a:{m:'1Gi' p:2} b:{m:'1Gi' p:2 o:3}}"},
      {"merge list", "a: {<<: [{m: 1}, {m: 2, p: 3}]}", "{a:{m:1 p:3}}"},
      {"keys", "1: a\ntrue: b\ny: c\n", "{1:'a' true:'c'}"},
      {"comment", "# c\na: b # d\n", "{a:'b'}"},
      {"first document", "a: b\n---\nc: [", "{a:'b'}"},
      {"start", "---\na: b\n", "{a:'b'}"},
      {"directive", "%YAML 1.1\n---\na: b\n", "{a:'b'}"},
      {"byte order mark",
       "\xef\xbb\xbf"
       "a: b\n",
       "{a:'b'}"},
      {"carriage returns", "a: b\r\nc: d\r\n", "{a:'b' c:'d'}"},
      {"old line breaks",
       "a: b\rc: d\xc2\x85"
       "e: f",
       "{a:'b' c:'d' e:'f'}"},
      {"explicit key", "? a\n: b\n", "{a:'b'}"},
      {"no final newline", "a: b", "{a:'b'}"},
      {"not only ASCII", "a: \u00e9\n", "{a:'\u00e9'}"},
      {"a list", "- a\n", "['a']"},
      {"a scalar", "a:b\n", "'a:b'"},
      {"nothing", "# only a comment\n", "null"}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const Result<ConfigDocument> document = parse_config_document(row.text, "f.yaml");
    ASSERT_TRUE(document) << to_text(document.error());
    EXPECT_EQ(show(document->root), row.value);
  }
}

TEST(ConfigDocument, ReadsJsonAfterABrace) {
  const Result<ConfigDocument> document = parse_config_document(
      " \n{\"a\": \"1\", \"b\": [true, null, 1, -2, 1.5], \"c\": {\"d\": 18446744073709551615}}",
      "f");
  ASSERT_TRUE(document);
  EXPECT_EQ(show(document->root), "{a:'1' b:[true null 1 -2 1.5] c:{d:18446744073709551615}}");
}

TEST(ConfigDocument, RefusesWhatTheKubeletCannotRead) {
  const std::vector<Row> rows{{"tab as indent", "a:\n\tb: c\n", ""},
                              {"tab after a value", "a: b\n\tc: d\n", ""},
                              {"unclosed quote", "a: 'b\n", ""},
                              {"unclosed quote at the end", "a: '", ""},
                              {"unclosed quote before a line", "a: \"b\nc: d\n", ""},
                              {"unclosed list", "a: [1,2\n", ""},
                              {"unclosed map", "a: {b: c\n", ""},
                              {"two colons", "a: b: c\n", ""},
                              {"no space after the colon", "a: b\nmemory.available:1Gi\n", ""},
                              {"unknown anchor", "a: *x\n", ""},
                              {"anchor in itself", "a: &x [*x]\n", ""},
                              {"wrong tag", "a: !!int x\n", ""},
                              {"fraction as int", "a: !!int 1.5\n", ""},
                              {"quoted anchor", "a: &\"x\" b\n", ""},
                              {"empty item", "a: [b, ,c]\n", ""},
                              {"question mark in a list", "a: [b?]\n", ""},
                              {"mark at a line",
                               "a: b\n\xef\xbb\xbf"
                               "c: d\n",
                               ""},
                              {"merge of an alias of a list", "a: &x [{b: 1}]\nc: {<<: *x}\n", ""},
                              {"at sign", "a: @b\n", ""},
                              {"backtick", "a: `b\n", ""},
                              {"infinity", "a: .inf\n", ""},
                              {"null key", "~: a\n", ""},
                              {"list as key", "[a]: b\n", ""},
                              {"merge of a scalar", "a: {<<: b}\n", ""},
                              {"other YAML", "%YAML 1.2\n---\na: b\n", ""},
                              {"directive inside", "a: b\n%c: d\n", ""},
                              {"control character", "a: \x01\n", ""},
                              {"NUL", std::string("a: b\0c\n", 7), ""},
                              {"not UTF-8", "a: \xff\n", ""},
                              {"overlong UTF-8", "a: \xc0\xaf\n", ""},
                              {"surrogate", "a: \xed\xa0\x80\n", ""},
                              {"cut UTF-8", "a: \xe2\x82", ""},
                              {"UTF-16",
                               std::string("\xff\xfe"
                                           "a\0:\0",
                                           6),
                               ""},
                              {"JSON without quotes", "{a: b}", ""},
                              {"JSON and more", "{\"a\": 1} x", ""},
                              {"JSON with a comma", "{\"a\": 1,}", ""},
                              {"JSON with a comment", "{\"a\": 1 /* c */}", ""},
                              {"cut JSON", "{\"a\": ", ""},
                              {"JSON number out of range", "{\"a\": 1e999}", ""}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const Result<ConfigDocument> document = parse_config_document(row.text, "f.yaml");
    ASSERT_FALSE(document) << show(document->root);
    EXPECT_EQ(document.error().kind, ErrorKind::kMalformed);
    EXPECT_EQ(document.error().path, "f.yaml");
    EXPECT_FALSE(document.error().remedy.empty());
  }
}

TEST(ConfigDocument, NamesTheLine) {
  EXPECT_EQ(parse_config_document("a: b\n\nc: d: e\nf: g\n", "f").error().line, 3U);
  EXPECT_EQ(parse_config_document("a: b\n\nc: \x02\n", "f").error().line, 3U);
  EXPECT_EQ(parse_config_document("{\"a\":\n1,\n}", "f").error().line, 3U);
  const Result<ConfigDocument> document = parse_config_document("a: b\nc:\n  d: e\n", "f");
  EXPECT_EQ(document->root.find("c")->find("d")->line, 3U);
  EXPECT_EQ(place(*document->root.find("a")), "f:1");
}

TEST(ConfigDocument, KeepsTheLastOfTwoInYaml) {
  const Result<ConfigDocument> document = parse_config_document("a: 1\nb: 2\na: {c: 3}\n", "f");
  ASSERT_TRUE(document);
  EXPECT_EQ(show(document->root), "{a:{c:3} b:2}");
  EXPECT_THAT(document->duplicates, ElementsAre("a (line 3)"));
}

TEST(ConfigDocument, KeepsBothOfTwoInJson) {
  const Result<ConfigDocument> document =
      parse_config_document("{\"a\": {\"b\": 1}, \"a\": {\"c\": 2}}", "f");
  ASSERT_TRUE(document);
  EXPECT_EQ(show(document->root), "{a:{b:1} a:{c:2}}");
  EXPECT_THAT(document->duplicates, ElementsAre("a"));
}

TEST(ConfigDocument, SeesNoDuplicatesInDifferentMaps) {
  EXPECT_THAT(parse_config_document("a: {c: 1}\nb: {c: 1}\n", "f")->duplicates, IsEmpty());
  EXPECT_THAT(parse_config_document("{\"a\": {\"c\": 1}, \"b\": {\"c\": 1}}", "f")->duplicates,
              IsEmpty());
}

std::string repeated(const std::string& text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) {
    result += text;
  }
  return result;
}

TEST(ConfigDocument, SurvivesWhatIsTooDeepOrTooLarge) {
  const std::vector<Row> rows{
      {"lists", "a: " + repeated("[", 100000), ""},
      {"closed lists", "a: " + repeated("[", 5000) + repeated("]", 5000), ""},
      {"block lists", repeated("- ", 100000) + "a", ""},
      {"maps", repeated("{a: ", 50000), ""},
      {"JSON", repeated("{\"a\":", 100000), ""},
      {"JSON lists", "{\"a\":" + repeated("[", 100000), ""},
      {"explicit keys", repeated("? ", 100000), ""}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_FALSE(parse_config_document(row.text, "f"));
  }
}

TEST(ConfigDocument, SurvivesAliasesThatGrow) {
  std::string text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string before = "*a" + std::to_string(i - 1) + ',';
    text +=
        "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + repeated(before, 10) + "]\n";
  }
  const Result<ConfigDocument> document = parse_config_document(text, "f");
  ASSERT_FALSE(document);
  EXPECT_THAT(document.error().what, HasSubstr("too many values"));
}

TEST(ConfigDocument, RefusesMapsOfThousands) {
  std::string yaml;
  std::string json = "{\"a\": 1";
  for (int i = 0; i < 2000; ++i) {
    yaml += "k" + std::to_string(i) + ": 1\n";
    json += ", \"k" + std::to_string(i) + "\": 1";
  }
  EXPECT_FALSE(parse_config_document(yaml, "f"));
  EXPECT_FALSE(parse_config_document(json + "}", "f"));
}

}  // namespace
}  // namespace eviction::config
