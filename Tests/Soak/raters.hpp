/* Threads that rate random rows, each with a runner of its own on the pool that the engines compute on, and compare every score with
 * the one that a runner alone gave. */
#ifndef RALLY_SOAK_RATERS_HPP
#define RALLY_SOAK_RATERS_HPP

#include "judge.hpp"
#include <atomic>

namespace soak {

class Raters {
 public:
  Raters(const rally::Model &model, const rally::Pool &pool, uint64_t seed, Failures &failures)
      : model_(model), pool_(pool), failures_(failures) {
    Random random(seed);
    auto alone = rally::runner_options();
    alone.threads = 1;
    rally::Runner runner(model, alone);
    for (auto &each : batches_) {
      each.rows = rows(random);
      each.scores = runner.rate(each.rows);
    }
    for (size_t i = 0; i < thread_count; i++) threads_[i] = std::thread([this, i, seed] { work(Random(seed + 100 + i)); });
  }

  void finish() {
    closing_ = true;
    for (auto &thread : threads_) thread.join();
  }

  size_t calls() const { return calls_; }
  void report() const {
    std::printf("raters: %zu calls of %zu threads with %zu runners\n", calls_.load(), thread_count, runners_.load());
  }

 private:
  struct Batch {
    std::vector<std::vector<int32_t>> rows;
    std::vector<float> scores;
  };
  /* Short rows: what a runner keeps for its next call is little, and memory is flat soon. */
  static constexpr size_t thread_count = 3, most_rows = 4, longest_row = 120;

  std::vector<std::vector<int32_t>> rows(Random &random) const {
    const auto info = model_.info();
    std::vector<std::vector<int32_t>> result(1 + random.below(most_rows));
    for (auto &row : result) {
      row.resize(random.length(std::min(longest_row, static_cast<size_t>(info.max_position_embeddings))));
      for (auto &token : row) token = static_cast<int32_t>(random.below(static_cast<size_t>(info.vocab_size)));
    }
    return result;
  }

  /* Runners come and go while others compute with the same threads. */
  void work(Random random) {
    auto options = rally::runner_options();
    options.pool = pool_.get();
    try {
      while (!closing_) {
        rally::Runner runner(model_, options);
        runners_++;
        for (size_t i = 1 + random.below(20); i > 0 && !closing_; i--, calls_++) {
          const Batch &batch = batches_[random.below(batches_.size())];
          const auto scores = runner.rate(batch.rows);
          if (scores.size() != batch.scores.size()
              || std::memcmp(scores.data(), batch.scores.data(), scores.size() * sizeof(float)))
            failures_.add("raters: scores are not what they are alone");
          std::this_thread::sleep_for(std::chrono::microseconds(random.below(3000)));
        }
      }
    } catch (const rally::Error &error) {
      failures_.add(std::string("raters: ") + error.what());
    }
  }

  const rally::Model &model_;
  const rally::Pool &pool_;
  Failures &failures_;
  std::array<Batch, 32> batches_;
  std::atomic<bool> closing_{false};
  std::atomic<size_t> calls_{0}, runners_{0};
  std::array<std::thread, thread_count> threads_;
};

}  // namespace soak

#endif
