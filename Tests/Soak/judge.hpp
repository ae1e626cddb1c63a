/* Generates what engines have finished once more, alone with a runner, and compares every bit. */
#ifndef RALLY_SOAK_JUDGE_HPP
#define RALLY_SOAK_JUDGE_HPP

#include "plans.hpp"
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

namespace soak {

/* Something that must hold did not; the first few are printed. */
class Failures {
 public:
  void add(const std::string &what) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (++count_ <= 20) std::fprintf(stderr, "FAILED: %s\n", what.c_str());
  }
  size_t count() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  size_t count_ = 0;
};

/* A request and what an engine generated for it. */
struct Told {
  std::string engine;
  Plan plan;
  rally::Continuation text;
};

class Judge {
 public:
  Judge(const rally::Model &model, Failures &failures) : failures_(failures), runner_(model, one_thread()) {
    thread_ = std::thread([this] { work(); });
  }

  void submit(Told told) {
    const std::lock_guard<std::mutex> lock(mutex_);
    queue_.push_back(std::move(told));
    changed_.notify_one();
  }

  size_t backlog() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return queue_.size();
  }

  /* Waits for all that was submitted: how many texts were whole, and how many cut short. */
  std::pair<size_t, size_t> finish() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      closed_ = true;
      changed_.notify_one();
    }
    thread_.join();
    return {whole_, cut_};
  }

 private:
  static rally_runner_options one_thread() {
    auto options = rally::runner_options();
    options.threads = 1;
    return options;
  }

  void work() {
    for (;;) {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return closed_ || !queue_.empty(); });
      if (queue_.empty()) return;
      const Told told = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      compare(told);
    }
  }

  /* A text that was cancelled is the beginning of the one that was not. */
  void compare(const Told &told) {
    const auto alone = runner_.generate(told.plan.request);
    const auto &text = told.text;
    const bool is_cut = text.finish_reason == RALLY_FINISH_CANCELLED;
    (is_cut ? cut_ : whole_)++;
    const size_t count = text.tokens.size();
    const bool fits = is_cut ? count <= alone.tokens.size() : count == alone.tokens.size();
    const bool same = fits && (is_cut || text.finish_reason == alone.finish_reason)
                      && std::equal(text.tokens.begin(), text.tokens.end(), alone.tokens.begin())
                      && std::equal(text.depths.begin(), text.depths.end(), alone.depths.begin())
                      && (count == 0 || !std::memcmp(text.logprobs.data(), alone.logprobs.data(), count * sizeof(float)));
    if (!same)
      failures_.add(told.engine + ": request " + std::to_string(told.plan.number) + " of " + std::to_string(count)
                    + " tokens is not what it is alone, of " + std::to_string(alone.tokens.size()));
  }

  Failures &failures_;
  rally::Runner runner_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Told> queue_;
  bool closed_ = false;
  size_t whole_ = 0, cut_ = 0;
  std::thread thread_;
};

}  // namespace soak

#endif
