/*
 * Rally for C++17: rally.h with owners, views and exceptions. Header-only; link librally.so.0.
 *
 *     rally::Model model("rally-tiny.onnx");
 *     rally::Runner runner(model);
 *     for (int32_t token : runner.generate(model.encode("The sea"), 40).tokens) std::cout << model.decode({token});
 *
 * What rally.h says holds here too: a Model is shared by any threads, a Runner and an Engine have one caller at a time, handles may
 * be closed in any order. Every failure is a rally::Error with the status and the message of the C interface.
 */
#ifndef RALLY_HPP
#define RALLY_HPP

#include <rally.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
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

/* ------------------------------------------------------------------------------------------------------------------------
 * Errors, views, structs
 * --------------------------------------------------------------------------------------------------------------------- */

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

/* The options of rally.h at their defaults, ready for a field or two to be set. */
inline rally_model_options model_options() { return detail::initialised<rally_model_options, rally_model_options_init>(); }
inline rally_runner_options runner_options() { return detail::initialised<rally_runner_options, rally_runner_options_init>(); }
inline rally_run_options run_options() { return detail::initialised<rally_run_options, rally_run_options_init>(); }
inline rally_rate_options rate_options() { return detail::initialised<rally_rate_options, rally_rate_options_init>(); }
inline rally_document_options document_options() {
  return detail::initialised<rally_document_options, rally_document_options_init>();
}
inline rally_engine_options engine_options() { return detail::initialised<rally_engine_options, rally_engine_options_init>(); }
inline rally_label_options label_options() { return detail::initialised<rally_label_options, rally_label_options_init>(); }
inline rally_tokenizer_options tokenizer_options() {
  return detail::initialised<rally_tokenizer_options, rally_tokenizer_options_init>();
}

/* ------------------------------------------------------------------------------------------------------------------------
 * Model
 * --------------------------------------------------------------------------------------------------------------------- */

/* What each token stands for. */
struct Vocabulary {
  std::string bytes;            /* of all tokens, end to end */
  std::vector<size_t> offsets;  /* [vocab_size + 1] */
  std::vector<uint8_t> special; /* [vocab_size] 1 for tokens that steer the model and are no text */
  size_t longest = 0;           /* bytes of the longest token */

  size_t size() const { return special.size(); }
  std::string_view operator[](size_t token) const {
    return std::string_view(bytes).substr(offsets[token], offsets[token + 1] - offsets[token]);
  }
};

class Model {
 public:
  explicit Model(const std::string &path, const rally_model_options &options = model_options()) {
    detail::check([&](rally_error *error) { return rally_model_open(path.c_str(), &options, handle_.out(), error); });
  }

  /* The same, watched: functions that return, or throw, as OnProgress and OnLog say. */
  Model(const std::string &path, rally_model_options options, OnProgress on_progress, OnLog on_log = {}) {
    detail::Watch watch(std::move(on_progress), std::move(on_log));
    watch.attach_progress(options);
    watch.attach_log(options);
    watch.check([&](rally_error *error) { return rally_model_open(path.c_str(), &options, handle_.out(), error); });
  }

  /* The bytes are not needed after the call. */
  static Model from_memory(const void *data, size_t size, const rally_model_options &options = model_options()) {
    Model model;
    detail::check(
        [&](rally_error *error) { return rally_model_open_memory(data, size, &options, model.handle_.out(), error); });
    return model;
  }

  /* Throws what opening would throw, and keeps nothing. */
  static void validate(const std::string &path, const rally_model_options &options = model_options()) {
    detail::check([&](rally_error *error) { return rally_model_validate(path.c_str(), &options, error); });
  }

  /* Writes the model to `out_path` with its matrices stored as `dtype`. A calibration text, UTF-8 like what the model will read,
   * makes int8 lose less. */
  static void quantize(const std::string &in_path, const std::string &out_path, rally_dtype dtype = RALLY_DTYPE_INT8,
                       OnProgress on_progress = {}, std::string_view calibration_text = {}) {
    auto options = detail::initialised<rally_quantize_options, rally_quantize_options_init>();
    options.dtype = dtype;
    options.calibration_text = calibration_text.data();
    options.calibration_text_size = calibration_text.size();
    detail::Watch watch(std::move(on_progress), {});
    watch.attach_progress(options);
    watch.check([&](rally_error *error) { return rally_quantize(in_path.c_str(), out_path.c_str(), &options, error); });
  }

  /* Writes the model to `out_path` as a file that is mapped when it is opened: rally_model_prepare. */
  static void prepare(const std::string &in_path, const std::string &out_path, rally_dtype dtype = RALLY_DTYPE_AUTO,
                      OnProgress on_progress = {}, std::string_view calibration_text = {}, uint32_t threads = 0) {
    auto options = detail::initialised<rally_prepare_options, rally_prepare_options_init>();
    options.dtype = dtype;
    options.threads = threads;
    options.calibration_text = calibration_text.data();
    options.calibration_text_size = calibration_text.size();
    detail::Watch watch(std::move(on_progress), {});
    watch.attach_progress(options);
    watch.check([&](rally_error *error) { return rally_model_prepare(in_path.c_str(), out_path.c_str(), &options, error); });
  }

  rally_model_info info() const {
    auto info = detail::initialised<rally_model_info, rally_model_info_init>();
    detail::check([&](rally_error *error) { return rally_model_get_info(get(), &info, error); });
    return info;
  }

  /* What rally_decide takes. Reads the whole file, the first time. */
  std::string score_fingerprint(bool squash = false) const {
    return detail::text([&](char *text, size_t capacity, size_t *size, rally_error *error) {
      return rally_score_fingerprint(get(), squash ? RALLY_ON : RALLY_OFF, text, capacity, size, error);
    });
  }

  /* What a distribution of this model's scores, or perplexities, is labelled with. */
  std::string score_label(const rally_label_options &options = label_options()) const {
    return detail::text([&](char *text, size_t capacity, size_t *size, rally_error *error) {
      return rally_score_label(get(), &options, text, capacity, size, error);
    });
  }

  bool reads_same_tokens(const Model &other) const {
    int32_t same = 0;
    detail::check([&](rally_error *error) { return rally_same_tokens(get(), other.get(), &same, error); });
    return same != 0;
  }

