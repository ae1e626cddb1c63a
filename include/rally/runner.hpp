/* Runners: rows, ratings, documents, generation, exposure. A part of rally.hpp. */
#ifndef RALLY_RUNNER_HPP
#define RALLY_RUNNER_HPP

#include <rally/requests.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace rally {

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

}  // namespace rally

#endif /* RALLY_RUNNER_HPP */
