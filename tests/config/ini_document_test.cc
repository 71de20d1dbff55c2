// SPDX-License-Identifier: Apache-2.0
#include "config/ini_document.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eviction::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::string_literals;  // NOLINT(google-build-using-namespace): for "a\0b"s

/// Entries as "LINE:section.key=value".
std::vector<std::string> entries_of(const IniDocument& document) {
  std::vector<std::string> texts;
  for (const IniEntry& entry : document.entries) {
    texts.push_back(std::to_string(entry.line) + ':' + entry.section + '.' + entry.key + '=' +
                    entry.value);
  }
  return texts;
}

TEST(IniDocument, ReadsSectionsKeysAndComments) {
  const IniDocument document = parse_ini(
      "; of the file\n"
      "\n"
      "[sizing]\n"
      "risk = 0.1% ; behind a value\n"
      "  # indented comment\n"
      "growth-ceiling=10%\n"
      "[kubelet] ; behind a section\n"
      "version\t=\t\n",
      "a.ini");
  EXPECT_THAT(document.errors, IsEmpty());
  EXPECT_THAT(
      entries_of(document),
      ElementsAre("4:sizing.risk=0.1%", "6:sizing.growth-ceiling=10%", "8:kubelet.version="));
  ASSERT_THAT(document.sections, SizeIs(2));
  EXPECT_EQ(document.sections[0].name, "sizing");
  EXPECT_EQ(document.sections[1].name, "kubelet");
  EXPECT_EQ(document.sections[1].line, 7U);
}

struct Accepted {
  const char* name;
  std::string text;
  std::vector<std::string> entries;
};

TEST(IniDocument, Accepts) {
  const std::vector<Accepted> cases{
      {"nothing", "", {}},
      {"no final line feed", "[a]\nb = c", {"2:a.b=c"}},
      {"CR LF", "[a]\r\n\r\nb = c\r\n", {"3:a.b=c"}},
      {"byte order mark", "\xEF\xBB\xBF[a]\nb = c\n", {"2:a.b=c"}},
      {"byte order mark before a comment", "\xEF\xBB\xBF; x\n[a]\nb = c\n", {"3:a.b=c"}},
      {"case of keys is kept", "[a]\nB = c\n", {"2:a.B=c"}},
      {"keys given twice are all there", "[a]\nb = c\nb = d\n", {"2:a.b=c", "3:a.b=d"}},
      {"a section in two places",
       "[a]\nb=1\n[c]\nd=2\n[a]\ne=3\n",
       {"2:a.b=1", "4:c.d=2", "6:a.e=3"}},
      {"second equals sign", "[a]\nb = c=d\n", {"2:a.b=c=d"}},
      {"semicolon without a blank", "[a]\nb = c;d\n", {"2:a.b=c;d"}},
      {"hash in a value", "[a]\nb = c # d\n", {"2:a.b=c # d"}},
      {"brackets in a value", "[a]\nb = [c]\n", {"2:a.b=[c]"}},
      {"colon in a value", "[a]\nb = c:d\n", {"2:a.b=c:d"}},
      {"value of UTF-8", "[a]\nb = \xC3\xBC\n", {"2:a.b=\xC3\xBC"}},
      {"comment of any length", "[a]\n; " + std::string(5000, 'x') + "\nb = c\n", {"3:a.b=c"}},
      {"longest line",
       "[a]\nb=" + std::string(196, 'c') + "\n",
       {"2:a.b=" + std::string(196, 'c')}},
      {"longest line, no final line feed",
       "[a]\nb=" + std::string(196, 'c'),
       {"2:a.b=" + std::string(196, 'c')}},
      {"longest line with CR LF, and one after it",
       "[a]\nb=" + std::string(196, 'c') + "\r\nd = e\r\n",
       {"2:a.b=" + std::string(196, 'c'), "3:a.d=e"}},
      {"longest section",
       '[' + std::string(49, 's') + "]\na = b\n",
       {"2:" + std::string(49, 's') + ".a=b"}},
  };
  for (const Accepted& test : cases) {
    SCOPED_TRACE(test.name);
    const IniDocument document = parse_ini(test.text, "a.ini");
    EXPECT_THAT(document.errors, IsEmpty());
    EXPECT_EQ(entries_of(document), test.entries);
  }
}