  /* The names of a rater's outputs; none for a language model. */
  std::vector<std::string> labels() const {
    std::vector<std::string> names;
    while (const char *name = rally_model_label(get(), names.size())) names.emplace_back(name);
    return names;
  }

  std::vector<std::pair<std::string, std::string>> metadata() const {
    std::vector<std::pair<std::string, std::string>> pairs(rally_model_metadata_count(get()));
    for (size_t i = 0; i < pairs.size(); i++) {
      const char *key = nullptr, *value = nullptr;
      detail::check([&](rally_error *error) { return rally_model_metadata_at(get(), i, &key, &value, error); });
      pairs[i] = {key, value};
    }
    return pairs;
  }

  /* Throws RALLY_MISSING_KEY where there is none. */
  std::string metadata(const std::string &key) const {
    const char *value = nullptr;
    detail::check([&](rally_error *error) { return rally_model_metadata_get(get(), key.c_str(), &value, error); });
    return value;
  }

  /* Names point into the model: use them while it is open. */
  std::vector<rally_tensor_info> tensors() const {
    std::vector<rally_tensor_info> tensors(rally_model_tensor_count(get()));
    for (size_t i = 0; i < tensors.size(); i++) {
      rally_tensor_info_init(&tensors[i], sizeof tensors[i]);
      detail::check([&](rally_error *error) { return rally_model_tensor_at(get(), i, &tensors[i], error); });
    }
    return tensors;
  }

  Vocabulary vocabulary() const {
    Vocabulary found;
    found.special.resize(static_cast<size_t>(info().vocab_size));
    found.offsets.resize(found.special.size() + 1);
    detail::check([&](rally_error *error) {
      return rally_model_vocabulary(get(), nullptr, 0, found.offsets.data(), found.special.data(), &found.longest, error);
    });
    found.bytes.resize(found.offsets.back());
    detail::check([&](rally_error *error) {
      return rally_model_vocabulary(get(), &found.bytes[0], found.bytes.size(), found.offsets.data(), nullptr, nullptr, error);
    });
    return found;
  }

  std::vector<int32_t> encode(std::string_view text, const rally_tokenizer_options &options = tokenizer_options()) const {
    std::vector<int32_t> tokens;
    size_t count = 0;
    const char *bytes = text.empty() ? "" : text.data();
    const auto encode_into = [&](rally_error *error) {
      return rally_encode(get(), bytes, text.size(), &options, tokens.empty() ? nullptr : tokens.data(), tokens.size(), &count,
                          error);
    };
    detail::check(encode_into);
    tokens.resize(count);
    if (count) detail::check(encode_into);
    return tokens;
  }

  /* A text as a document to be rated: what the reading leaves of its characters, special tokens in it being letters. */
  std::vector<int32_t> encode_document(std::string_view text,
                                       const rally_document_options &options = document_options()) const {
    std::vector<int32_t> tokens;
    size_t count = 0;
    const char *bytes = text.empty() ? "" : text.data();
    const auto encode_into = [&](rally_error *error) {
      return rally_encode_document(get(), bytes, text.size(), &options, tokens.empty() ? nullptr : tokens.data(), tokens.size(),
                                   &count, error);
    };
    detail::check(encode_into);
    tokens.resize(count);
    if (count) detail::check(encode_into);
    return tokens;
  }

  /* The very bytes; UTF-8 as far as the tokens are. */
  std::string decode(View<int32_t> tokens, const rally_tokenizer_options &options = tokenizer_options()) const {
    std::string text;
    size_t length = 0;
    const auto decode_into = [&](rally_error *error) {
      return rally_decode(get(), tokens.data(), tokens.size(), &options, text.empty() ? nullptr : text.data(), text.size(),
                          &length, error);
    };
    if (tokens.size() == 0) return text;
    detail::check(decode_into);
    text.resize(length);
    if (length) detail::check(decode_into);
    return text;
  }

  rally_model *get() const { return handle_.get(); }

 private:
  Model() = default;
  detail::Handle<rally_model, rally_model_close> handle_;
};

/* Decodes a stream of tokens and never splits a character. */
class Decoder {
 public:
  explicit Decoder(const Model &model, const rally_tokenizer_options &options = tokenizer_options()) {
    detail::check([&](rally_error *error) { return rally_decoder_open(model.get(), &options, handle_.out(), error); });
  }

  /* The characters that are complete by now, often none. */
  std::string push(int32_t token) {
    return take([&](char *text, size_t capacity, size_t *length, rally_error *error) {
      return rally_decoder_push(handle_.get(), token, text, capacity, length, error);
    });
  }

  /* What was held back; the decoder starts again. */
  std::string finish() {
    return take([&](char *text, size_t capacity, size_t *length, rally_error *error) {
      return rally_decoder_finish(handle_.get(), text, capacity, length, error);
    });
  }

 private:
  /* A token that does not fit was not taken, so the call is made again with more room. */
  template <typename Call>
  static std::string take(Call &&call) {
    for (std::string text(256, '\0');; text.resize(text.size() * 4)) {
      rally_error error = detail::initialised<rally_error, rally_error_init>();
      size_t length = 0;
      const rally_status status = call(text.data(), text.size(), &length, &error);
      if (status == RALLY_BUFFER_TOO_SMALL) continue;
      if (status) throw Error(status, error.message);
      text.resize(length);
      return text;
    }
  }

  detail::Handle<rally_decoder, rally_decoder_close> handle_;
};

/* ------------------------------------------------------------------------------------------------------------------------
 * Requests
 * --------------------------------------------------------------------------------------------------------------------- */

/* One's own sampler or grammar: a function that sees, and may change, the logits of all requests that were given this object or a
 * copy of it and draw a token now. It is given View<const rally_logits *>; false ends these requests, and a function that returns
 * nothing goes on. What it throws ends them, too, and leaves the call as an exception. */
class OnLogits {
 public:
  using Rows = View<const rally_logits *>;

