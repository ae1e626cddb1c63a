/* What is generated: requests, events and logits. A part of rally.hpp. */
#ifndef RALLY_REQUESTS_HPP
#define RALLY_REQUESTS_HPP

#include <rally/model.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace rally {

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

}  // namespace rally

#endif /* RALLY_REQUESTS_HPP */