struct Refused {
  const char* name;
  std::string text;
  std::size_t line;
  const char* what;
  std::vector<std::string> entries = {};  ///< what is read beside the error
};

void expect_refused(const Refused& test) {
  SCOPED_TRACE(test.name);
  const IniDocument document = parse_ini(test.text, "/etc/a.ini");
  ASSERT_THAT(document.errors, SizeIs(1));
  const Error& error = document.errors[0];
  EXPECT_EQ(error.kind, ErrorKind::kMalformed);
  EXPECT_EQ(error.path, "/etc/a.ini");
  EXPECT_EQ(error.line, test.line);
  EXPECT_THAT(error.what, HasSubstr(test.what));
  EXPECT_FALSE(error.remedy.empty());
  EXPECT_EQ(entries_of(document), test.entries);
}

TEST(IniDocument, RefusesWhatInihWouldMangle) {
  const std::vector<Refused> cases{
      {"one byte too long",
       "[a]\nb=" + std::string(197, 'c') + "\nd=e\n",
       2,
       "199 bytes",
       {"3:a.d=e"}},
      {"cut in two, the rest a key", "[a]\nb=" + std::string(197, 'c') + "d=e\n", 2, "202 bytes"},
      {"continuation", "[a]\nb = c\n  d\ne = f\n", 3, "indented", {"2:a.b=c", "4:a.e=f"}},
      {"indented key", "[a]\nb = c\n\td = e\n", 3, "indented", {"2:a.b=c"}},
      {"indented key right below its section", "[a]\n b = c\n", 2, "indented"},
      {"indented section", "[a]\nb = c\n [d]\n", 3, "indented", {"2:a.b=c"}},
      {"NUL", "[a]\nb = c\0d\n"s, 2, "control"},
      {"NUL in a comment", "[a]\n; \0\nb = c\n"s, 2, "control", {"3:a.b=c"}},
      {"CR alone", "[a]\rb = c\r", 1, "control"},
      {"CR at the end of the text", "[a]\nb = c\r", 2, "control"},
      {"form feed, a blank to inih", "[a]\nb = c\n\fd = e\n", 3, "control", {"2:a.b=c"}},
      {"text behind a section", "[a] b = c\nd = e\n", 1, "behind a section"},
      {"comment without a blank behind a section", "[a];b\n", 1, "behind a section"},
      {"hash behind a section", "[a] # b\n", 1, "behind a section"},
      {"section too long", '[' + std::string(50, 's') + "]\na = b\n", 1, "no section"},
      {"second byte order mark",
       "[a]\n\xEF\xBB\xBF"
       "b = c\n",
       2,
       "no key"},
      {"colon for equals", "[a]\nb : c\n", 2, "neither"},
      {"colon before equals", "[a]\nb : c = d\n", 2, "no key"},
      {"comment before equals", "[a]\nb ; = c\n", 2, "no key"},
  };
  for (const Refused& test : cases) {
    expect_refused(test);
  }
}

TEST(IniDocument, RefusesWhatIsNoIni) {
  const std::vector<Refused> cases{
      {"key before a section", "b = c\n[a]\n", 1, "before any section"},
      {"a word", "[a]\nword\n", 2, "neither"},
      {"YAML", "---\n", 1, "neither"},
      {"no key", "[a]\n= c\n", 2, "no key"},
      {"blank in a key", "[a]\nb c = d\n", 2, "no key"},
      {"section without its end", "[a\nb = c\n", 1, "no section"},
      {"section without a name", "[]\nb = c\n", 1, "no section"},
      {"blanks in a section", "[ a ]\nb = c\n", 1, "no section"},
      {"comment in a section", "[a ;b]\nb = c\n", 1, "no section"},
      {"a bracket alone", "[", 1, "no section"},
  };
  for (const Refused& test : cases) {
    expect_refused(test);
  }
}

TEST(IniDocument, ReportsEveryBadLine) {
  const IniDocument document = parse_ini("x\n[a]\n b\nc = d\n[e\nf = g\n[h]\ni\n", "a.ini");
  std::vector<std::size_t> lines;
  for (const Error& error : document.errors) {
    lines.push_back(error.line);
  }
  EXPECT_THAT(lines, ElementsAre(1, 3, 5, 8));
  EXPECT_THAT(entries_of(document), ElementsAre("4:a.c=d"));
}

}  // namespace
}  // namespace eviction::config