  OnLogits() = default;
  template <typename Function, typename = std::enable_if_t<!std::is_same_v<std::decay_t<Function>, OnLogits>
                                                           && std::is_invocable_v<Function &, Rows>>>
  OnLogits(Function &&function) {
    using Result = std::invoke_result_t<Function &, Rows>;
    static_assert(std::is_void_v<Result> || std::is_convertible_v<Result, bool>, "a bool, or nothing");
    if constexpr (std::is_void_v<Result>) {
      /* Kept as a std::function, which knows whether it is empty. */
      std::function<void(Rows)> kept(std::forward<Function>(function));
      if (kept)
        function_ =
            std::make_shared<std::function<bool(Rows)>>([kept = std::move(kept)](Rows rows) { return kept(rows), true; });
    } else {
      function_ = std::make_shared<std::function<bool(Rows)>>(std::forward<Function>(function));
    }
  }

  explicit operator bool() const { return function_ && *function_; }
  bool operator()(Rows rows) const { return (*function_)(rows); }
  /* Of this object and its copies. */
  const void *identity() const { return function_.get(); }

 private:
  std::shared_ptr<std::function<bool(Rows)>> function_;
};

/* One sequence to be continued; the fields of rally_request. */
struct Request {
  std::vector<int32_t> tokens;
  size_t max_tokens = 0;
  float temperature = 0;
  int32_t top_k = 0;
  float top_p = 1;
  float min_p = 0;
  uint64_t seed = 0;
  std::vector<int32_t> stop_tokens;
  std::vector<std::string> stop_strings;
  bool include_stop = false;
  bool skip_special = false;
  rally_switch stop_at_eos = RALLY_DEFAULT;
  uint32_t max_depth = 0;
  double target_depth = 0;
  float repetition_penalty = 1;
  float presence_penalty = 0;
  float frequency_penalty = 0;
  std::vector<std::pair<int32_t, float>> bias; /* added to the logits of tokens */
  uint32_t top_logprobs = 0;
  int32_t priority = 0;
  double exit_threshold = -1; /* of a looped model's exits; -1: the model's own */
  int64_t exit_from = -1;     /* -1: the prompt's length */
  uint32_t min_depth = 0;
  rally_kv_policy kv_policy = RALLY_KV_DEFAULT;
  void *user = nullptr;       /* given back in the request's events and logits */
  double timeout_seconds = 0; /* from the submission on; 0: none. The text then ends with RALLY_FINISH_DEADLINE */
  OnLogits on_logits;
};

struct Continuation {
  std::vector<int32_t> tokens;
  std::vector<int32_t> depths;
  std::vector<float> logprobs;
  rally_finish_reason finish_reason = RALLY_NOT_FINISHED;
  std::string text;         /* without the stop string that ended it; empty where the model has no tokenizer */
  int32_t stop_string = -1; /* index of the stop string that ended the text; -1: none */
  size_t cut_length = 0;    /* bytes of the decoded tokens, from their end, that the text leaves out */
  std::vector<int32_t> prompt_depths; /* recursions each token of the prompt ran; 0 where it ended before */
};

enum class Go : int32_t { on = 0, end_sequence = 1, end_all = 2 };

/* Called for every event on the thread that generates; a function that returns nothing goes on. What it throws ends all requests
 * and leaves the call as an exception. */
class OnToken {
 public:
  OnToken() = default;
  template <typename Function, typename = std::enable_if_t<!std::is_same_v<std::decay_t<Function>, OnToken>
                                                           && std::is_invocable_v<Function &, const rally_event &>>>
  OnToken(Function &&function) {
    using Result = std::invoke_result_t<Function &, const rally_event &>;
    static_assert(std::is_void_v<Result> || std::is_convertible_v<Result, Go>, "a rally::Go, or nothing");
    if constexpr (std::is_void_v<Result>) {
      /* Kept as a std::function, which knows whether it is empty. */
      std::function<void(const rally_event &)> kept(std::forward<Function>(function));
      if (kept) function_ = [kept = std::move(kept)](const rally_event &event) { return kept(event), Go::on; };
    } else {
      function_ = std::forward<Function>(function);
    }
  }

  explicit operator bool() const { return static_cast<bool>(function_); }
  Go operator()(const rally_event &event) const { return function_(event); }

 private:
  std::function<Go(const rally_event &)> function_;
};

namespace detail {

/* A request as C has it; valid while this and the Request are. */
class RawRequest {
 public:
  explicit RawRequest(const Request &request) {
    for (const auto &bias : request.bias) {
      bias_tokens_.push_back(bias.first);
      bias_values_.push_back(bias.second);
    }
    for (const std::string &text : request.stop_strings) {
      if (text.find('\0') != std::string::npos) throw Error(RALLY_INVALID_ARGUMENT, "stop_strings: expected no NUL, found one");
      stop_strings_.push_back(text.c_str());
    }
    value = initialised<rally_request, rally_request_init>();
    value.tokens = request.tokens.data();
    value.token_count = request.tokens.size();
    value.max_tokens = request.max_tokens;
    value.temperature = request.temperature;
    value.top_k = request.top_k;
    value.top_p = request.top_p;
    value.min_p = request.min_p;
    value.seed = request.seed;
    value.stop_tokens = request.stop_tokens.data();
    value.stop_token_count = request.stop_tokens.size();
    value.stop_strings = stop_strings_.data();
    value.stop_string_count = stop_strings_.size();
    value.include_stop = request.include_stop ? RALLY_ON : RALLY_OFF;
    value.skip_special = request.skip_special ? RALLY_ON : RALLY_OFF;
    value.stop_at_eos = request.stop_at_eos;
    value.max_depth = request.max_depth;
    value.target_depth = request.target_depth;
    value.repetition_penalty = request.repetition_penalty;
    value.presence_penalty = request.presence_penalty;
    value.frequency_penalty = request.frequency_penalty;
    value.bias_tokens = bias_tokens_.data();
    value.bias_values = bias_values_.data();
    value.bias_count = bias_tokens_.size();
    value.top_logprobs = request.top_logprobs;
    value.priority = request.priority;
    value.exit_threshold = request.exit_threshold;
    value.exit_from = request.exit_from;
    value.min_depth = request.min_depth;
    value.kv_policy = request.kv_policy;
    value.user = request.user;
    value.timeout_seconds = request.timeout_seconds;
  }

  RawRequest(const RawRequest &) = delete; /* value points into it */
  RawRequest &operator=(const RawRequest &) = delete;

  rally_request value;

