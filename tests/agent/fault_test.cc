// SPDX-License-Identifier: Apache-2.0
//
// Every file of a recorded node broken in turn: nothing may crash or hang, and what the agent can
// no longer know it has to say, naming the file.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "agent/plan.h"
#include "agent/render.h"
#include "tests/support/source_tree.h"
#include "tests/support/temporary_tree.h"

namespace eviction::agent {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream stream{path, std::ios::binary};
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

void write_file(const fs::path& path, const std::string& content) {
  std::ofstream{path, std::ios::binary | std::ios::trunc} << content;
}

/// One way to break a file that held this content.
struct Fault {
  const char* name;
  /// Whether it shows: a number that is cut is a number still, and a file that is gone may be one
  /// that this kernel never had, or that of a pod that ended.
  bool shows;
  void (*apply)(const fs::path& path, const std::string& content);
};

const std::vector<Fault> kFaults = {
    {"truncated",
     false,
     [](const fs::path& path, const std::string& content) {
       write_file(path, content.substr(0, content.size() / 2));
     }},
    {"emptied", true, [](const fs::path& path, const std::string&) { write_file(path, ""); }},
    {"garbage",
     true,
     [](const fs::path& path, const std::string&) {
       write_file(path, std::string{"\xff"} + '\0' + "\x80{[:\n-99999999999999999999 kB\n");
     }},
    {"a directory",
     true,
     [](const fs::path& path, const std::string&) {
       fs::remove(path);
       fs::create_directory(path);
     }},
    {"missing", false, [](const fs::path& path, const std::string&) { fs::remove(path); }},
};

class FaultTest : public testing::TestWithParam<Fault> {
 protected:
  FaultTest() {
    fs::copy(std::string{tests::kFixtures} + "/kubelet-1.36-dropin-pods",
             tree_.path("node"),
             fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    for (const auto& entry : fs::recursive_directory_iterator{tree_.path("node")}) {
      const std::string path = entry.path().string();
      if (entry.is_regular_file() && path.find("/truth/") == std::string::npos) {
        files_.push_back(entry.path());
      }
    }
    std::sort(files_.begin(), files_.end());
  }

  [[nodiscard]] nlohmann::ordered_json plan() const {
    const std::string root = tree_.path("node");
    cgroup::Buffer buffer;
    const Plan plan =
        make_plan(observe(open_host(root + "/proc", root + "/sys", root), {}, buffer), {});
    EXPECT_FALSE(to_table(plan, false).empty());
    EXPECT_FALSE(to_table(check(plan), false).empty());
    return to_json(plan);
  }

  tests::TemporaryTree tree_;
  std::vector<fs::path> files_;
};

TEST_P(FaultTest, IsSurvivedAndNamed) {
  ASSERT_GT(files_.size(), 100U);
  const nlohmann::ordered_json whole = plan();
  std::size_t noticed = 0;
  for (const fs::path& path : files_) {
    const std::string content = read_file(path);
    GetParam().apply(path, content);
    const nlohmann::ordered_json broken = plan();
    fs::remove_all(path);
    write_file(path, content);
    if (broken == whole) {
      continue;  // a file that this plan does not stand on
    }
    ++noticed;
    const std::string relative = fs::relative(path, tree_.path("node")).string();
    EXPECT_TRUE(
        !GetParam().shows ||
        broken.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).find(relative) !=
            std::string::npos)
        << relative << " changed the plan and is not named in it";
  }
  EXPECT_GT(noticed, 15U) << "the faults were hardly noticed: is the tree read at all?";
}

TEST_P(FaultTest, WithoutMeminfoThePlanSaysSo) {
  const fs::path path = tree_.path("node/proc/meminfo");
  GetParam().apply(path, read_file(path));
  const nlohmann::ordered_json broken = plan();
  EXPECT_NE(broken["problems"].dump().find("proc/meminfo"), std::string::npos);
  EXPECT_TRUE(broken["sizing"]["hard_bytes"].is_null());
}

INSTANTIATE_TEST_SUITE_P(, FaultTest, testing::ValuesIn(kFaults), [](const auto& test) {
  return "Fault" + std::to_string(test.index);
});

}  // namespace
}  // namespace eviction::agent
