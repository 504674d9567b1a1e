#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace pipit {

/// What kind of failure an `Error` is. The first seven are the error types of Prometheus's HTTP API, so that
/// a failure keeps its meaning from the place it happened up to the answer.
enum class ErrorKind {
  bad_data,     ///< The caller's input is wrong (a query, a parameter, a file, a page).
  execution,    ///< A well-formed query can't be evaluated on this data, or hit a limit.
  timeout,      ///< A deadline passed.
  canceled,     ///< The caller went away or asked to stop.
  internal,     ///< A fault of Pipit itself or of the disk below it.
  unavailable,  ///< Not now: starting, stopping or out of space.
  not_found,    ///< What was named does not exist.
};

/// A failure as a value. `message` says what was wrong and where, in words for the user.
struct Error {
  ErrorKind kind = ErrorKind::internal;
  std::string message;
};

inline Error bad_data(std::string message) { return {ErrorKind::bad_data, std::move(message)}; }
inline Error execution_error(std::string message) { return {ErrorKind::execution, std::move(message)}; }
inline Error internal_error(std::string message) { return {ErrorKind::internal, std::move(message)}; }

/// A `T`, or the `Error` that stood in its way.
///
/// `std::expected` is C++23 and missing where Pipit is built; this has the part of it that is needed.
/// REQUIRES: `ok()` before `value()`, `*` or `->`; `!ok()` before `error()`.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    assert(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  Error& error() {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }
  const Error& error() const {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

/// Success without a value, or an `Error`.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)), ok_(false) {}

  bool ok() const { return ok_; }
  explicit operator bool() const { return ok_; }
  const Error& error() const {
    assert(!ok_);
    return error_;
  }

 private:
  Error error_;
  bool ok_ = true;
};

}  // namespace pipit