 private:
  std::vector<int32_t> bias_tokens_;
  std::vector<float> bias_values_;
  std::vector<const char *> stop_strings_;
};

/* The OnLogits of unfinished requests, at addresses that C keeps: copies of one share a place, so that their rows come together. */
class Rules {
 public:
  Rules() = default;
  Rules(const Rules &) = delete;
  Rules &operator=(const Rules &) = delete;

  /* Calls `submit`, which gives a request's number, with its on_logits in place until `release` of that number. */
  template <typename Submit>
  size_t during_submission(const Request &request, rally_request &raw, Submit &&submit) {
    if (!request.on_logits) return submit();
    /* Held, so that no step on another thread releases a number that is not in `users_` yet. */
    std::lock_guard<std::mutex> lock(mutex_);
    const auto place = attach(request.on_logits, raw);
    try {
      const size_t id = submit();
      users_.emplace(id, place);
      return id;
    } catch (...) {
      drop(place);
      throw;
    }
  }

  /* For as long as this object lives. */
  void keep(const OnLogits &on_logits, rally_request &raw) {
    if (on_logits) attach(on_logits, raw);
  }

  void release(size_t id) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto user = users_.find(id);
    if (user == users_.end()) return;
    drop(user->second);
    users_.erase(user);
  }

  /* What a function threw, once. */
  std::exception_ptr take_thrown() {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(thrown_, nullptr);
  }

 private:
  struct Rule {
    OnLogits function;
    Rules *rules;
    size_t uses;
  };
  using Place = std::map<const void *, Rule>::iterator;

  Place attach(const OnLogits &on_logits, rally_request &raw) {
    const Place place = rules_.emplace(on_logits.identity(), Rule{on_logits, this, 0}).first;
    place->second.uses++;
    raw.on_logits = apply;
    raw.on_logits_user = &place->second;
    return place;
  }

  void drop(Place place) {
    if (--place->second.uses == 0) rules_.erase(place);
  }

  static int32_t apply(void *user, const rally_logits *const *rows, size_t count) {
    auto *rule = static_cast<Rule *>(user);
    try {
      return rule->function(OnLogits::Rows(rows, count)) ? 0 : 1;
    } catch (...) {
      std::lock_guard<std::mutex> lock(rule->rules->mutex_);
      if (!rule->rules->thrown_) rule->rules->thrown_ = std::current_exception();
      return 1;
    }
  }

  std::mutex mutex_;
  std::map<const void *, Rule> rules_;
  std::map<size_t, Place> users_;
  std::exception_ptr thrown_;
};

/* Carries the caller's function through C, and its exception back; forgets the rules of requests that end. */
class Listener {
 public:
  Listener(const OnToken &on_token, Rules &rules) : on_token_(on_token), rules_(rules) {}

  rally_event_callback callback() const { return hear; }

  /* Makes the call; what a function threw goes before what the call answered. */
  template <typename Call>
  void during(Call &&call) {
    rally_error error = initialised<rally_error, rally_error_init>();
    const rally_status status = call(&error);
    if (std::exception_ptr thrown = rules_.take_thrown(); thrown && !thrown_) thrown_ = thrown;
    if (thrown_) std::rethrow_exception(thrown_);
    if (status) throw Error(status, error.message);
  }

 private:
  static int32_t hear(void *user, const rally_event *event) {
    auto *listener = static_cast<Listener *>(user);
    try {
      if (event->finish_reason) listener->rules_.release(event->request);
      if (listener->thrown_) return static_cast<int32_t>(Go::end_all);
      return static_cast<int32_t>(listener->on_token_ ? listener->on_token_(*event) : Go::on);
    } catch (...) {
      listener->thrown_ = std::current_exception();
      return static_cast<int32_t>(Go::end_all);
    }
  }

  const OnToken &on_token_;
  Rules &rules_;
  std::exception_ptr thrown_;
};

}  // namespace detail

/* ------------------------------------------------------------------------------------------------------------------------
 * Runner
 * --------------------------------------------------------------------------------------------------------------------- */

/* What Runner::run shall compute. */
struct Wanted {
  bool logits = false;
  bool hidden = false;
  bool logprobs = false;
  bool depths = true;
  std::vector<size_t> positions; /* tokens whose logits and hidden states are wanted; empty: all */
  std::vector<int32_t>
      targets;  /* of every token the one whose log-probability is wanted after it, -1: none; empty: the next of its row */
};

/* N tokens, P wanted positions, V vocabulary, D width; empty where not wanted. */
struct Outputs {
  std::vector<float> logits;   /* [P, V] */
  std::vector<float> hidden;   /* [P, D] */
  std::vector<float> logprobs; /* of each row's next tokens: [N - rows]; of targets: [N] */
  std::vector<int32_t> depths; /* [N] */
};

/* What a rater says about documents. Windows of document i are windows[offsets[i]] ... windows[offsets[i + 1] - 1]. */
struct DocumentScores {
  std::vector<float> mean;     /* [documents] weighted by the tokens of the windows */
  std::vector<float> minimum;  /* [documents] */
  std::vector<float> coverage; /* [documents] share of the tokens that were in a window */
  std::vector<float> windows;
  std::vector<size_t> offsets; /* [documents + 1] */
  std::vector<float> score; /* [documents] what the reading makes of the windows; as mean, minimum and windows empty where the
                                * rater's outputs make no score */
  std::vector<float> outputs; /* [documents, labels] the same of each output; empty for a rater of one */
  std::vector<int32_t> int_score; /* [documents] the score within the file's bounds, rounded; INT32_MIN without bounds */
};

/* What a teacher and a student's base predict along rows, in nats, one number each per row. */
struct Exposure {
  std::vector<double> jeffreys; /* the first-order pull of distilling the teacher on the row */
  std::vector<double> log_ratio; /* log p_T - log p_0; rally.h says what their running sum proves */
  std::vector<size_t> tokens; /* that were counted */
};

class Runner {
 public:
  /* on_progress: called while rows run, with tokens. */
  explicit Runner(const Model &model, rally_runner_options options = runner_options(), OnProgress on_progress = {})
      : info_(model.info()), watch_(std::make_unique<detail::Watch>(std::move(on_progress), OnLog())) {
    watch_->attach_progress(options);
    watch_->check([&](rally_error *error) { return rally_runner_open(model.get(), &options, handle_.out(), error); });
  }

