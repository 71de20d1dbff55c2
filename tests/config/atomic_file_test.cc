// SPDX-License-Identifier: Apache-2.0
#include "config/atomic_file.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/temporary_tree.h"

namespace eviction::config {
namespace {

class AtomicFile : public testing::Test {
 protected:
  [[nodiscard]] static std::string content_of(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
  }

  [[nodiscard]] cgroup::Directory folder() const { return *cgroup::Directory::open(tree_.path()); }

  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator{tree_.path()}, {}));
  }

  tests::TemporaryTree tree_;
};

mode_t mode_of(const std::string& path) {
  struct stat status {};

  EXPECT_EQ(stat(path.c_str(), &status), 0);
  return status.st_mode & 0777U;
}

ino_t inode_of(const std::string& path) {
  struct stat status {};

  EXPECT_EQ(stat(path.c_str(), &status), 0);
  return status.st_ino;
}

TEST_F(AtomicFile, WritesANewFileAsItsNeighbours) {
  tree_.file("00-defaults.conf", "x").file("a.txt", "y");
  ASSERT_EQ(chmod(tree_.path("00-defaults.conf").c_str(), 0640), 0);
  ASSERT_EQ(chmod(tree_.path("a.txt").c_str(), 0666), 0);
  EXPECT_EQ(*write_atomically(folder(), "60-a.conf", "new"), Written::kWritten);
  EXPECT_EQ(content_of(tree_.path("60-a.conf")), "new");
  EXPECT_EQ(mode_of(tree_.path("60-a.conf")), 0640U);
  EXPECT_EQ(files(), 3U);
}

TEST_F(AtomicFile, WritesForItsOwnerAloneWithoutNeighbours) {
  EXPECT_EQ(*write_atomically(folder(), "60-a.conf", ""), Written::kWritten);
  EXPECT_EQ(mode_of(tree_.path("60-a.conf")), 0600U);
}

TEST_F(AtomicFile, KeepsTheModeOfTheFileItReplaces) {
  tree_.file("00.conf", "x").file("60-a.conf", "old");
  ASSERT_EQ(chmod(tree_.path("60-a.conf").c_str(), 0604), 0);
  EXPECT_EQ(*write_atomically(folder(), "60-a.conf", "new"), Written::kWritten);
  EXPECT_EQ(content_of(tree_.path("60-a.conf")), "new");
  EXPECT_EQ(mode_of(tree_.path("60-a.conf")), 0604U);
}

TEST_F(AtomicFile, EqualContentWritesNothing) {
  tree_.file("60-a.conf", "same");
  const ino_t before = inode_of(tree_.path("60-a.conf"));
  EXPECT_EQ(*write_atomically(folder(), "60-a.conf", "same"), Written::kUnchanged);
  EXPECT_EQ(inode_of(tree_.path("60-a.conf")), before);
}

TEST_F(AtomicFile, NeverWritesIntoTheFileThatReadersHaveOpen) {
  tree_.file("60-a.conf", "old");
  std::ifstream reader{tree_.path("60-a.conf")};
  ASSERT_TRUE(write_atomically(folder(), "60-a.conf", "a longer new text"));
  EXPECT_EQ((std::string{std::istreambuf_iterator<char>{reader}, {}}), "old");
}

TEST_F(AtomicFile, TakesOverALeftoverOfAnInterruptedWrite) {
  tree_.file("60-a.conf.tmp", "half of i").file("other", "of somebody else");
  std::filesystem::remove(tree_.path("60-a.conf.tmp"));
  std::filesystem::create_symlink("other", tree_.path("60-a.conf.tmp"));
  EXPECT_TRUE(write_atomically(folder(), "60-a.conf", "new"));
  EXPECT_EQ(content_of(tree_.path("60-a.conf")), "new");
  EXPECT_EQ(content_of(tree_.path("other")), "of somebody else");
  EXPECT_EQ(files(), 2U);
}

