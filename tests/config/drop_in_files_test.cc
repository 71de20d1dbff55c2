// SPDX-License-Identifier: Apache-2.0
#include "config/drop_in_files.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_tree.h"

namespace eviction::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(DropInFiles, AreInTheOrderOfTheWalk) {
  tests::TemporaryTree tree;
  tree.file("d/b.conf", "").file("d/a.conf", "").file("d/a/z.conf", "").file("d/a-b/y.conf", "");
  tree.file("d/.hidden.conf", "").file("d/.conf", "").file("d/a.conf.tmp", "").file("d/conf", "");
  tree.file("d/dir.conf/x.conf", "");
  std::filesystem::create_symlink("../elsewhere", tree.path("d/link.conf"));
  std::filesystem::create_directory_symlink("a", tree.path("d/linked"));
  const DropInFiles files = find_drop_ins(*cgroup::Directory::open(tree.path()), "/d");
  EXPECT_THAT(files.errors, IsEmpty());
  EXPECT_THAT(files.paths,
              ElementsAre("/d/.conf",
                          "/d/.hidden.conf",
                          "/d/a/z.conf",
                          "/d/a-b/y.conf",
                          "/d/a.conf",
                          "/d/b.conf",
                          "/d/dir.conf/x.conf",
                          "/d/link.conf"));
}

TEST(DropInFiles, OfAMissingDirectoryAreAnError) {
  tests::TemporaryTree tree;
  const DropInFiles files = find_drop_ins(*cgroup::Directory::open(tree.path()), "/d");
  EXPECT_THAT(files.errors, ElementsAre(HasSubstr("/d")));
}

TEST(DropInFiles, MayBeTheTopItself) {
  tests::TemporaryTree tree;
  tree.file("a.conf", "").file("b.yaml", "");
  const cgroup::Directory root = *cgroup::Directory::open(tree.path());
  EXPECT_THAT(find_drop_ins(root, "/a.conf").paths, ElementsAre("/a.conf"));
  EXPECT_THAT(find_drop_ins(root, "/b.yaml").paths, IsEmpty());
  EXPECT_THAT(find_drop_ins(root, "/b.yaml").errors, IsEmpty());
}

TEST(DropInFiles, EndWhereDirectoriesAreTooDeep) {
  tests::TemporaryTree tree;
  std::string path = "d";
  for (int i = 0; i < 20; ++i) {
    path += "/d";
  }
  tree.file(path + "/a.conf", "");
  EXPECT_THAT(find_drop_ins(*cgroup::Directory::open(tree.path()), "/d").errors,
              ElementsAre(HasSubstr("too deeply")));
}

}  // namespace
}  // namespace eviction::config
