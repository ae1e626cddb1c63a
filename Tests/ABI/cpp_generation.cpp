/* The C++ face: texts, alone and in an engine. */
#include "cpp.hpp"
#include "stop_cases.h"

int checks_made = 0, checks_failed = 0;

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

/* What a request asks for reaches the model. */
static void test_options(const rally::Model &model) {
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

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  return run_checks("cpp_generation", [&] {
    const rally::Model model(argv[1]);
    test_generate(model);
    test_options(model);
    test_stops_of_the_table();
    test_engine(model);
  });
}
