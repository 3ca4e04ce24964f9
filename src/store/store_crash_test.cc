// The process is killed at random moments and at each named point (faults B1, B2): what it had
// acknowledged to the outside is there after a restart, and the restart needs no help.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <set>

#include "platform/files/fd.h"
#include "platform/files/test_dir.h"
#include "store/disk/fail_point.h"
#include "store/store.h"
#include "store/test_rows.h"

namespace mainstay::store {
namespace {

constexpr int kBatches = 400;
/// For a child that is to be killed before it is done, however late that comes: the pipe holds
/// 8,192 sequences, and with that many unread it waits.
constexpr int kEndless = 100'000;

StoreOptions options_for(const std::string& dir) {
  StoreOptions options;
  options.dir = dir;
  options.reserve_bytes = 1 << 20;
  options.checkpoint_pages = 8;
  options.max_waiting_changes = 64;  // many small commits, not a few large ones
  return options;
}

/// The child: commits and tells each sequence through the pipe once it is durable. Run as a program
/// of its own, so that it shares no memory and no lock with the test.
TEST(StoreCrashChild, DISABLED_CommitsAndReports) {
  const char* dir = ::getenv("MS_TEST_DIR");
  ASSERT_NE(dir, nullptr) << "only as the child of the tests below";
  const int pipe = ::atoi(::getenv("MS_TEST_FD"));
  const int batches = ::atoi(::getenv("MS_TEST_BATCHES"));
  TestRows rows;
  Result<std::unique_ptr<Store>> store = Store::open(options_for(dir), rows);
  ASSERT_TRUE(store) << store.error().to_text();
  platform::SqliteConnection db = (*store)->open_reader().value();
  const model::Sequence last = *last_sequence(db);
  ASSERT_TRUE((*store)->blobs().put(std::string(70'000, static_cast<char>('a' + last % 26))));
  for (model::Sequence seq = last + 1; seq <= last + batches; ++seq) {
    while (!(*store)->has_room()) ::sched_yield();
    (*store)->commit(batch_of(seq, std::to_string(seq), std::string(500, 'x'), [pipe, seq] {
      // A pipe takes eight bytes whole.
      if (::write(pipe, &seq, sizeof seq) != sizeof seq) ::_exit(3);
    }));
  }
  EXPECT_TRUE((*store)->close(std::chrono::seconds(60)));
}

class Child {
 public:
  Child(const std::string& dir, const std::string& fail_point, int batches) {
    std::array<int, 2> ends{};
    MS_ASSERT(::pipe2(ends.data(), 0) == 0, "a pipe");
    read_ = platform::Fd(ends[0]);
    platform::Fd write(ends[1]);
    ::fcntl(read_.get(), F_SETFD, FD_CLOEXEC);
    std::string program = "/proc/self/exe";
    std::string filter = "--gtest_filter=StoreCrashChild.*";
    std::string disabled = "--gtest_also_run_disabled_tests";
    std::string where = "MS_TEST_DIR=" + dir;
    std::string fd = "MS_TEST_FD=" + std::to_string(write.get());
    std::string count = "MS_TEST_BATCHES=" + std::to_string(batches);
    std::string point = "MAINSTAY_FAIL_POINT=" + fail_point;
    std::array<char*, 4> args{program.data(), filter.data(), disabled.data(), nullptr};
    std::array<char*, 5> environment{where.data(), fd.data(), count.data(),
                                     fail_point.empty() ? nullptr : point.data(), nullptr};
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    MS_ASSERT(::posix_spawn(&pid_, program.c_str(), &actions, nullptr, args.data(),
                            environment.data()) == 0,
              "the child starts");
    ::posix_spawn_file_actions_destroy(&actions);
  }
  ~Child() {
    if (pid_ > 0) finish(true);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// The next acknowledged sequence; 0 when the child is gone.
  model::Sequence next() {
    model::Sequence seq = 0;
    return ::read(read_.get(), &seq, sizeof seq) == sizeof seq ? seq : 0;
  }
  /// How it ended, as waitpid says.
  int finish(bool kill) {
    if (kill) ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return status;
  }

 private:
  pid_t pid_ = 0;
  platform::Fd read_;
};

/// Everything up to `acknowledged` must be there, without gaps, in a sound database.
void expect_there(const std::string& dir, model::Sequence acknowledged) {
  TestRows rows;
  Result<std::unique_ptr<Store>> store = Store::open(options_for(dir), rows);
  ASSERT_TRUE(store) << store.error().to_text();
  platform::SqliteConnection db = (*store)->open_reader().value();
  const model::Sequence last = *last_sequence(db);
  EXPECT_GE(last, acknowledged) << "acknowledged batches are lost";
  EXPECT_EQ(db.query_integer("SELECT count(*) FROM journal").value(), last);
  EXPECT_EQ(db.query_integer("SELECT count(*) FROM agents").value(), last);
  EXPECT_EQ(db.query_text("PRAGMA integrity_check").value(), "ok");
}

TEST(StoreCrash, B1KilledAtRandomMomentsItLosesNothingAcknowledged) {
  platform::TestDir dir;
  base::Random random(20'261'121);
  model::Sequence acknowledged = 0;
  for (int round = 0; round < 30; ++round) {
    Child child(dir / "data", "", kEndless);
    const std::uint64_t until = random.below(kBatches);
    for (std::uint64_t i = 0; i < until; ++i) {
      if (const model::Sequence seq = child.next()) acknowledged = seq;
    }
    ASSERT_TRUE(WIFSIGNALED(child.finish(true))) << "it was not at work any more";
    while (const model::Sequence seq = child.next()) acknowledged = seq;
    ASSERT_NO_FATAL_FAILURE(expect_there(dir / "data", acknowledged)) << "round " << round;
    ASSERT_FALSE(testing::Test::HasFailure()) << "round " << round;
  }
  EXPECT_GT(acknowledged, 1'000);
}

TEST(StoreCrash, B2KilledAtEachNamedPointItComesBack) {
  for (const std::string_view point : base::enum_names<FailPoint>()) {
    SCOPED_TRACE(std::string(point));
    platform::TestDir dir;
    model::Sequence acknowledged = 0;
    {
      Child child(dir / "data", std::string(point), kEndless);
      while (const model::Sequence seq = child.next()) acknowledged = seq;
      const int status = child.finish(false);
      ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
          << "the point was not passed: status " << status;
    }
    ASSERT_NO_FATAL_FAILURE(expect_there(dir / "data", acknowledged));
    Child again(dir / "data", "", kBatches);
    model::Sequence last = 0;
    while (const model::Sequence seq = again.next()) last = seq;
    EXPECT_EQ(again.finish(false), 0);
    EXPECT_GE(last, acknowledged + kBatches);
  }
}

}  // namespace
}  // namespace mainstay::store