TEST_F(AtomicFile, ReplacesNoLinkAndNoDirectory) {
  tree_.file("real", "of somebody else").directory("60-b.conf");
  std::filesystem::create_symlink("real", tree_.path("60-a.conf"));
  for (const char* const name : {"60-a.conf", "60-b.conf"}) {
    const Result<Written> written = write_atomically(folder(), name, "new");
    ASSERT_FALSE(written) << name;
    EXPECT_EQ(written.error().kind, ErrorKind::kMalformed);
    EXPECT_NE(to_text(written.error()).find(name), std::string::npos);
  }
  EXPECT_EQ(content_of(tree_.path("real")), "of somebody else");
  EXPECT_EQ(files(), 3U);
}

/// A file system of 64 KiB that is mounted for the test alone; skipped where mounting is not
/// allowed.
class SmallFileSystem : public AtomicFile {
 protected:
  void SetUp() override {
    if (mount("none", tree_.path().c_str(), "tmpfs", 0, "size=65536") != 0) {
      GTEST_SKIP() << "needs the right to mount a tmpfs";
    }
    mounted_ = true;
  }

  void TearDown() override {
    if (mounted_) {
      EXPECT_EQ(umount(tree_.path().c_str()), 0);
    }
  }

 private:
  bool mounted_ = false;
};

TEST_F(SmallFileSystem, LeavesTheOldContentWhenTheDiskIsFull) {
  tree_.file("60-a.conf", "old");
  const Result<Written> written = write_atomically(folder(), "60-a.conf", std::string(200000, 'x'));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::kIo);
  EXPECT_NE(written.error().remedy.find("free space"), std::string::npos);
  EXPECT_EQ(content_of(tree_.path("60-a.conf")), "old");
  EXPECT_EQ(files(), 1U);
}

TEST_F(SmallFileSystem, SaysThatItIsReadOnly) {
  tree_.file("60-a.conf", "old");
  ASSERT_EQ(mount("none", tree_.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  const Result<Written> written = write_atomically(folder(), "60-a.conf", "new");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::kDenied);
  EXPECT_NE(written.error().remedy.find("file system read-write"), std::string::npos);
  EXPECT_NE(written.error().remedy.find("ReadWritePaths"), std::string::npos)
      << "to the service all is read-only but those";
  EXPECT_FALSE(remove_durably(folder(), "60-a.conf"));
  EXPECT_EQ(content_of(tree_.path("60-a.conf")), "old");
}

TEST_F(AtomicFile, RemovesAndRenames) {
  tree_.file("a", "1").file("b", "2");
  EXPECT_TRUE(rename_durably(folder(), "a", "b"));
  EXPECT_EQ(content_of(tree_.path("b")), "1");
  EXPECT_EQ(rename_durably(folder(), "a", "c").error().kind, ErrorKind::kAbsent);
  EXPECT_EQ(remove_durably(folder(), "b"), true);
  EXPECT_EQ(remove_durably(folder(), "b"), false) << "it was not there";
  EXPECT_EQ(files(), 0U);
}

TEST_F(AtomicFile, RemovesNoFolder) {
  tree_.directory("a").file("b.tmp/c", "1").file("b", "2");
  EXPECT_FALSE(remove_durably(folder(), "a"));
  const Result<bool> removed = remove_durably(folder(), "b");
  ASSERT_FALSE(removed);
  EXPECT_EQ(to_text(removed.error()),
            tree_.path("b.tmp") + ": Is a directory; look at what is in it, then remove it");
  EXPECT_EQ(files(), 2U) << "the file itself is gone";
}

TEST_F(AtomicFile, MakesAFolderForItsOwnerAlone) {
  const Result<cgroup::Directory> made = make_folder(folder(), "/made");
  ASSERT_TRUE(made);
  EXPECT_TRUE(write_atomically(*made, "f", "1"));
  EXPECT_EQ(content_of(tree_.path("made/f")), "1");
  EXPECT_EQ(mode_of(tree_.path("made")), 0700U);
  EXPECT_TRUE(make_folder(folder(), "made"));
  EXPECT_EQ(make_folder(folder(), "not/there").error().kind, ErrorKind::kAbsent);
}

}  // namespace
}  // namespace eviction::config
