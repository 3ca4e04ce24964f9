#include "platform/files/archive.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "platform/files/test_dir.h"

namespace mainstay::platform {
namespace {

namespace fs = std::filesystem;

class ArchiveTest : public ::testing::Test {
 protected:
  std::string make(const std::string& name, const std::string& bytes) {
    const fs::path path = folder_ / name;
    std::ofstream(path, std::ios::binary) << bytes;
    fs::last_write_time(path, fs::file_time_type{} + std::chrono::seconds(1000));
    return path;
  }
  static std::string slurp(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  TestDir dir_;
  fs::path folder_ = dir_.path();
};

TEST_F(ArchiveTest, GivesTheSameBytesBackAndIsReproducible) {
  std::string large(300'000, 'x');
  large[7] = '\0';
  const std::vector<ArchiveEntry> entries{
      {make("a", "hello\n"), "logs/a.log"}, {make("b", large), "b.bin"}, {make("c", ""), "empty"}};
  const std::string one = folder_ / "one.tar.gz";
  const std::string two = folder_ / "two.tar.gz";
  ASSERT_TRUE(write_tar_gz(one, entries));
  ASSERT_TRUE(write_tar_gz(two, entries));
  EXPECT_EQ(slurp(one), slurp(two));
  std::map<std::string, std::string> found;
  ASSERT_TRUE(read_tar_gz(one, [&](std::string_view path, std::string bytes) {
    found.emplace(path, std::move(bytes));
  }));
  EXPECT_EQ(found.at("logs/a.log"), "hello\n");
  EXPECT_EQ(found.at("b.bin"), large);
  EXPECT_EQ(found.at("empty"), "");
}

TEST_F(ArchiveTest, LeavesNothingBehindWhenAFileIsMissing) {
  const std::string target = folder_ / "x.tar.gz";
  EXPECT_FALSE(write_tar_gz(target, {{folder_ / "missing", "missing"}}));
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(ArchiveTest, SaysThatADamagedArchiveIsDamaged) {
  const std::string target = folder_ / "x.tar.gz";
  ASSERT_TRUE(write_tar_gz(target, {{make("a", std::string(5000, 'q')), "a"}}));
  std::string bytes = slurp(target);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x10);
  std::ofstream(target, std::ios::binary) << bytes;
  const auto read = read_tar_gz(target, [](std::string_view, const std::string&) {});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), Code::archive_invalid);
}

}  // namespace
}  // namespace mainstay::platform
