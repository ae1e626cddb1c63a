/* The C++ face: scores and what is made of them, and what models have to do with one another. */
#include "cpp.hpp"
#include <cmath>

int checks_made = 0, checks_failed = 0;

static void test_rate(const rally::Model &model) {
  rally::Runner runner(model);
  const auto scores = runner.rate(std::vector<std::vector<int32_t>>{{1, 2, 3}, {4, 5}});
  const auto alone = runner.rate(std::vector<int32_t>{4, 5});
  CHECK(scores.size() == 2 && std::isfinite(scores[0]) && scores[1] == alone[0]);
  CHECK(code_of([&] { runner.generate(std::vector<int32_t>{1}, 1); }) == RALLY_WRONG_KIND);

  auto options = rally::document_options();
  options.window_tokens = 2;
  const auto documents = runner.rate_documents(std::vector<std::vector<int32_t>>{{4, 5}, {1, 2, 3}}, options);
  CHECK((documents.offsets == std::vector<size_t>{0, 1, 3}) && documents.windows.size() == 3);
  CHECK(documents.offsets == rally::Runner::document_windows(model, {{4, 5}, {1, 2, 3}}, options));
  CHECK(documents.int_score.size() == 2 && documents.int_score[0] == INT32_MIN);
  CHECK(documents.mean[0] == alone[0] && documents.windows[0] == alone[0] && documents.coverage[1] == 1);
  CHECK(documents.windows[2] == runner.rate(std::vector<int32_t>{3})[0]);
  CHECK(documents.minimum[1] == std::min(documents.windows[1], documents.windows[2]));
  CHECK(documents.score == documents.mean && documents.outputs.empty());
  options.reading = RALLY_READING_ENDS;
  options.join = RALLY_JOIN_MAX;
  const auto ends = runner.rate_documents(std::vector<int32_t>{1, 2, 3, 4, 5}, options);
  CHECK(ends.windows.size() == 2 && ends.score[0] == std::max(ends.windows[0], alone[0]));

  CHECK((model.labels() == std::vector<std::string>{"LABEL_0"}));
  CHECK(runner.rate_outputs(std::vector<int32_t>{4, 5}) == alone);
  CHECK(runner.pooled(std::vector<int32_t>{4, 5}).size() == static_cast<size_t>(model.info().hidden_size));
  auto letters = rally::tokenizer_options();
  letters.parse_special = RALLY_OFF;
  const char *text = "a <|endoftext|> b";
  CHECK(model.encode_document(text) == model.encode(text, letters) && model.encode_document(text) != model.encode(text));
}

static void test_sharing(const rally::Model &rater) {
  const rally::Rows rows({{5, 6, 7}, {8, 9}});
  auto options = rally::runner_options();
  const auto alone = rally::Runner(rater).rate(rows);
  std::vector<rally::Runner> runners;
  {
    const rally::Pool pool(2);
    options.pool = pool.get();
    for (int i = 0; i < 2; i++) runners.emplace_back(rater, options);
    options.threads = 2;
    CHECK(code_of([&] { rally::Runner(rater, options); }) == RALLY_INVALID_ARGUMENT);
  }
  CHECK(runners[0].rate(rows) == alone && runners[1].rate(rows) == alone);
  CHECK(code_of([] { rally::Pool(257); }) == RALLY_INVALID_ARGUMENT);
  options = rally::runner_options();
  options.max_memory_bytes = 4096;
  CHECK(code_of([&] { rally::Runner(rater, options).rate(rows); }) == RALLY_OUT_OF_MEMORY);
}

static void test_exposure(const rally::Model &model) {
  rally::Runner teacher(model), base(model);
  const std::vector<std::vector<int32_t>> rows = {{1, 2, 3}, {4, 5}};
  const auto found = teacher.exposure(base, rows, {2, 1});
  CHECK((found.tokens == std::vector<size_t>{1, 1}) && found.jeffreys[0] == 0 && found.log_ratio[1] == 0);
  CHECK(code_of([&] { teacher.exposure(teacher, rows); }) == RALLY_BUSY);
  CHECK(code_of([&] { teacher.exposure(base, rows, {1}); }) == RALLY_INVALID_ARGUMENT);
}