  Runner(Runner &&) noexcept = default;
  Runner &operator=(Runner &&other) noexcept {
    std::swap(info_, other.info_);
    std::swap(watch_, other.watch_);
    handle_ = std::move(other.handle_);
    return *this;
  }

  Outputs run(const Rows &rows, const Wanted &wanted, const rally_run_options &options = run_options()) {
    if (!wanted.targets.empty() && wanted.targets.size() != rows.token_count())
      throw Error(RALLY_INVALID_ARGUMENT, "targets: expected one for each token");
    Outputs result;
    auto outputs = detail::initialised<rally_outputs, rally_outputs_init>();
    const size_t positions = wanted.positions.size() ? wanted.positions.size() : rows.token_count();
    outputs.positions = wanted.positions.data();
    outputs.position_count = wanted.positions.size();
    if (wanted.logits) outputs.logits = room(result.logits, positions * static_cast<size_t>(info_.vocab_size));
    if (wanted.hidden) outputs.hidden = room(result.hidden, positions * static_cast<size_t>(info_.hidden_size));
    if (!wanted.targets.empty()) outputs.targets = wanted.targets.data();
    if (wanted.logprobs)
      outputs.logprobs = room(result.logprobs, wanted.targets.empty() ? rows.token_count() - rows.count() : rows.token_count());
    if (wanted.depths) outputs.depths = room(result.depths, rows.token_count());
    watch_->check([&](rally_error *error) {
      return rally_run(handle_.get(), rows.tokens(), rows.offsets(), rows.count(), &options, &outputs, error);
    });
    return result;
  }

  /* The natural logarithm of each row's next tokens' probabilities: T - 1 per row. */
  std::vector<float> logprobs(const Rows &rows, const rally_run_options &options = run_options()) {
    Wanted wanted;
    wanted.logprobs = true;
    wanted.depths = false;
    return run(rows, wanted, options).logprobs;
  }

  /* Where the windows of each document begin among those of all, without computing anything: [documents + 1]. */
  static std::vector<size_t> document_windows(const Model &model, const Rows &rows,
                                              const rally_document_options &options = document_options()) {
    std::vector<size_t> offsets(rows.count() + 1);
    detail::check([&](rally_error *error) {
      return rally_document_windows(model.get(), rows.tokens(), rows.offsets(), rows.count(), &options, offsets.data(), error);
    });
    return offsets;
  }

  /* One score per row, higher is better. */
  std::vector<float> rate(const Rows &rows, const rally_rate_options &options = rate_options()) {
    std::vector<float> scores(rows.count());
    watch_->check([&](rally_error *error) {
      return rally_rate(handle_.get(), rows.tokens(), rows.offsets(), rows.count(), &options, scores.data(), error);
    });
    return scores;
  }

  /* All outputs of each row, [rows, labels], in the order of Model::labels. */
  std::vector<float> rate_outputs(const Rows &rows, const rally_rate_options &options = rate_options()) {
    std::vector<float> outputs(rows.count() * static_cast<size_t>(info_.num_labels));
    watch_->check([&](rally_error *error) {
      return rally_rate_outputs(handle_.get(), rows.tokens(), rows.offsets(), rows.count(), &options, outputs.data(), error);
    });
    return outputs;
  }

  /* What the head sees of each row, [rows, hidden_size]: an embedding. */
  std::vector<float> pooled(const Rows &rows, const rally_rate_options &options = rate_options()) {
    std::vector<float> states(rows.count() * static_cast<size_t>(info_.hidden_size));
    watch_->check([&](rally_error *error) {
      return rally_pooled(handle_.get(), rows.tokens(), rows.offsets(), rows.count(), &options, states.data(), error);
    });
    return states;
  }

  /* Scores documents of any length, window by window. */
  DocumentScores rate_documents(const Rows &rows, const rally_document_options &options = document_options()) {
    DocumentScores result;
    auto scores = detail::initialised<rally_document_scores, rally_document_scores_init>();
    scores.coverage = room(result.coverage, rows.count());
    scores.window_offsets = room(result.offsets, rows.count() + 1);
    if (info_.num_labels > 1) scores.outputs = room(result.outputs, rows.count() * static_cast<size_t>(info_.num_labels));
    if (info_.has_score || info_.num_labels <= 1) {
      scores.mean = room(result.mean, rows.count());
      scores.minimum = room(result.minimum, rows.count());
      scores.score = room(result.score, rows.count());
      scores.int_score = room(result.int_score, rows.count());
      scores.window_capacity = rows.token_count(); /* there are no more windows than tokens */
      scores.window_scores = room(result.windows, scores.window_capacity);
    }
    watch_->check([&](rally_error *error) {
      return rally_rate_documents(handle_.get(), rows.tokens(), rows.offsets(), rows.count(), &options, &scores, error);
    });
    if (!result.windows.empty()) result.windows.resize(result.offsets.back());
    return result;
  }

  /* Compares this runner's model, the teacher, with a student's base. given: of each row the tokens at its beginning that
   * were not sampled; empty: 1 each. */
  Exposure exposure(Runner &base, const Rows &rows, View<size_t> given = {}) {
    if (given.size() && given.size() != rows.count()) throw Error(RALLY_INVALID_ARGUMENT, "given: expected one count per row");
    Exposure result;
    auto scores = detail::initialised<rally_exposure_scores, rally_exposure_scores_init>();
    scores.jeffreys = room(result.jeffreys, rows.count());
    scores.log_ratio = room(result.log_ratio, rows.count());
    scores.token_counts = room(result.tokens, rows.count());
    watch_->check([&](rally_error *error) {
      return rally_exposure(handle_.get(), base.handle_.get(), rows.tokens(), rows.offsets(), rows.count(), given.data(),
                            &scores, error);
    });
    return result;
  }

