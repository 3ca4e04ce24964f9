#include "platform/files/file_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "platform/files/files.h"
#include "platform/files/test_dir.h"

namespace mainstay::platform {
namespace {

/// Faults B7: the second one refuses, names the owner, and touches nothing.
TEST(FileLock, B7SecondOwnerIsRefusedAndToldWhoHasIt) {
  TestDir dir;
  std::string path = dir / "daemon.lock";
  auto first = FileLock::acquire(path);
  ASSERT_TRUE(first);
  std::string before = *read_file(path);
  auto second = FileLock::acquire(path);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::already_running);
  EXPECT_EQ(second.error().fields()[0].second, std::to_string(::getpid()));
  EXPECT_EQ(*read_file(path), before);
  EXPECT_EQ(*FileLock::owner(path), ::getpid());
}

TEST(FileLock, B7AStaleFileDoesNotStandInTheWay) {
  TestDir dir;
  std::string path = dir / "daemon.lock";
  ASSERT_TRUE(write_file_atomic(path, "4194303999 and some rubbish that is longer"));
  EXPECT_EQ(*FileLock::owner(path), 0);
  auto lock = FileLock::acquire(path);
  ASSERT_TRUE(lock);
  EXPECT_EQ(*read_file(path), std::to_string(::getpid()) + "\n");
}

TEST(FileLock, B7IsFreeOnceItsOwnerIsKilled) {
  TestDir dir;
  std::string path = dir / "daemon.lock";
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  pid_t child = ::fork();
  if (child == 0) {
    auto lock = FileLock::acquire(path);
    if (lock && ::write(ready[1], "x", 1) == 1) ::pause();
    ::_exit(1);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_FALSE(FileLock::acquire(path));
  EXPECT_EQ(*FileLock::owner(path), child);
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(*FileLock::owner(path), 0);
  EXPECT_TRUE(FileLock::acquire(path));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(FileLock, OwnerOfAMissingFileIsNobody) { EXPECT_EQ(*FileLock::owner("/nonexistent/x"), 0); }

}  // namespace
}  // namespace mainstay::platform
