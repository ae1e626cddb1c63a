/* Random requests, each made from a seed and its number alone: whatever fails can be made again. */
#ifndef RALLY_SOAK_PLANS_HPP
#define RALLY_SOAK_PLANS_HPP

#include <cmath>
#include <rally.hpp>

namespace soak {

/* SplitMix64 (Steele et al. 2014). */
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  /* In [0, count). */
  size_t below(size_t count) { return static_cast<size_t>(next() % count); }
  /* In [0, 1). */
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  bool chance(double probability) { return uniform() < probability; }
  /* In [1, most], small numbers as likely as large ones. */
  size_t length(size_t most) { return static_cast<size_t>(std::exp(uniform() * std::log(static_cast<double>(most) + 1))); }

 private:
  uint64_t state_;
};

enum class Ending { natural, by_reply, by_cancel, at_once };

struct Plan {
  uint64_t number = 0;
  rally::Request request;
  Ending ending = Ending::natural;
  size_t ends_after = 0; /* tokens, unless natural or at once */
  bool travels = false;  /* saved after so many tokens, cancelled, and restored */
};

class Plans {
 public:
  /* Prompts and texts have up to so many tokens, as far as the context goes. */
  Plans(const rally::Model &model, uint64_t seed, size_t longest_prompt, size_t longest_text)
      : info_(model.info()), seed_(seed), longest_prompt_(longest_prompt), longest_text_(longest_text) {
    Random random(seed);
    for (auto &document : documents_) document = tokens(random, longest_prompt);
  }

  Plan make(uint64_t number) const {
    Random random(seed_ ^ (number + 1) * 0xD1B54A32D192ED03u);
    Plan plan;
    plan.number = number;
    auto &request = plan.request;
    if (number < alike) return opening(plan);
    const auto context = static_cast<size_t>(info_.max_position_embeddings);
    request.max_tokens = std::min(random.chance(0.05) ? longest_text_ : 1 + random.below(longest_text_ / 3), context / 2);
    request.tokens = prompt(random, std::min(longest_prompt_, context - request.max_tokens));
    sample(random, request);
    limit(random, request);
    plan.ends_after = random.below(request.max_tokens) + 1;
    if (random.chance(0.06)) plan.ending = Ending::by_reply;
    else if (random.chance(0.06)) plan.ending = Ending::by_cancel;
    else if (random.chance(0.03)) plan.ending = Ending::at_once;
    else plan.travels = random.chance(0.06);
    return plan;
  }

 private:
  /* The first ones begin alike and are long, so that even a short run shares prefixes and runs out of blocks. */
  static constexpr uint64_t alike = 6;
  Plan opening(Plan plan) const {
    const size_t length = std::min<size_t>(100, documents_[0].size());
    plan.request.tokens.assign(documents_[0].begin(), documents_[0].begin() + static_cast<std::ptrdiff_t>(length));
    plan.request.tokens.push_back(static_cast<int32_t>(plan.number));
    plan.request.max_tokens = longest_text_ / 2;
    plan.request.stop_at_eos = RALLY_OFF;
    return plan;
  }

  /* A beginning that others have too, tokens of its own, or both. */
  std::vector<int32_t> prompt(Random &random, size_t most) const {
    const size_t length = random.length(most);
    const size_t shared = random.chance(0.6) ? random.below(length + 1) : 0;
    const auto &document = documents_[random.below(documents_.size())];
    std::vector<int32_t> result(document.begin(), document.begin() + static_cast<std::ptrdiff_t>(shared));
    const auto own = tokens(random, length - shared);
    result.insert(result.end(), own.begin(), own.end());
    return result;
  }

  std::vector<int32_t> tokens(Random &random, size_t count) const {
    std::vector<int32_t> result(count);
    for (auto &token : result) token = static_cast<int32_t>(random.below(static_cast<size_t>(info_.vocab_size)));
    return result;
  }

  void sample(Random &random, rally::Request &request) const {
    request.seed = random.next();
    if (random.chance(0.6)) request.temperature = static_cast<float>(0.3 + random.uniform());
    if (random.chance(0.3)) request.top_k = static_cast<int32_t>(random.length(200));
    if (random.chance(0.3)) request.top_p = static_cast<float>(0.5 + 0.5 * random.uniform());
    if (random.chance(0.2)) request.min_p = static_cast<float>(0.2 * random.uniform());
    if (random.chance(0.2)) request.repetition_penalty = 1.2f;
    if (random.chance(0.2)) request.presence_penalty = 0.5f;
    if (random.chance(0.2)) request.frequency_penalty = 0.1f;
    if (random.chance(0.2))
      for (const int32_t token : tokens(random, 1 + random.below(5)))
        request.bias.emplace_back(token, random.chance(0.5) ? -INFINITY : 2.0f);
    if (random.chance(0.2)) request.top_logprobs = static_cast<uint32_t>(1 + random.below(8));
  }

  void limit(Random &random, rally::Request &request) const {
    request.priority = static_cast<int32_t>(random.below(4)) - 1;
    const auto depths = static_cast<size_t>(info_.num_recursion);
    if (random.chance(0.3)) request.max_depth = static_cast<uint32_t>(1 + random.below(depths));
    if (random.chance(0.3) && info_.routing != RALLY_ROUTING_NONE)
      request.target_depth = 1 + static_cast<double>(random.below(4)) / 3 * static_cast<double>(depths - 1);
    if (random.chance(0.3)) request.stop_tokens = tokens(random, 1 + random.below(4));
    if (random.chance(0.3) && info_.has_tokenizer) request.stop_strings = {"no such text", " the", "."};
  }

  rally_model_info info_;
  uint64_t seed_;
  size_t longest_prompt_, longest_text_;
  std::array<std::vector<int32_t>, 3> documents_;
};

}  // namespace soak

#endif
