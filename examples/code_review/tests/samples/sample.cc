#include <vector>

namespace outer {
namespace {

constexpr auto kText = R"x(
void not_a_function() { if (true) { } }
)x";
constexpr long kBig = 1'000'000;

template <class T, class U = std::vector<int>>
T largest(const std::vector<T>& values) {
  T best{};
  for (const T& v : values) {
    if (v > best) best = v;
  }
  return best;
}

}  // namespace

class Store : public Base<int> {
 public:
  explicit Store(int n) : size_(n), items_{1, 2}, name_("x") {
    if (n > 0) open();
  }
  ~Store() { close(); }
  int size() const noexcept override { return size_; }
  bool operator==(const Store& other) const {
    return size_ == other.size_;
  }
  int operator()(int x) const { return x; }
  explicit operator bool() const { return true; }
  auto begin() -> std::vector<int>::iterator {
    return items_.begin();
  }

 private:
  int size_ = 0;
  std::vector<int> items_{};
};

void Store::open() {
  auto each = [this](int x) mutable noexcept -> int {
    while (x > 0) {
      try {
        --x;
      } catch (const std::exception& e) {
        if (x) return 1;
      }
    }
    return 0;
  };
  std::sort(items_.begin(), items_.end(), [](int a, int b) { return a < b; });
  std::vector<int> more{1, 2, 3};
  int table[2]{1, 2};
}

void Store::close() try {
  size_ = 0;
} catch (...) {
}

int plain() {
  struct Local {
    int x;
  };
  { int scoped = 1; (void)scoped; }
  if constexpr (sizeof(int) == 4) return 1;
  return 0;
}

TEST(StoreTest, Opens) {
  EXPECT_TRUE(true);
}

}  // namespace outer

extern "C" {
int exported(void) {
  return 1;
}
}
