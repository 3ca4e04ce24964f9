#include "platform/process/cgroup.h"

#include <gtest/gtest.h>

#include "platform/files/files.h"
#include "platform/files/test_dir.h"

namespace mainstay::platform {
namespace {

TEST(CgroupBaseFind, SaysWhyThereIsNone) {
  auto none =
      CgroupBase::find_in("31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n", "0::/\n", "i");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Code::environment_invalid);
  EXPECT_NE(none.error().message().find("no cgroup v2"), std::string::npos);
}

/// A folder that looks like a mount but whose groups have no cgroup.kill (an old kernel).
TEST(CgroupBaseFind, TakesNoMountWithoutKillAndLeavesNothingThere) {
  TestDir dir;
  std::string mount = dir / "with space";
  ASSERT_TRUE(make_dirs(mount));
  ASSERT_TRUE(write_file_atomic(mount + "/cgroup.procs", ""));
  std::string info = "41 31 0:38 / " + (dir / "with\\040space") + " rw - cgroup2 cgroup2 rw\n";
  auto base = CgroupBase::find_in(info, "1:cpu:/x\n0::/own\n", "inst");
  ASSERT_FALSE(base);
  EXPECT_NE(base.error().message().find("cgroup.kill"), std::string::npos)
      << base.error().message();
  EXPECT_FALSE(path_exists(mount + "/mainstay"));
}

}  // namespace
}  // namespace mainstay::platform
