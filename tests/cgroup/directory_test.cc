// SPDX-License-Identifier: Apache-2.0
#include "cgroup/directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_tree.h"

namespace eviction::cgroup {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class DirectoryTest : public testing::Test {
 protected:
  Directory open() {
    auto directory = Directory::open(tree_.path());
    EXPECT_TRUE(directory);
    return *std::move(directory);
  }

  void link(const std::string& target, std::string_view relative) {
    std::filesystem::create_symlink(target, tree_.path(relative));
  }

  tests::TemporaryTree tree_;
  Buffer buffer_;
};

TEST_F(DirectoryTest, OpensDirectoriesOnly) {
  EXPECT_EQ(Directory::open(tree_.path("none")).error().kind, ErrorKind::kAbsent);
  tree_.file("file", "x").directory("sub");
  const auto file = Directory::open(tree_.path("file"));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind, ErrorKind::kMalformed);
  EXPECT_EQ(file.error().path, tree_.path("file"));
  EXPECT_EQ(open().open_below("file").error().kind, ErrorKind::kMalformed);
  EXPECT_EQ(open().open_below("none").error().kind, ErrorKind::kAbsent);
  EXPECT_TRUE(open().open_below("sub"));
}

TEST_F(DirectoryTest, ALeadingSlashMeansThisDirectory) {
  tree_.file("sub/file", "text");
  const Directory directory = open();
  EXPECT_EQ(directory.read("/sub/file", buffer_), "text");
  EXPECT_EQ(directory.read("//sub//file", buffer_), "text");
  EXPECT_EQ(directory.open_below("/")->read("sub/file", buffer_), "text");
}

TEST_F(DirectoryTest, AbsoluteLinksStayInside) {
  tree_.file("etc/real", "inside");
  link("/etc/real", "link");
  const auto text = open().read("link", buffer_);
  // Kernels before 5.6 and some filters have no openat2: then the link is followed on the host.
  if (text) {
    EXPECT_EQ(*text, "inside");
  }
}

TEST_F(DirectoryTest, PathsAreNamedAsAnOperatorWould) {
  const auto root = Directory::open("/");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->path(), "/");
  EXPECT_EQ(root->path_of("etc/x"), "/etc/x");
  EXPECT_EQ(root->path_of("/etc/x"), "/etc/x");
  EXPECT_EQ(root->path_of(""), "/");

  tree_.directory("sub");
  const auto directory = Directory::open(tree_.path() + "//");
  ASSERT_TRUE(directory);
  EXPECT_EQ(directory->path(), tree_.path());
  EXPECT_EQ(directory->path_of("a"), tree_.path("a"));
  EXPECT_EQ(directory->open_below("/sub")->path_of("/a"), tree_.path("sub/a"));
}

TEST_F(DirectoryTest, ReadsFilesLargerThanTheBuffer) {
  std::string large(100'000, 'x');
  large.back() = 'y';
  tree_.file("large", large).file("small", "s").file("empty", "");
  const Directory directory = open();
  EXPECT_EQ(directory.read("large", buffer_), large);
  EXPECT_EQ(directory.read("small", buffer_), "s");
  EXPECT_EQ(directory.read("empty", buffer_), "");
}

TEST_F(DirectoryTest, TheLimitIsTheLargestFile) {
  tree_.file("file", "12345");
  const Directory directory = open();
  EXPECT_EQ(directory.read("file", buffer_, 5), "12345");
  const auto over = directory.read("file", buffer_, 4);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().kind, ErrorKind::kTooLarge);
  EXPECT_EQ(over.error().path, tree_.path("file"));
  EXPECT_EQ(directory.read_head("file", buffer_, 4), "1234");
  EXPECT_EQ(directory.read_head("file", buffer_, 9), "12345");
}

TEST_F(DirectoryTest, WhatIsNoFileIsRefusedAtOnce) {
  tree_.directory("sub");
  ASSERT_EQ(::mkfifo(tree_.path("fifo").c_str(), 0600), 0);
  const Directory directory = open();
  const auto fifo = directory.read("fifo", buffer_);
  ASSERT_FALSE(fifo);
  EXPECT_EQ(fifo.error().kind, ErrorKind::kMalformed);
  EXPECT_EQ(fifo.error().what, "is not a regular file");
  const auto sub = directory.read("sub", buffer_);
  ASSERT_FALSE(sub);
  EXPECT_EQ(sub.error().kind, ErrorKind::kMalformed);
  EXPECT_EQ(sub.error().what, "is a directory");

  const auto devices = Directory::open("/dev");
  ASSERT_TRUE(devices);
  for (const char* const device : {"null", "zero"}) {
    const auto text = devices->read(device, buffer_);
    ASSERT_FALSE(text) << device;
    EXPECT_EQ(text.error().kind, ErrorKind::kMalformed) << device;
  }
}

