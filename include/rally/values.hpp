/* Version, errors, views and rows. A part of rally.hpp. */
#ifndef RALLY_VALUES_HPP
#define RALLY_VALUES_HPP

#include <rally.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>
#if __cplusplus >= 202002L
#include <span>
#endif

namespace rally {

/* Of the library that is loaded. */
inline std::string version() { return rally_version(); }
inline uint32_t version_number() { return rally_version_number(); }
inline std::string instruction_set() { return rally_instruction_set(); }
/* Lines `name value`, for reports of faults. */
inline std::string build_info() { return rally_build_info(); }

class Error : public std::runtime_error {
 public:
  Error(rally_status code, const std::string &message) : std::runtime_error(message), code_(code) {}
  rally_status code() const noexcept { return code_; }
  /* Such as "RALLY_NOT_FINITE". */
  const char *name() const noexcept { return rally_status_name(code_); }

 private:
  rally_status code_;
};

/* Elements that the caller owns, for the length of a call: a parameter, never kept. What std::span is from C++20 on, and what a
 * span turns into. */
template <typename T>
class View {
 public:
  View() = default;
  View(const T *data, size_t size) : data_(data), size_(size) {}
  View(const std::vector<T> &values) : View(values.data(), values.size()) {}
  View(std::initializer_list<T> values) : View(values.begin(), values.size()) {}
  template <size_t N>
  View(const std::array<T, N> &values) : View(values.data(), N) {}
#if __cplusplus >= 202002L
  View(std::span<const T> values) : View(values.data(), values.size()) {}
  View(std::span<T> values) : View(values.data(), values.size()) {}
#endif

  const T *data() const { return data_; }
  size_t size() const { return size_; }
  const T *begin() const { return data_; }
  const T *end() const { return data_ + size_; }
  const T &operator[](size_t index) const { return data_[index]; }

 private:
  const T *data_ = nullptr;
  size_t size_ = 0;
};

/* Sequences of any lengths, laid end to end. */
class Rows {
 public:
  Rows() = default;
  /* One row. */
  Rows(const std::vector<int32_t> &tokens) { append(tokens); }
  /* One row, of what turns into a View: an array, a span. */
  template <typename Tokens, typename = std::enable_if_t<std::is_convertible_v<const Tokens &, View<int32_t>>>>
  Rows(const Tokens &tokens) {
    append(tokens);
  }
  /* Several, in braces of their own: {{1, 2}, {3}}. */
  Rows(std::initializer_list<std::vector<int32_t>> rows) {
    for (const auto &row : rows) append(row);
  }
  Rows(const std::vector<std::vector<int32_t>> &rows) {
    for (const auto &row : rows) append(row);
  }

  void append(View<int32_t> tokens) {
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
    offsets_.push_back(tokens_.size());
  }

  size_t count() const { return offsets_.size() - 1; }
  size_t token_count() const { return tokens_.size(); }
  const int32_t *tokens() const { return tokens_.data(); }
  const size_t *offsets() const { return offsets_.data(); }
  /* Of the row at `index`, the index of its first token among all tokens. */
  size_t first(size_t index) const { return offsets_[index]; }
  size_t length(size_t index) const { return offsets_[index + 1] - offsets_[index]; }

 private:
  std::vector<int32_t> tokens_;
  std::vector<size_t> offsets_ = {0};
};

/* Called with the units of work that are done and those in all: false cancels. What it throws cancels, too, and leaves the call
 * as an exception. */
using OnProgress = std::function<bool(uint64_t done, uint64_t total)>;

/* Called with each line of the log. What it throws leaves the call as an exception when it ends. */
using OnLog = std::function<void(rally_log_level level, std::string_view line)>;

}  // namespace rally

#endif /* RALLY_VALUES_HPP */
