// Result<T>: a value or the Error that explains why there is none. Spelled like std::expected.
//
// Bad input, a missing file or a full disk is a Result; a broken invariant is MS_ASSERT. A Result
// must be looked at ([[nodiscard]]); value() on an error is a broken invariant and aborts.
#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "base/assert.h"
#include "base/error.h"

namespace mainstay::base {

/// Carries an Error into a Result of any value type: `return Failure{error};`.
struct Failure {
  Error error;
};

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT
  Result(Failure failure)                                                    // NOLINT
      : state_(std::in_place_index<1>, std::move(failure.error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & {
    MS_ASSERT(has_value(), "value() of a Result that holds an error");
    return std::get<0>(state_);
  }
  const T& value() const& {
    MS_ASSERT(has_value(), "value() of a Result that holds an error");
    return std::get<0>(state_);
  }
  T&& value() && {
    MS_ASSERT(has_value(), "value() of a Result that holds an error");
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    MS_ASSERT(!has_value(), "error() of a Result that holds a value");
    return std::get<1>(state_);
  }
  Error&& error() && {
    MS_ASSERT(!has_value(), "error() of a Result that holds a value");
    return std::get<1>(std::move(state_));
  }
  template <class U>
  T value_or(U&& fallback) const& {
    return has_value() ? std::get<0>(state_) : static_cast<T>(std::forward<U>(fallback));
  }

 private:
  std::variant<T, Error> state_;
};

/// Result<void>: success, or the Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)) {}              // NOLINT
  Result(Failure failure) : error_(std::move(failure.error)) {}  // NOLINT

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  void value() const { MS_ASSERT(has_value(), "value() of a Result that holds an error"); }
  const Error& error() const& {
    MS_ASSERT(!has_value(), "error() of a Result that holds a value");
    return *error_;
  }
  Error&& error() && {
    MS_ASSERT(!has_value(), "error() of a Result that holds a value");
    return *std::move(error_);
  }

 private:
  std::optional<Error> error_;
};

}  // namespace mainstay::base

namespace mainstay {
using base::Error;
using base::Failure;
using base::Result;
}  // namespace mainstay
