/* What the other parts are made of; no interface. A part of rally.hpp. */
#ifndef RALLY_DETAIL_HPP
#define RALLY_DETAIL_HPP

#include <rally/values.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

namespace rally {

namespace detail {

template <typename T, void (*Init)(T *, size_t)>
T initialised() {
  T value;
  Init(&value, sizeof value);
  return value;
}

/* Runs `call` with an error to fill and throws what it reports. */
template <typename Call>
void check(Call &&call) {
  rally_error error = initialised<rally_error, rally_error_init>();
  if (const rally_status status = call(&error)) throw Error(status, error.message);
}

/* Carries the caller's progress and log functions through C, and the first exception of either back. C keeps its address. */
class Watch {
 public:
  Watch() = default;
  Watch(OnProgress progress, OnLog log) : progress_(std::move(progress)), log_(std::move(log)) {}
  Watch(const Watch &) = delete;
  Watch &operator=(const Watch &) = delete;

  template <typename Options>
  void attach_progress(Options &options) {
    if (!progress_) return;
    options.progress = report;
    options.progress_user = this;
  }
  template <typename Options>
  void attach_log(Options &options) {
    if (!log_) return;
    options.log = say;
    options.log_user = this;
  }

  /* As detail::check; what a function threw goes before what the call answered. */
  template <typename Call>
  void check(Call &&call) {
    rally_error error = initialised<rally_error, rally_error_init>();
    const rally_status status = call(&error);
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
    if (status) throw Error(status, error.message);
  }

 private:
  static int32_t report(void *user, uint64_t done, uint64_t total) {
    auto *watch = static_cast<Watch *>(user);
    try {
      return !watch->thrown_ && watch->progress_(done, total) ? 0 : 1;
    } catch (...) {
      watch->thrown_ = std::current_exception();
      return 1;
    }
  }
  static void say(void *user, rally_log_level level, const char *message) {
    auto *watch = static_cast<Watch *>(user);
    if (watch->thrown_) return;
    try {
      watch->log_(level, message);
    } catch (...) {
      watch->thrown_ = std::current_exception();
    }
  }

  OnProgress progress_;
  OnLog log_;
  std::exception_ptr thrown_;
};

/* A text of the library: its size first, then the text. */
template <typename Fill>
std::string text(Fill &&fill) {
  size_t size = 0;
  check([&](rally_error *error) { return fill(nullptr, 0, &size, error); });
  std::string found(size, '\0');
  check([&](rally_error *error) { return fill(&found[0], found.size(), &size, error); });
  found.resize(size - 1); /* without its NUL */
  return found;
}

/* A handle and the function that closes it; moved, not copied. */
template <typename T, void (*Close)(T *)>
class Handle {
 public:
  Handle() = default;
  Handle(Handle &&other) noexcept : pointer_(std::exchange(other.pointer_, nullptr)) {}
  Handle &operator=(Handle &&other) noexcept {
    std::swap(pointer_, other.pointer_);
    return *this;
  }
  ~Handle() { Close(pointer_); }

  T *get() const { return pointer_; }
  T **out() { return &pointer_; }

 private:
  T *pointer_ = nullptr;
};

}  // namespace detail

}  // namespace rally

#endif /* RALLY_DETAIL_HPP */
