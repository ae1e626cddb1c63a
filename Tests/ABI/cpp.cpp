/* The C++ face: values, exceptions with their codes, and exceptions of callbacks that never cross the C boundary. */
#include "check.h"
#include "stop_cases.h"
#include <cmath>
#include <fstream>
#include <iterator>
#include <rally.hpp>
#include <type_traits>
#include <unistd.h>

int checks_made = 0, checks_failed = 0;

static_assert(!std::is_copy_constructible<rally::Model>::value && std::is_move_constructible<rally::Model>::value, "");
static_assert(!std::is_copy_constructible<rally::Engine>::value && std::is_nothrow_move_assignable<rally::Engine>::value, "");
static_assert(!std::is_copy_constructible<rally::Runner>::value && std::is_nothrow_move_assignable<rally::Runner>::value, "");

/* The code of the rally::Error that `call` throws; RALLY_OK when it throws none. */
template <typename Call>
static rally_status code_of(Call &&call) {
  try {
    call();
  } catch (const rally::Error &error) {
    return error.code();
  }
  return RALLY_OK;
}

static void test_model(const std::string &path) {
  rally::Model model(path);
  rally::Model::validate(path);
  CHECK(model.info().kind == RALLY_KIND_LM && model.info().vocab_size > 0);
  CHECK(model.metadata("rally.kind") == "lm" && !model.metadata().empty() && !model.tensors().empty());
  CHECK(code_of([&] { model.metadata("no.such.key"); }) == RALLY_MISSING_KEY);
  CHECK(code_of([&] { rally::Model("no/such/model.onnx"); }) == RALLY_FILE_NOT_FOUND);

  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  CHECK(rally::Model::from_memory(bytes.data(), bytes.size()).info().vocab_size == model.info().vocab_size);
  CHECK(code_of([&] { rally::Model::from_memory(bytes.data(), bytes.size() / 2); }) >= RALLY_CORRUPT_FILE);

  rally::Model moved = std::move(model);
  CHECK(moved.info().vocab_size > 0 && code_of([&] { model.info(); }) == RALLY_INVALID_ARGUMENT);
}

static void test_text(const rally::Model &model) {
  const std::string text = "The sea, \xE6\xB5\xB7.";
  const auto tokens = model.encode(text);
  CHECK(!tokens.empty() && model.decode(tokens).find(text) != std::string::npos);
  CHECK(model.decode({}).empty());
  rally::Decoder decoder(model);
  std::string pieces;
  for (int32_t token : tokens) pieces += decoder.push(token);
  pieces += decoder.finish();
  CHECK(pieces == model.decode(tokens));
  CHECK(code_of([&] { model.decode({-1}); }) == RALLY_INVALID_TOKEN);
}

static void test_run(const rally::Model &model) {
  rally::Runner runner(model);
  const rally::Rows rows(std::vector<std::vector<int32_t>>{{1, 2, 3}, {4, 5}});
  CHECK(rows.count() == 2 && rows.token_count() == 5 && rows.length(1) == 2 && runner.memory(rows) > 0);
  rally::Wanted wanted;
  wanted.logits = wanted.hidden = wanted.logprobs = true;
  const auto outputs = runner.run(rows, wanted);
  const auto info = model.info();
  CHECK(outputs.logits.size() == 5 * static_cast<size_t>(info.vocab_size));
  CHECK(outputs.hidden.size() == 5 * static_cast<size_t>(info.hidden_size));
  CHECK(outputs.depths.size() == 5 && outputs.logprobs.size() == 3);
  CHECK(outputs.logprobs == runner.logprobs(rows));
  /* Positions are kept, not looked at later where they were. */
  wanted.positions = {rows.token_count() - 1, size_t{2}};
  const auto some = runner.run(rows, wanted);
  const auto width = static_cast<std::ptrdiff_t>(info.hidden_size);
  CHECK(some.hidden.size() == 2 * static_cast<size_t>(width));
  CHECK(std::equal(some.hidden.begin(), some.hidden.begin() + width, outputs.hidden.end() - width));
  wanted.targets = {7, -1, 8, 9, 10};
  const auto targets = runner.run(rows, wanted).logprobs;
  CHECK(targets.size() == 5 && targets[0] < 0 && targets[1] != targets[1]);
  wanted.targets = {7};
  CHECK(code_of([&] { runner.run(rows, wanted); }) == RALLY_INVALID_ARGUMENT);
  wanted.targets.clear();
  CHECK(code_of([&] { runner.run(std::vector<int32_t>{info.vocab_size}, wanted); }) == RALLY_INVALID_TOKEN);
  CHECK(code_of([&] { runner.rate(rows); }) == RALLY_WRONG_KIND);
}