  /* Continues all requests together until each has finished. */
  std::vector<Continuation> generate(const std::vector<Request> &requests, const OnToken &on_token = {},
                                     double timeout_seconds = 0) {
    /* No more tokens than the context has room for, so that the buffers have a bound. */
    const auto context = static_cast<size_t>(info_.max_position_embeddings);
    const std::vector<detail::RawRequest> lent(requests.begin(), requests.end());
    std::vector<rally_request> raw;
    detail::Rules rules;
    size_t stride = 1;
    for (const detail::RawRequest &request : lent) {
      raw.push_back(request.value);
      rules.keep(requests[raw.size() - 1].on_logits, raw.back());
      raw.back().max_tokens = request.value.max_tokens ? std::min(request.value.max_tokens, context) : context;
      stride = std::max(stride, raw.back().max_tokens);
    }
    std::vector<int32_t> tokens(requests.size() * stride), depths(tokens.size());
    std::vector<float> logprobs(tokens.size());
    std::vector<size_t> counts(requests.size());
    std::vector<rally_finish_reason> reasons(requests.size());
    std::vector<int32_t> stops(requests.size());
    std::vector<size_t> cuts(requests.size());
    size_t prompt_count = 0;
    for (const Request &request : requests) prompt_count += request.tokens.size();
    std::vector<int32_t> prompt_depths(prompt_count);
    auto generation = detail::initialised<rally_generation, rally_generation_init>();
    generation.stride = stride;
    generation.tokens = tokens.data();
    generation.depths = depths.data();
    generation.logprobs = logprobs.data();
    generation.token_counts = counts.data();
    generation.finish_reasons = reasons.data();
    generation.stop_strings = stops.data();
    generation.cut_lengths = cuts.data();
    generation.prompt_depths = prompt_depths.data();
    generation.timeout_seconds = timeout_seconds;

    std::vector<Continuation> result(requests.size());
    const OnToken collect = [&](const rally_event &event) {
      if (event.text_length) result[event.request].text.append(event.text, event.text_length);
      return on_token ? on_token(event) : Go::on;
    };
    detail::Listener listener(collect, rules);
    listener.during([&](rally_error *error) {
      return rally_generate(handle_.get(), raw.data(), raw.size(), listener.callback(), &listener, &generation, error);
    });

    auto prompt = prompt_depths.begin();
    for (size_t i = 0; i < result.size(); i++) {
      const auto prompt_end = prompt + static_cast<std::ptrdiff_t>(requests[i].tokens.size());
      result[i].prompt_depths.assign(prompt, prompt_end);
      prompt = prompt_end;
      const auto first = static_cast<std::ptrdiff_t>(i * stride), last = first + static_cast<std::ptrdiff_t>(counts[i]);
      result[i].tokens.assign(tokens.begin() + first, tokens.begin() + last);
      result[i].depths.assign(depths.begin() + first, depths.begin() + last);
      result[i].logprobs.assign(logprobs.begin() + first, logprobs.begin() + last);
      result[i].finish_reason = reasons[i];
      result[i].stop_string = stops[i];
      result[i].cut_length = cuts[i];
    }
    return result;
  }

  Continuation generate(const Request &request, const OnToken &on_token = {}, double timeout_seconds = 0) {
    return generate(std::vector<Request>{request}, on_token, timeout_seconds).front();
  }

  /* The most probable continuation. */
  Continuation generate(const std::vector<int32_t> &prompt, size_t max_tokens, const OnToken &on_token = {}) {
    Request request;
    request.tokens = prompt;
    request.max_tokens = max_tokens;
    return generate(request, on_token);
  }

  /* Greatest number of bytes that workspaces and caches take for these rows. */
  uint64_t memory(const Rows &rows, size_t new_tokens = 0) const {
    uint64_t bytes = 0;
    detail::check([&](rally_error *error) {
      return rally_runner_memory(handle_.get(), rows.offsets(), rows.count(), new_tokens, &bytes, error);
    });
    return bytes;
  }

  /* From any thread: the call in progress returns soon. */
  void cancel() { rally_runner_cancel(handle_.get()); }

  rally_runner *get() const { return handle_.get(); }

 private:
  template <typename T>
  static T *room(std::vector<T> &values, size_t count) {
    values.reserve(std::max<size_t>(count, 1)); /* never NULL, which would mean not wanted */
    values.resize(count);
    return values.data();
  }

  rally_model_info info_;
  std::unique_ptr<detail::Watch> watch_; /* a place that stays when the runner is moved; outlives the handle */
  detail::Handle<rally_runner, rally_runner_close> handle_;
};

/* ------------------------------------------------------------------------------------------------------------------------
 * Engine
 *
 *     rally::Engine engine(model);
 *     for (const rally::Request &request : requests) engine.submit(request);
 *     while (engine.step(on_event)) {
 *     }
 * --------------------------------------------------------------------------------------------------------------------- */

class Engine {
 public:
  explicit Engine(const Model &model, const rally_engine_options &options = engine_options())
      : rules_(std::make_unique<detail::Rules>()) {
    detail::check([&](rally_error *error) { return rally_engine_open(model.get(), &options, handle_.out(), error); });
  }

  Engine(Engine &&) noexcept = default;
  Engine &operator=(Engine &&other) noexcept {
    std::swap(rules_, other.rules_);
    handle_ = std::move(other.handle_);
    return *this;
  }

  /* The bytes that such an engine takes besides the model. */
  static uint64_t memory(const Model &model, const rally_engine_options &options = engine_options()) {
    uint64_t bytes = 0;
    detail::check([&](rally_error *error) { return rally_engine_memory(model.get(), &options, &bytes, error); });
    return bytes;
  }

  /* From any thread, and from within events: the request's number in events, 0, 1, 2, ... */
  size_t submit(const Request &request) const {
    return with_rules(request, [this](const rally_request &raw) {
      size_t id = 0;
      detail::check([&](rally_error *error) { return rally_engine_submit(get(), &raw, &id, error); });
      return id;
    });
  }

  /* From any thread: waits until there is an unfinished request. False when so many seconds went by without one. */
  bool wait(double timeout_seconds = std::numeric_limits<double>::infinity()) const {
    rally_error error = detail::initialised<rally_error, rally_error_init>();
    const rally_status status = rally_engine_wait(get(), timeout_seconds, &error);
    if (status == RALLY_DEADLINE_EXCEEDED) return false;
    if (status) throw Error(status, error.message);
    return true;
  }

  /* From any thread, and from within events: an event of the next step says so. Unknown or finished: nothing. */
  void cancel(size_t id) const { rally_engine_cancel(get(), id); }
  void cancel_all() const { rally_engine_cancel_all(get()); }

