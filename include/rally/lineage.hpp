/* Whether two models come from one initialisation. A part of rally.hpp. */
#ifndef RALLY_LINEAGE_HPP
#define RALLY_LINEAGE_HPP

#include <rally/detail.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace rally {

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
 * is why temporary numbers are refused. */
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

#endif /* RALLY_LINEAGE_HPP */