/* Every way to write rows down, and none that is read as another. */
static void test_rows() {
  const std::vector<int32_t> one = {1, 2, 3};
  const std::array<int32_t, 2> two = {1, 2};
  const auto is = [](const rally::Rows &rows, size_t count, size_t tokens) {
    return rows.count() == count && rows.token_count() == tokens;
  };
  CHECK(is(one, 1, 3) && is(two, 1, 2) && is({one}, 1, 3) && is({one, one}, 2, 6) && is({}, 0, 0));
  CHECK(is({{1, 2, 3}}, 1, 3) && is({{1}, {2}}, 2, 2) && is({{1, 2}, {3, 4, 5}}, 2, 5) && is(rally::Rows{{1}, {2}}, 2, 2));
#if __cplusplus >= 202002L
  CHECK(is(std::span<const int32_t>(one), 1, 3));
#endif
}

/* What progress and log functions throw comes back, and a call that they watch goes on by itself. */
static void test_watching(const char *path) {
  size_t calls = 0;
  const rally::Model model(path, rally::model_options(), [&](uint64_t done, uint64_t total) { return calls++, done <= total; });
  CHECK(calls > 0);
  CHECK(code_of([&] { rally::Model(path, rally::model_options(), [](uint64_t, uint64_t) { return false; }); })
        == RALLY_CANCELLED);
  int thrown = 0;
  try {
    rally::Model(path, rally::model_options(), [](uint64_t, uint64_t) -> bool { throw 5; });
  } catch (int value) {
    thrown = value;
  }
  CHECK(thrown == 5);
  bool throws = false;
  rally::Runner first(model, rally::runner_options(), [&](uint64_t, uint64_t) { return throws ? throw 6 : true; });
  rally::Runner runner(std::move(first));
  const auto logprobs = runner.logprobs({{1, 2, 3}});
  throws = true;
  try {
    runner.logprobs({{1, 2, 3}});
  } catch (int value) {
    thrown = value;
  }
  throws = false;
  CHECK(thrown == 6 && runner.logprobs({{1, 2, 3}}) == logprobs);
  CHECK(rally::version() == rally_version() && rally::instruction_set() == rally_instruction_set());
}

static void test_generate(const rally::Model &model) {
  rally::Runner runner(model);
  rally::Request request;
  request.tokens = {1, 2, 3};
  request.max_tokens = 8;
  request.stop_at_eos = RALLY_OFF;
  std::vector<int32_t> heard;
  const auto all = runner.generate(request, [&](const rally_event &event) {
    heard.push_back(event.token);
    return rally::Go::on;
  });
  CHECK(all.tokens.size() == 8 && all.tokens == heard && all.finish_reason == RALLY_FINISH_LIMIT);
  CHECK(all.depths.size() == 8 && all.logprobs.size() == 8 && all.logprobs[0] <= 0);
  CHECK(runner.generate({request, request})[1].tokens == all.tokens);
  heard.clear();
  runner.generate(request, [&](const rally_event &event) { heard.push_back(event.token); });
  CHECK(heard == all.tokens);

  size_t calls = 0;
  bool caught = false;
  try {
    runner.generate(request, [&](const rally_event &) -> rally::Go {
      calls++;
      throw std::runtime_error("from the callback");
    });
  } catch (const std::runtime_error &error) {
    caught = std::string(error.what()) == "from the callback";
  }
  CHECK(caught && calls == 1);
  CHECK(runner.generate(request).tokens == all.tokens);
  const auto cut = runner.generate(
      request, [](const rally_event &event) { return event.index == 1 ? rally::Go::end_sequence : rally::Go::on; });
  CHECK(cut.tokens.size() == 2 && cut.finish_reason == RALLY_FINISH_CANCELLED);
}