  /* One step; whether any request is unfinished. */
  bool step(const OnToken &on_event = {}) {
    int32_t busy = 0;
    detail::Listener listener(on_event, rules());
    listener.during([&](rally_error *error) { return rally_engine_step(get(), listener.callback(), &listener, &busy, error); });
    return busy != 0;
  }

  /* Steps until no request is left. */
  void run(const OnToken &on_event = {}) {
    detail::Listener listener(on_event, rules());
    listener.during([&](rally_error *error) { return rally_engine_run(get(), listener.callback(), &listener, error); });
  }

  /* From any thread: what the engine did and holds, by names such as "passes_total"; those ending in _total only grow. */
  std::map<std::string, double> counters() const {
    std::vector<double> values(rally_engine_counter_count(get()));
    detail::check([&](rally_error *error) { return rally_engine_counters(get(), values.data(), values.size(), error); });
    std::map<std::string, double> named;
    for (size_t i = 0; i < values.size(); i++) named[rally_engine_counter_name(get(), i)] = values[i];
    return named;
  }

  /* What an unfinished request has computed; it goes on. */
  std::vector<unsigned char> save(size_t id) {
    size_t size = 0;
    detail::check([&](rally_error *error) { return rally_engine_save(get(), id, nullptr, 0, &size, error); });
    std::vector<unsigned char> state(size);
    detail::check([&](rally_error *error) { return rally_engine_save(get(), id, state.data(), size, &size, error); });
    return state;
  }

  /* Continues a saved request as if it had never been interrupted: its new number. The tokens of `request` must be empty. */
  size_t restore(View<unsigned char> state, const Request &request) {
    return with_rules(request, [&](const rally_request &raw) {
      size_t id = 0;
      detail::check(
          [&](rally_error *error) { return rally_engine_restore(get(), state.data(), state.size(), &raw, &id, error); });
      return id;
    });
  }

  rally_engine *get() const { return handle_.get(); }

 private:
  template <typename Submit>
  size_t with_rules(const Request &request, Submit &&submit) const {
    detail::RawRequest raw(request);
    return rules().during_submission(request, raw.value, [&] { return submit(raw.value); });
  }

  /* Of an engine that was moved from: of no effect, its calls answer for themselves. */
  detail::Rules &rules() const {
    if (!rules_) rules_ = std::make_unique<detail::Rules>();
    return *rules_;
  }

  mutable std::unique_ptr<detail::Rules> rules_; /* a place that stays when the engine is moved; outlives the handle */
  detail::Handle<rally_engine, rally_engine_close> handle_;
};

/* ------------------------------------------------------------------------------------------------------------------------
 * Selection
 * --------------------------------------------------------------------------------------------------------------------- */

/* How many points to draw so that `keep` are left when the share `discard` is removed. */
inline size_t draw_count(size_t keep, double discard) {
  size_t count = 0;
  detail::check([&](rally_error *error) { return rally_draw_count(keep, discard, &count, error); });
  return count;
}

/* The places of the `keep` highest scores, ascending; of equal scores the earlier ones. */
inline std::vector<size_t> select_top(View<float> scores, size_t keep) {
  std::vector<size_t> kept(std::min(keep, scores.size()));
  detail::check([&](rally_error *error) { return rally_select_top(scores.data(), scores.size(), keep, kept.data(), error); });
  return kept;
}

inline std::vector<float> softmax_weights(View<float> scores) {
  std::vector<float> weights(scores.size());
  detail::check([&](rally_error *error) { return rally_softmax_weights(scores.data(), scores.size(), weights.data(), error); });
  return weights;
}

/* The probability that a point at each quantile is among the best `keep` of `batch`. */
inline std::vector<double> acceptance(View<double> quantiles, size_t batch, size_t keep) {
  std::vector<double> found(quantiles.size());
  detail::check([&](rally_error *error) {
    return rally_acceptance(quantiles.data(), quantiles.size(), batch, keep, found.data(), error);
  });
  return found;
}

/* Whether each point stays: the same on every machine, in every language and order. One probability for each id. */
inline std::vector<bool> decide(const std::vector<std::string> &ids, View<double> probabilities, const std::string &fingerprint,
                                uint64_t seed = 0) {
  if (ids.size() != probabilities.size()) throw Error(RALLY_INVALID_ARGUMENT, "probabilities: expected one for each id");
  std::string names;
  std::vector<size_t> offsets = {0};
  for (const std::string &id : ids) offsets.push_back((names += id).size());
  std::vector<uint8_t> keeps(ids.size());
  detail::check([&](rally_error *error) {
    return rally_decide(names.data(), offsets.data(), probabilities.data(), ids.size(), fingerprint.c_str(), seed, keeps.data(),
                        error);
  });
  return {keeps.begin(), keeps.end()};
}

/* What rating costs as a share of the training that it is for. */
inline double rating_cost(double rater_parameters, double model_parameters, double discard) {
  double cost = 0;
  detail::check(
      [&](rally_error *error) { return rally_rating_cost(rater_parameters, model_parameters, discard, &cost, error); });
  return cost;
}

/* Two raters for one cut: the cheap one decides what is clear, the expensive one reads the band around the cut. */
class Cascade {
 public:
  /* Finds the band on a uniform random sample that both have read, in the order in which it was drawn. */
  Cascade(View<float> cheap, View<float> expensive, double discard, double agreement = 0.99, double confidence = 0.95) {
    if (cheap.size() != expensive.size()) throw Error(RALLY_INVALID_ARGUMENT, "expensive: expected a score of each point");
    rally_cascade_init(&band_, sizeof(band_));
    detail::check([&](rally_error *error) {
      return rally_cascade_choose(cheap.data(), expensive.data(), cheap.size(), discard, agreement, confidence, &band_, error);
    });
  }

  const rally_cascade &band() const { return band_; }

  /* Whether the expensive rater has to read a point. */
  bool reads(float cheap) const { return !(cheap < band_.lower || cheap >= band_.upper); }

  /* One score of both for select_top; of `expensive` only what reads() says is looked at. */
  std::vector<float> scores(View<float> cheap, View<float> expensive) const {
    if (cheap.size() != expensive.size()) throw Error(RALLY_INVALID_ARGUMENT, "expensive: expected a score of each point");
    std::vector<float> found(cheap.size());
    detail::check([&](rally_error *error) {
      return rally_cascade_scores(&band_, cheap.data(), expensive.data(), cheap.size(), found.data(), error);
    });
    return found;
  }

