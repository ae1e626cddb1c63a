/* What a server needs of an engine, through the C++ face: whose event it is, waiting, a bounded queue, deadlines, one's own sampler. */
#include "cpp.hpp"
#include <cmath>
#include <limits>
#include <stdexcept>
#include <thread>

int checks_made = 0, checks_failed = 0;

static rally::Request request(size_t count) {
  rally::Request request;
  request.tokens = {1, 2, 3};
  request.max_tokens = count;
  request.stop_at_eos = RALLY_OFF;
  return request;
}

/* What each request of an engine was told; index by its number. */
struct Told {
  std::vector<std::vector<int32_t>> tokens{8};
  std::vector<rally_finish_reason> reasons{std::vector<rally_finish_reason>(8, RALLY_NOT_FINISHED)};
  std::vector<void *> users{std::vector<void *>(8, nullptr)};

  void operator()(const rally_event &event) {
    if (event.token >= 0) tokens.at(event.request).push_back(event.token);
    users.at(event.request) = event.user;
    reasons.at(event.request) = event.finish_reason;
  }
};

/* Lets through the token that the row's own user points to. */
static void only_the_users_token(rally::OnLogits::Rows rows) {
  for (const rally_logits *row : rows) {
    CHECK(row->prompt_count == 3 && row->tokens[2] == 3 && row->depth > 0);
    const int32_t only = *static_cast<const int32_t *>(row->user);
    for (size_t token = 0; token < row->count; token++)
      if (token != static_cast<size_t>(only)) row->values[token] = -std::numeric_limits<float>::infinity();
  }
}

static void test_rules(const rally::Model &model) {
  rally::Engine opened(model), engine = std::move(opened);
  int32_t tokens[2] = {100, 200};
  const auto held = std::make_shared<size_t>(0);
  rally::Request own = request(5);
  own.on_logits = [held](rally::OnLogits::Rows rows) {
    *held = std::max(*held, rows.size());
    only_the_users_token(rows);
  };
  for (int32_t &token : tokens) {
    own.user = &token;
    engine.submit(own);
  }
  engine.submit(request(5));
  own.on_logits = {};
  CHECK(held.use_count() == 2);
  Told told;
  engine.run([&](const rally_event &event) { told(event); });
  CHECK(told.tokens[0] == std::vector<int32_t>(5, 100) && told.tokens[1] == std::vector<int32_t>(5, 200));
  CHECK(told.tokens[2] == rally::Runner(model).generate(request(5)).tokens);
  CHECK(told.users[0] == &tokens[0] && told.users[1] == &tokens[1] && !told.users[2]);
  CHECK(*held == 2 && held.use_count() == 1); /* seen together, and let go with the last request */

  rally::Request alone = request(4);
  alone.user = &tokens[0];
  alone.on_logits = only_the_users_token;
  CHECK(rally::Runner(model).generate(alone).tokens == std::vector<int32_t>(4, 100));
  alone.on_logits = std::function<void(rally::OnLogits::Rows)>();
  CHECK(!alone.on_logits && rally::Runner(model).generate(alone).tokens.size() == 4);
}

static void test_rules_that_end(const rally::Model &model) {
  rally::Engine engine(model);
  rally::Request own = request(5);
  own.on_logits = [](rally::OnLogits::Rows) { return false; };
  engine.submit(own);
  Told told;
  engine.run(std::ref(told));
  CHECK(told.reasons[0] == RALLY_FINISH_CANCELLED && told.tokens[0].empty());

  own.on_logits = [](rally::OnLogits::Rows) -> bool { throw std::runtime_error("from the rule"); };
  engine.submit(own);
  std::string caught;
  try {
    engine.run(std::ref(told));
  } catch (const std::runtime_error &error) {
    caught = error.what();
  }
  CHECK(caught == "from the rule" && told.reasons[1] == RALLY_FINISH_CANCELLED);
  engine.submit(request(2));
  engine.run(std::ref(told));
  CHECK(told.tokens[2].size() == 2);

  own.tokens.clear();
  bool refused = false;
  try {
    engine.submit(own);
  } catch (const rally::Error &error) {
    refused = error.code() == RALLY_EMPTY_INPUT;
  }
  CHECK(refused);
  own.tokens = {1};
  engine.submit(own); /* unfinished when the engine is closed, and its rule with it */
}

static void test_queue_and_deadlines(const rally::Model &model) {
  auto options = rally::engine_options();
  options.max_sequences = 1;
  options.max_queue = 1;
  rally::Engine engine(model, options);
  rally::Request late = request(200);
  late.timeout_seconds = 1e-9;
  engine.submit(late);
  engine.submit(request(3));
  rally_status full = RALLY_OK;
  try {
    engine.submit(request(3));
  } catch (const rally::Error &error) {
    full = error.code();
  }
  CHECK(full == RALLY_QUEUE_FULL);
  Told told;
  engine.run(std::ref(told));
  CHECK(told.reasons[0] == RALLY_FINISH_DEADLINE && told.reasons[1] == RALLY_FINISH_LIMIT);
  CHECK(!engine.wait(0) && !engine.wait(0.001));
  std::thread thread([&] { engine.submit(request(2)); });
  CHECK(engine.wait());
  thread.join();
  CHECK(engine.counters().at("requests_finished_total") == 2);
  engine.run();
}

static void test_words(const rally::Model &model) {
  const rally::Vocabulary words = model.vocabulary();
  CHECK(words.size() == static_cast<size_t>(model.info().vocab_size));
  size_t differing = 0, longest = 0;
  for (size_t token = 0; token < words.size(); token++) {
    differing += model.decode({static_cast<int32_t>(token)}) != words[token];
    longest = std::max(longest, words[token].size());
  }
  CHECK(differing == 0 && longest == words.longest && words.special[static_cast<size_t>(model.info().eos_token_id)] == 1);
  CHECK(rally::build_info().find("version " + rally::version() + "\n") == 0 && rally::version_number() == RALLY_VERSION);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  return run_checks("cpp_server", [&] {
    const rally::Model model(argv[1]);
    test_rules(model);
    test_rules_that_end(model);
    test_queue_and_deadlines(model);
    test_words(model);
  });
}