static void test_quantize(const char *path) {
  const std::string out = "/tmp/rally-cpp-quantize-" + std::to_string(getpid()) + ".onnx";
  rally::Model::quantize(path, out);
  CHECK(rally::Model(out).tensors().size() > 0);
  CHECK(std::string(rally::Model(out).tensors()[0].dtype) == "int8");
  rally::Model::quantize(path, out, RALLY_DTYPE_BF16);
  CHECK(std::string(rally::Model(out).tensors()[0].dtype) == "bf16");
  CHECK(code_of([&] { rally::Model::quantize(out, out); }) == RALLY_INVALID_ARGUMENT);
  std::remove(out.c_str());
}

static void test_prepare(const char *path) {
  const std::string out = "/tmp/rally-cpp-prepare-" + std::to_string(getpid()) + ".rally";
  rally::Model::prepare(path, out, RALLY_DTYPE_BF16);
  CHECK(rally::Model(out).info().dtype == RALLY_DTYPE_BF16);
  rally::Model::prepare(path, out, RALLY_DTYPE_INT8, {}, "The sea was calm.", 1);
  CHECK(rally::Model(out).info().dtype == RALLY_DTYPE_INT8);
  rally::Model::validate(out);
  CHECK(code_of([&] { rally::Model::prepare(out, out + ".new"); }) == RALLY_UNSUPPORTED);
  std::remove(out.c_str());
}

/* What a request wishes reaches the model. */
static void test_wishes(const rally::Model &model) {
  rally::Runner runner(model);
  rally::Request request;
  request.tokens = {1, 2, 3};
  request.max_tokens = 4;
  request.stop_at_eos = RALLY_OFF;
  request.bias = {{42, 1e4f}, {43, 1e4f - 1}};
  request.frequency_penalty = 1e3f;
  CHECK((runner.generate(request).tokens == std::vector<int32_t>{42, 43, 42, 43}));
  request.stop_tokens = {43};
  CHECK(runner.generate(request).finish_reason == RALLY_FINISH_STOP);
  request.target_depth = -1;
  CHECK(code_of([&] { runner.generate(request); }) == RALLY_INVALID_ARGUMENT);

  rally::Request text;
  text.tokens = model.encode("Once upon a time");
  text.max_tokens = 20;
  text.top_logprobs = 2;
  const std::string told = model.decode(runner.generate(text).tokens);
  text.stop_strings = {"no such text", told.substr(10, 3)};
  int32_t found = -1;
  size_t listed = 0;
  const auto cut = runner.generate(text, [&](const rally_event &event) {
    found = event.stop_string;
    listed += event.top_count == 2 && event.top_tokens[0] == event.token;
    return rally::Go::on;
  });
  CHECK(found == 1 && cut.finish_reason == RALLY_FINISH_STOP && listed == cut.tokens.size());
  text.stop_strings = {std::string("a\0b", 3)};
  CHECK(code_of([&] { runner.generate(text); }) == RALLY_INVALID_ARGUMENT);
}

/* The table of cases of stop strings that every host runs. */
static void test_stops_of_the_table() {
  const rally::Model model(STOP_MODEL);
  rally::Runner runner(model);
  std::FILE *table = std::fopen(STOP_CASES, "r");
  stop_case expected;
  int count = 0;
  CHECK(table && stop_case_read(table, &expected));
  for (; table && stop_case_read(table, &expected); count++) {
    rally::Request request;
    request.tokens = model.encode(expected.prompt);
    request.max_tokens = static_cast<size_t>(expected.max_tokens);
    request.stop_strings.assign(expected.stops, expected.stops + expected.stop_count);
    request.include_stop = expected.include_stop;
    request.skip_special = expected.skip_special;
    std::string text;
    for (int i = 0; i < expected.piece_count; i++) text += expected.pieces[i];
    const auto found = runner.generate(request);
    CHECK(found.text == text && found.stop_string == expected.stop_string);
    CHECK(found.tokens.size() == static_cast<size_t>(expected.piece_count));
    CHECK(found.finish_reason == (strcmp(expected.finish_reason, "stop") ? RALLY_FINISH_LIMIT : RALLY_FINISH_STOP));
  }
  CHECK(count >= 19);
  if (table) std::fclose(table);
}

