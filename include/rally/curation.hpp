/* Selection, cascades and distributions of scores. A part of rally.hpp. */
#ifndef RALLY_CURATION_HPP
#define RALLY_CURATION_HPP

#include <rally/detail.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace rally {

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

}  // namespace rally

#endif /* RALLY_CURATION_HPP */
