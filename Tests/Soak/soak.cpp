/*
 * Two engines on one model and raters on another, in threads that share one pool, under random load for as long as wanted: nothing
 * is lost or comes twice, every text and score is bit for bit what it is alone, counters agree, blocks run out, and memory stays
 * flat.
 *
 *     soak MODEL RATER SECONDS [SEED]
 */
#include "player.hpp"
#include "raters.hpp"
#include <cstdlib>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;

/* Resident memory of this process, in MB. */
double resident() {
  long pages = 0, total = 0;
  if (std::FILE *file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%ld %ld", &total, &pages) != 2) pages = 0;
    std::fclose(file);
  }
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE)) * 1e-6;
}

struct Sample {
  double seconds, megabytes;
  size_t texts, ratings;
};

/* MB per second, by least squares. */
double slope(const std::vector<Sample> &samples) {
  double x = 0, y = 0, xx = 0, xy = 0;
  const auto n = static_cast<double>(samples.size());
  for (const Sample &sample : samples) {
    x += sample.seconds / n;
    y += sample.megabytes / n;
  }
  for (const Sample &sample : samples) {
    xx += (sample.seconds - x) * (sample.seconds - x);
    xy += (sample.seconds - x) * (sample.megabytes - y);
  }
  return xx > 0 ? xy / xx : 0;
}

/* A leak of that size would be seen in a day; the heap's noise does not reach it in half an hour. Short runs see heaps find
 * their size, and only what is far beyond it. A sanitizer keeps memory of its own. */
constexpr double most_per_hour = 16, most_in_short_runs = 32, long_run = 600;
/* Fewer, on a machine that is busy, do not even fill the caches. */
constexpr size_t enough_texts = 150;
#ifdef RALLY_SANITIZED
constexpr bool memory_counts = false;
#else
constexpr bool memory_counts = true;
#endif

/* Warm is what has brought a fifth of the texts and ratings, however fast the machine is. */
bool report_memory(const std::vector<Sample> &samples) {
  std::vector<Sample> warm;
  for (const Sample &sample : samples)
    if (sample.texts >= samples.back().texts / 5 && sample.ratings >= samples.back().ratings / 5) warm.push_back(sample);
  if (warm.size() < 2) return true;
  const double span = warm.back().seconds - warm.front().seconds, per_hour = slope(warm) * 3600;
  std::printf("memory: %.1f MB after %.0f s, %.1f MB at the end; slope %+.2f MB per hour; %zu texts\n", warm.front().megabytes,
              warm.front().seconds, warm.back().megabytes, per_hour, warm.back().texts);
  const bool tells = memory_counts && samples.back().texts >= enough_texts;
  return !tells || (span >= long_run ? per_hour <= most_per_hour : per_hour * span / 3600 <= most_in_short_runs);
}

/* An engine whose cache holds little more than the longest sequence. Its driver submits and cancels. */
soak::Player::Settings narrow(const rally::Model &model, const rally::Pool &pool, uint64_t seed) {
  const size_t longest_prompt = 300, longest_text = 300;
  const auto info = model.info();
  auto options = rally::engine_options();
  options.pool = pool.get();
  options.max_sequences = 12;
  options.max_step_tokens = 96;
  options.cache_bytes =
      info.kv_bytes_per_token * std::min<size_t>(longest_prompt + longest_text, info.max_position_embeddings) + (64 << 10);
  options.cache_bytes += options.cache_bytes / 8;
  return {"narrow", options, seed, longest_prompt, longest_text, false};
}

/* An engine with long prompts and room for several. Another thread submits and cancels. */
soak::Player::Settings wide(const rally::Model &model, const rally::Pool &pool, uint64_t seed) {
  auto options = rally::engine_options();
  options.pool = pool.get();
  options.max_sequences = 16;
  options.cache_bytes = 5000 * model.info().kv_bytes_per_token;
  return {"wide", options, seed + 1000, 2000, 400, true};
}

int run(const char *path, const char *rater_path, double seconds, uint64_t seed) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::printf("soak: %s for %.0f s, seed %llu, Rally %s, %s\n", path, seconds, static_cast<unsigned long long>(seed),
              rally_version(), rally_instruction_set());
  const rally::Model model(path), rater(rater_path);
  const rally::Pool pool(2);
  soak::Failures failures;
  soak::Judge judge(model, failures);
  soak::Raters raters(rater, pool, seed, failures);
  soak::Player first(model, narrow(model, pool, seed), judge, failures),
      second(model, wide(model, pool, seed), judge, failures);

  std::vector<Sample> samples;
  const auto start = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  const auto total = [&](const char *name) { return first.counters().at(name) + second.counters().at(name); };
  const auto is_telling = [&] { return total("preemptions_total") > 0 && total("prompt_tokens_shared_total") > 0; };
  const double longest = 20 * seconds;  // on a machine so slow that blocks have not run out before
  for (double next_line = 60; elapsed() < seconds || (elapsed() < longest && !is_telling());
       std::this_thread::sleep_for(std::chrono::milliseconds(250))) {
    samples.push_back({elapsed(), resident(), first.ended() + second.ended(), raters.calls()});
    if (elapsed() < next_line) continue;
    std::printf("  %5.0f s  %7.1f MB  %zu + %zu texts\n", elapsed(), resident(), first.ended(), second.ended());
    next_line += 60;
  }
  raters.finish(); /* first: the engines' last requests need the threads */
  first.finish();
  second.finish();
  const auto judged = judge.finish();
  first.report();
  second.report();
  raters.report();
  std::printf("judge: %zu texts and %zu cut ones are the same bits as alone, or named above\n", judged.first, judged.second);
  if (!report_memory(samples)) failures.add("memory grows");
  if (total("preemptions_total") == 0) failures.add("blocks never ran out");
  if (raters.calls() == 0) failures.add("nothing was rated");
  if (total("prompt_tokens_shared_total") == 0) failures.add("no prefix was shared");
  std::printf("soak: %zu failures\n", failures.count());
  return failures.count() != 0;
}

}  // namespace

int main(int argc, char **argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: %s MODEL RATER SECONDS [SEED]\n", argv[0]);
    return 2;
  }
  try {
    return run(argv[1], argv[2], std::atof(argv[3]), argc > 4 ? std::strtoull(argv[4], nullptr, 10) : 1);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "unexpected: %s\n", error.what());
    return 1;
  }
}