 private:
  rally_cascade band_;
};

/* The distribution of any number of scores, in little memory. */
class Distribution {
 public:
  /* capacity: 0 for the library's own. */
  explicit Distribution(const std::string &label = "", size_t capacity = 0) {
    detail::check([&](rally_error *error) { return rally_distribution_open(label.c_str(), capacity, handle_.out(), error); });
  }

  /* Opens what `save` gave. */
  static Distribution load(View<unsigned char> data) {
    Distribution made{Unopened()};
    detail::check(
        [&](rally_error *error) { return rally_distribution_load(data.data(), data.size(), made.handle_.out(), error); });
    return made;
  }

  std::vector<unsigned char> save() const {
    size_t size = 0;
    detail::check([&](rally_error *error) { return rally_distribution_save(get(), nullptr, 0, &size, error); });
    std::vector<unsigned char> data(size);
    detail::check([&](rally_error *error) { return rally_distribution_save(get(), data.data(), size, &size, error); });
    return data;
  }

  void add(View<float> scores) {
    detail::check([&](rally_error *error) { return rally_distribution_add(get(), scores.data(), scores.size(), error); });
  }

  void merge(const Distribution &other) {
    detail::check([&](rally_error *error) { return rally_distribution_merge(get(), other.get(), error); });
  }

  /* The mid-rank of each score, in [0, 1]. */
  std::vector<double> cdf(View<float> scores) const {
    std::vector<double> found(scores.size());
    detail::check(
        [&](rally_error *error) { return rally_distribution_cdf(get(), scores.data(), scores.size(), found.data(), error); });
    return found;
  }

  /* The lowest score that each share of all does not exceed. */
  std::vector<float> quantile(View<double> shares) const {
    std::vector<float> found(shares.size());
    detail::check([&](rally_error *error) {
      return rally_distribution_quantile(get(), shares.data(), shares.size(), found.data(), error);
    });
    return found;
  }

  /* Its label lives as long as this object. */
  rally_distribution_info info() const {
    auto info = detail::initialised<rally_distribution_info, rally_distribution_info_init>();
    detail::check([&](rally_error *error) { return rally_distribution_get_info(get(), &info, error); });
    return info;
  }

  rally_distribution *get() const { return handle_.get(); }

 private:
  struct Unopened {};
  explicit Distribution(Unopened) {}

  detail::Handle<rally_distribution, rally_distribution_close> handle_;
};

/* ------------------------------------------------------------------------------------------------------------------------
 * Lineage
 * --------------------------------------------------------------------------------------------------------------------- */

/* How well hidden units match; rally_lineage_entry says what each is. */
struct LineageMatch {
  std::string name, set;
  size_t units, all_units;
  double rho, z, p;
  uint64_t reached;
};

struct LineageReport {
  rally_lineage_verdict verdict;
  double p, rho;
  std::vector<LineageMatch> tensors, sets, head;
  uint64_t permutations, seed;

  const char *text() const { return rally_lineage_verdict_text(verdict); }
};

/* A matrix [data.size() / columns, columns] whose rows are hidden units. Nothing is copied: name and data stay with the caller, which
 * is why numbers that nobody keeps are refused. */
rally_matrix unit_matrix(const char *name, std::vector<float> &&data, size_t columns, const char *set = nullptr) = delete;
rally_matrix unit_matrix(const char *name, std::initializer_list<float> data, size_t columns,
                         const char *set = nullptr) = delete;
inline rally_matrix unit_matrix(const char *name, View<float> data, size_t columns, const char *set = nullptr) {
  auto matrix = detail::initialised<rally_matrix, rally_matrix_init>();
  matrix.name = name;
  matrix.set = set;
  matrix.data = data.data();
  matrix.rows = columns ? data.size() / columns : 0;
  matrix.columns = columns;
  return matrix;
}

namespace detail {

inline LineageReport lineage_report(const rally_lineage_report *handle) {
  auto result = initialised<rally_lineage_result, rally_lineage_result_init>();
  check([&](rally_error *error) { return rally_lineage_get_result(handle, &result, error); });
  const auto matches = [&](rally_lineage_kind kind, size_t count) {
    std::vector<LineageMatch> found;
    for (size_t i = 0; i < count; i++) {
      auto entry = initialised<rally_lineage_entry, rally_lineage_entry_init>();
      check([&](rally_error *error) { return rally_lineage_entry_at(handle, kind, i, &entry, error); });
      found.push_back({entry.name, entry.set, entry.units, entry.all_units, entry.rho, entry.z, entry.p, entry.reached});
    }
    return found;
  };
  return {result.verdict,
          result.p,
          result.rho,
          matches(RALLY_LINEAGE_TENSORS, result.tensor_count),
          matches(RALLY_LINEAGE_SETS, result.set_count),
          matches(RALLY_LINEAGE_HEAD, result.head_count),
          result.permutations,
          result.seed};
}

}  // namespace detail

inline rally_lineage_options lineage_options() {
  return detail::initialised<rally_lineage_options, rally_lineage_options_init>();
}

/* Whether two files, or folders of Hugging Face's libraries, hold models of one initialisation. */
inline LineageReport lineage(const std::string &a, const std::string &b,
                             const rally_lineage_options &options = lineage_options()) {
  detail::Handle<rally_lineage_report, rally_lineage_close> handle;
  detail::check([&](rally_error *error) { return rally_lineage(a.c_str(), b.c_str(), &options, handle.out(), error); });
  return detail::lineage_report(handle.get());
}

/* The same of matrices; those of one name are partners. */
inline LineageReport lineage(View<rally_matrix> a, View<rally_matrix> b,
                             const rally_lineage_options &options = lineage_options()) {
  detail::Handle<rally_lineage_report, rally_lineage_close> handle;
  detail::check([&](rally_error *error) {
    return rally_lineage_matrices(a.data(), a.size(), b.data(), b.size(), &options, handle.out(), error);
  });
  return detail::lineage_report(handle.get());
}

}  // namespace rally

#endif /* RALLY_HPP */
