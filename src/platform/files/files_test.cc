#include "platform/files/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <thread>

#include "platform/files/test_dir.h"

namespace mainstay::platform {
namespace {

mode_t mode_of(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0);
  return info.st_mode & 07777;
}

TEST(Files, WritesAtomicallyAndReadsBack) {
  TestDir dir;
  std::string path = dir / "state.json";
  ASSERT_TRUE(write_file_atomic(path, "one"));
  ASSERT_TRUE(write_file_atomic(path, "two"));
  EXPECT_EQ(*read_file(path), "two");
  EXPECT_EQ(mode_of(path), 0600U);
  EXPECT_EQ(list_dir(dir.path())->size(), 1U) << "a temporary file was left";
}

TEST(Files, C1FailedAtomicWriteLeavesTheOldFileAndNoTemporary) {
  TestDir dir;
  std::string path = dir / "target";
  ASSERT_TRUE(make_dirs(path));
  ASSERT_TRUE(write_file_atomic(path + "/inside", "x"));
  auto result = write_file_atomic(path, "y");  // a folder cannot be replaced by a file
  ASSERT_FALSE(result);
  EXPECT_EQ(list_dir(dir.path())->size(), 1U);
}

TEST(Files, ErrorsNameThePathAndTheReason) {
  auto missing = read_file("/nonexistent/file");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Code::not_found);
  EXPECT_NE(missing.error().message().find("/nonexistent/file"), std::string::npos);
  EXPECT_EQ(io_error("cannot write", "x", ENOSPC).code(), Code::storage_full);
  EXPECT_EQ(io_error("cannot write", "x", EIO).fields()[1].second, "EIO");
}

TEST(Files, APipeInAFilesPlaceIsRefusedAndNotWaitedFor) {
  TestDir dir;
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  auto read = read_regular_file(dir / "pipe", 100);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), Code::forbidden);
  EXPECT_NE(read.error().message().find("pipe is a pipe, not a regular file"), std::string::npos);
  EXPECT_FALSE(open_regular_file(dir.path(), O_RDONLY));
  ASSERT_TRUE(write_file_atomic(dir / "file", "text"));
  EXPECT_EQ(*read_regular_file(dir / "file", 100), "text");
}

TEST(Files, RefusesAFileOverTheLimit) {
  TestDir dir;
  ASSERT_TRUE(write_file_atomic(dir / "big", std::string(1001, 'x')));
  EXPECT_TRUE(read_file(dir / "big", 1001));
  auto result = read_file(dir / "big", 1000);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::payload_too_large);
}

TEST(Files, PrivateFolderIs0700WithItsParents) {
  TestDir dir;
  ASSERT_TRUE(make_private_dir(dir / "a/b/c/"));
  EXPECT_EQ(mode_of(dir / "a"), 0700U);
  EXPECT_EQ(mode_of(dir / "a/b/c"), 0700U);
  ASSERT_EQ(::chmod((dir / "a/b/c").c_str(), 0755), 0);
  ASSERT_TRUE(make_private_dir(dir / "a/b/c"));
  EXPECT_EQ(mode_of(dir / "a/b/c"), 0700U);
  ASSERT_TRUE(write_file_atomic(dir / "file", "x"));
  EXPECT_FALSE(make_private_dir(dir / "file"));
  EXPECT_FALSE(make_private_dir(dir / "file/below"));
}

TEST(Files, OpenBeneathNeverLeavesItsRoot) {
  TestDir dir;
  ASSERT_TRUE(make_dirs(dir / "root/sub"));
  ASSERT_TRUE(write_file_atomic(dir / "secret", "secret"));
  ASSERT_TRUE(write_file_atomic(dir / "root/sub/page", "page"));
  ASSERT_EQ(::symlink("../secret", (dir / "root/link").c_str()), 0);
  ASSERT_EQ(::symlink("..", (dir / "root/up").c_str()), 0);
  auto root = open_file(dir / "root", O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(root);
  auto page = open_beneath(*root, "sub/page", O_RDONLY);
  ASSERT_TRUE(page);
  EXPECT_EQ(*read_fd(page->get(), 100, "page"), "page");
  using namespace std::string_literals;
  for (const std::string& bad : {"../secret"s, "/etc/passwd"s, "sub/../../secret"s, "link"s,
                                 "up/secret"s, ""s, "sub/page\0x"s}) {
    auto result = open_beneath(*root, bad, O_RDONLY);
    ASSERT_FALSE(result) << bad;
    EXPECT_EQ(result.error().code(), Code::forbidden) << bad;
  }
  EXPECT_EQ(open_beneath(*root, "sub/none", O_RDONLY).error().code(), Code::not_found);
}

TEST(Files, ReserveReallyTakesItsBlocks) {
  TestDir dir;
  ASSERT_TRUE(reserve_file(dir / "reserve", 1 << 20));
  struct stat info {};
  ASSERT_EQ(::stat((dir / "reserve").c_str(), &info), 0);
  EXPECT_GE(info.st_blocks * 512, 1 << 20);
  EXPECT_GT(*free_bytes(dir.path()), 0U);
  EXPECT_TRUE(remove_file(dir / "reserve"));
  EXPECT_TRUE(remove_file(dir / "reserve"));
}

/// Faults C6: a small pipe forces short writes, a storm of signals forces EINTR; no byte is lost.
TEST(Files, C6WriteAllSurvivesShortWritesAndSignals) {
  struct sigaction on_signal {};
  on_signal.sa_handler = [](int) {};
  struct sigaction before {};
  ASSERT_EQ(::sigaction(SIGUSR1, &on_signal, &before), 0);  // no SA_RESTART: calls are interrupted
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  Fd reader(ends[0]);
  Fd writer(ends[1]);
  ASSERT_GT(::fcntl(writer.get(), F_SETPIPE_SZ, 4096), 0);
  std::string sent(1 << 20, 'x');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 31 + i / 4096);
  Result<void> wrote;
  std::thread thread([&] {
    wrote = write_all(writer.get(), sent, "pipe");
    writer.reset();
  });
  std::string got;
  char buffer[1000];
  for (int n = 0;; ++n) {
    if (got.size() < sent.size()) ::pthread_kill(thread.native_handle(), SIGUSR1);
    ssize_t count = ::read(reader.get(), buffer, sizeof buffer);
    if (count <= 0) break;
    got.append(buffer, static_cast<std::size_t>(count));
  }
  thread.join();
  EXPECT_TRUE(wrote);
  EXPECT_TRUE(got == sent);
  ::sigaction(SIGUSR1, &before, nullptr);
}

TEST(Files, C6TheStartOfAFileIsReadInAnyNumberOfPieces) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  Fd reader(ends[0]);
  Fd writer(ends[1]);
  std::thread thread([&] {
    for (const char* piece : {"ab", "c", "defg"}) {
      EXPECT_TRUE(write_all(writer.get(), piece, "pipe"));
      std::this_thread::yield();
    }
    writer.reset();
  });
  char buffer[16];
  EXPECT_EQ(*read_start(reader.get(), buffer, 5, "pipe"), 5U);
  EXPECT_EQ(std::string_view(buffer, 5), "abcde");
  EXPECT_EQ(*read_start(reader.get(), buffer, sizeof buffer, "pipe"), 2U) << "its end came first";
  EXPECT_EQ(*read_start(reader.get(), buffer, sizeof buffer, "pipe"), 0U);
  thread.join();
  EXPECT_FALSE(read_start(-1, buffer, sizeof buffer, "nothing"));
}

}  // namespace
}  // namespace mainstay::platform