/* Three requests that arrive over time and end in three ways; each as it would be alone. */
static void test_engine(const rally::Model &model) {
  CHECK(rally::Engine::memory(model) > 0);
  rally_engine_options wide = rally::engine_options();
  wide.max_sequences = 2;
  rally_engine_options narrow = wide;
  narrow.cache_dtype = RALLY_DTYPE_INT8;
  CHECK(rally::Engine::memory(model, narrow) < rally::Engine::memory(model, wide));
  rally::Engine engine(model);
  rally::Request request;
  request.tokens = {1, 2, 3};
  request.max_tokens = 12;
  request.stop_at_eos = RALLY_OFF;
  const auto alone = rally::Runner(model).generate(request);
  std::vector<rally::Continuation> texts(4);
  const auto gather = [&](const rally_event &event) {
    auto &text = texts.at(event.request);
    if (event.token >= 0) {
      text.tokens.push_back(event.token);
      text.depths.push_back(event.depth);
      text.logprobs.push_back(event.logprob);
    }
    text.finish_reason = event.finish_reason;
    if (event.request == 0 && event.index == 2) engine.submit(request);
    return event.request == 1 && event.index == 4 ? rally::Go::end_sequence : rally::Go::on;
  };
  CHECK(engine.submit(request) == 0 && engine.submit(request) == 1);
  while (texts[0].tokens.size() < 6) CHECK(engine.step(gather));
  const auto state = engine.save(0);
  engine.cancel(0);
  engine.run(gather);
  CHECK(texts[0].finish_reason == RALLY_FINISH_CANCELLED && texts[1].tokens.size() == 5);
  CHECK(texts[2].tokens == alone.tokens && texts[2].depths == alone.depths && texts[2].logprobs == alone.logprobs);

  rally::Request rest = request;
  rest.tokens.clear();
  CHECK(engine.restore(state, rest) == 3);
  const size_t before = texts[0].tokens.size();
  engine.run(gather);
  CHECK(before >= 6 && texts[3].tokens == std::vector<int32_t>(alone.tokens.begin() + 6, alone.tokens.end()));
  CHECK(engine.counters().at("requests_finished_total") == 4 && !engine.step());
  rest.max_depth = 1;
  CHECK(code_of([&] { engine.restore(state, rest); }) == RALLY_WRONG_MODEL);
  CHECK(code_of([&] { engine.save(0); }) == RALLY_INVALID_ARGUMENT);

  bool caught = false;
  engine.submit(request);
  try {
    engine.run([](const rally_event &) -> rally::Go { throw std::runtime_error("from the callback"); });
  } catch (const std::runtime_error &error) {
    caught = std::string(error.what()) == "from the callback";
  }
  CHECK(caught);
  engine.submit(request);
  engine.cancel_all();
  engine.run();
  rally::Engine moved = std::move(engine);
  CHECK(!moved.step() && code_of([&] { engine.step(); }) == RALLY_INVALID_ARGUMENT);
  CHECK(code_of([&] { moved.submit(rally::Request()); }) == RALLY_EMPTY_INPUT);
}

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
  try {
    const rally::Model model(argv[1]), rater(argv[2]);
    test_model(argv[1]);
    test_text(model);
    test_rows();
    test_run(model);
    test_watching(argv[1]);
    test_generate(model);
    test_wishes(model);
    test_stops_of_the_table();
    test_engine(model);
    test_rate(rater);
    test_sharing(rater);
    test_exposure(model);
    test_who_made_scores(model, rater);
    test_selection();
    test_lineage(argv[1], argv[2]);
    test_quantize(argv[1]);
    test_prepare(argv[1]);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "unexpected: %s\n", error.what());
    checks_failed++;
  }
  std::printf("cpp: %d checks, %d failed\n", checks_made, checks_failed);
  return checks_failed != 0;
}