static void test_who_made_scores(const rally::Model &model, const rally::Model &rater) {
  const std::string fingerprint = rater.score_fingerprint();
  CHECK(fingerprint.size() == 64 && fingerprint != rater.score_fingerprint(true) && fingerprint != model.score_fingerprint());
  auto options = rally::label_options();
  options.window_tokens = 40;
  CHECK(rater.score_label(options)
        == "version=1 model=" + fingerprint + " measure=score reading=documents window=40 stride=40");
  CHECK(rater.score_label().find(fingerprint) != std::string::npos && rater.reads_same_tokens(rater));
}

static void test_selection() {
  CHECK(rally::draw_count(1, 0.9) == 10 && code_of([] { rally::draw_count(1, 1); }) == RALLY_INVALID_ARGUMENT);
  CHECK((rally::select_top({1, 5, 5, 5}, 2) == std::vector<size_t>{1, 2}));
  CHECK(code_of([] { rally::select_top({1}, 2); }) == RALLY_INVALID_ARGUMENT);
  CHECK((rally::softmax_weights({2, 2}) == std::vector<float>{0.5f, 0.5f}));
  CHECK((rally::acceptance({0, 0.25, 1}, 2, 1) == std::vector<double>{0, 0.25, 1}));
  CHECK((rally::decide({"a", "", "b"}, {0, 1, 0}, "rater") == std::vector<bool>{false, true, false}));
  CHECK(code_of([] { rally::decide({"a"}, {}, "rater"); }) == RALLY_INVALID_ARGUMENT);
  std::vector<float> cheap, expensive;
  for (int i = 0; i < 2000; i++) {
    expensive.push_back(static_cast<float>(i * 7919 % 2000) / 2000);
    cheap.push_back(expensive.back() + static_cast<float>(i % 11 - 5) / 500);
  }
  const rally::Cascade cascade(cheap, expensive, 0.5, 0.98, 0.9);
  CHECK(cascade.band().lower < 0.5f && cascade.band().upper > 0.5f && !cascade.reads(0) && cascade.reads(0.5f));
  const std::vector<float> both = cascade.scores(cheap, expensive);
  CHECK(both.size() == cheap.size() && both[0] == cheap[0]);
  CHECK(code_of([&] { (void)cascade.scores(cheap, {1.0f}); }) == RALLY_INVALID_ARGUMENT);
  CHECK(std::abs(rally::rating_cost(50e6, 50e6, 0.75) - 4.0 / 3) < 1e-15);

  rally::Distribution one("rater:document"), other("rater:packed", 8);
  one.add({1, 2, 3, 4});
  CHECK(one.info().count == 4 && one.info().rank_error == 0 && one.info().label == std::string("rater:document"));
  CHECK((one.cdf({1, 2.5}) == std::vector<double>{0.125, 0.5}) && one.quantile({0.5})[0] == 2);
  CHECK(code_of([&] { one.merge(other); }) == RALLY_MISMATCH);
  rally::Distribution loaded = rally::Distribution::load(one.save());
  loaded.merge(one);
  CHECK(loaded.info().count == 8 && code_of([] { rally::Distribution::load({1, 2}); }) == RALLY_CORRUPT_FILE);
}

static void test_lineage(const std::string &path, const std::string &other) {
  const auto report = rally::lineage(path, path);
  CHECK(report.verdict == RALLY_LINEAGE_STRONG && report.p < 1e-3 && report.sets.size() > 1 && report.head.empty());
  CHECK(report.tensors.size() > report.sets.size() && std::string(report.text()).find("shared") == 0);
  CHECK(code_of([&] { rally::lineage(path, other); }) == RALLY_MISMATCH);
  std::vector<float> one(64 * 20), two(one.size());
  uint32_t state = 1;
  for (std::vector<float> *values : {&one, &two})
    for (float &value : *values) value = static_cast<float>(static_cast<int32_t>(state = state * 1664525u + 1013904223u));
  const std::vector<rally_matrix> a = {rally::unit_matrix("up", one, 20)}, b = {rally::unit_matrix("up", two, 20)};
  CHECK(rally::lineage(a, b).verdict == RALLY_LINEAGE_NOT_SEEN && rally::lineage(a, a).sets[0].name == "up");
  CHECK(code_of([&] { rally::lineage(a, std::vector<rally_matrix>()); }) == RALLY_EMPTY_INPUT);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  return run_checks("cpp_raters", [&] {
    const rally::Model model(argv[1]), rater(argv[2]);
    test_rate(rater);
    test_sharing(rater);
    test_exposure(model);
    test_who_made_scores(model, rater);
    test_selection();
    test_lineage(argv[1], argv[2]);
  });
}