TEST_F(DirectoryTest, AFifoWithAWriterIsRefusedToo) {
  ASSERT_EQ(::mkfifo(tree_.path("fifo").c_str(), 0600), 0);
  const int writer = ::open(tree_.path("fifo").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(writer, 0);
  ASSERT_EQ(::write(writer, "1\n", 2), 2);
  EXPECT_EQ(open().read("fifo", buffer_).error().kind, ErrorKind::kMalformed);
  ::close(writer);
}

TEST_F(DirectoryTest, AMissingFileNamesItself) {
  const auto text = open().read("a/b", buffer_);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().kind, ErrorKind::kAbsent);
  EXPECT_EQ(text.error().path, tree_.path("a/b"));
  EXPECT_THAT(to_text(text.error()), HasSubstr("No such file"));
}

TEST_F(DirectoryTest, ADirectoryMadeAgainIsNotTheOldOne) {
  tree_.file("pod/memory.current", "1");
  const auto old = Directory::open(tree_.path("pod"));
  ASSERT_TRUE(old);
  std::filesystem::remove_all(tree_.path("pod"));
  tree_.file("pod/memory.current", "2");
  EXPECT_EQ(old->read("memory.current", buffer_).error().kind, ErrorKind::kAbsent);
}

TEST_F(DirectoryTest, ListsInByteOrderEveryTime) {
  tree_.file("b", "").file("B", "").file("a-1", "").directory("a").file(".hidden", "");
  link("a", "link");
  const Directory directory = open();
  for (int look = 0; look < 2; ++look) {
    const auto entries = directory.list();
    ASSERT_TRUE(entries);
    std::vector<std::string> names;
    for (const Directory::Entry& entry : *entries) {
      names.push_back(entry.name);
      EXPECT_EQ(entry.directory, entry.name == "a") << entry.name;
    }
    EXPECT_THAT(names, ElementsAre(".hidden", "B", "a", "a-1", "b", "link"));
    EXPECT_THAT(directory.list_directories().value(), ElementsAre("a"));
  }
}

TEST_F(DirectoryTest, ListsMoreThanOneKernelBufferHolds) {
  constexpr std::size_t kMany = 2000;
  for (std::size_t number = 0; number < kMany; ++number) {
    tree_.directory("kubepods-burstable-pod" + std::to_string(number) + ".slice");
  }
  const auto names = open().list_directories();
  ASSERT_TRUE(names);
  EXPECT_EQ(names->size(), kMany);
  EXPECT_TRUE(std::is_sorted(names->begin(), names->end()));
}

// As from a debugger, the freezer or a job that is stopped and goes on.
TEST_F(DirectoryTest, ListsAllWhileSignalsCome) {
  constexpr std::size_t kMany = 300;
  for (std::size_t number = 0; number < kMany; ++number) {
    tree_.directory("kubepods-burstable-pod" + std::to_string(number) + ".slice");
  }
  const Directory directory = open();
  struct sigaction nothing = {};
  nothing.sa_handler = [](int /*signal*/) {};
  nothing.sa_flags = SA_RESTART;
  struct sigaction before = {};
  ASSERT_EQ(::sigaction(SIGALRM, &nothing, &before), 0);
  const itimerval often{.it_interval = {0, 50}, .it_value = {0, 50}};
  ASSERT_EQ(::setitimer(ITIMER_REAL, &often, nullptr), 0);
  std::size_t short_lists = 0;
  for (int look = 0; look < 500; ++look) {
    short_lists += directory.list_directories().value().size() == kMany ? 0U : 1U;
  }
  const itimerval never{};
  ::setitimer(ITIMER_REAL, &never, nullptr);
  ::sigaction(SIGALRM, &before, nullptr);
  EXPECT_EQ(short_lists, 0U);
}

TEST_F(DirectoryTest, ListsTheSameAgain) {
  tree_.directory("a").directory("b");
  const Directory directory = open();
  EXPECT_EQ(directory.list_directories().value(), directory.list_directories().value());
}

TEST_F(DirectoryTest, ReadsLinksUnresolved) {
  link("/does/not/exist", "link");
  tree_.file("file", "");
  const Directory directory = open();
  EXPECT_EQ(directory.read_link("link"), "/does/not/exist");
  EXPECT_EQ(directory.read_link("none").error().kind, ErrorKind::kAbsent);
  const auto file = directory.read_link("file");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind, ErrorKind::kMalformed);
  EXPECT_EQ(file.error().what, "is no symbolic link");
}

TEST_F(DirectoryTest, ALoopOfLinksIsMalformed) {
  link("loop", "loop");
  EXPECT_EQ(open().read("loop", buffer_).error().kind, ErrorKind::kMalformed);
}

TEST_F(DirectoryTest, MovesItsDescriptor) {
  tree_.file("file", "x").directory("sub");
  Directory first = open();
  Directory second = std::move(first);
  EXPECT_EQ(second.read("file", buffer_), "x");
  second = *second.open_below("sub");
  EXPECT_EQ(second.path(), tree_.path("sub"));
  EXPECT_EQ(second.read("file", buffer_).error().kind, ErrorKind::kAbsent);
}

}  // namespace
}  // namespace eviction::cgroup
