/* Options at their defaults, and threads that are shared. A part of rally.hpp. */
#ifndef RALLY_OPTIONS_HPP
#define RALLY_OPTIONS_HPP

#include <rally/detail.hpp>

#include <cstdint>

namespace rally {

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

/* Threads that models, runners and engines share: set the `pool` of their options to get(). They keep the threads; this may go
 * first. */
class Pool {
 public:
  /* 0: as many as this process may use. */
  explicit Pool(uint32_t threads = 0) {
    detail::check([&](rally_error *error) { return rally_pool_open(threads, handle_.out(), error); });
  }

  rally_pool *get() const { return handle_.get(); }

 private:
  detail::Handle<rally_pool, rally_pool_close> handle_;
};

}  // namespace rally

#endif /* RALLY_OPTIONS_HPP */
