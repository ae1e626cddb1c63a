/*
 * Engines: sequences that come and go. A part of rally.hpp.
 *
 *     rally::Engine engine(model);
 *     for (const rally::Request &request : requests) engine.submit(request);
 *     while (engine.step(on_event)) {
 *     }
 */
#ifndef RALLY_ENGINE_HPP
#define RALLY_ENGINE_HPP

#include <rally/requests.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace rally {

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

}  // namespace rally

#endif /* RALLY_ENGINE_HPP */
