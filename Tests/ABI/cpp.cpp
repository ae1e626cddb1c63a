/* The C++ face: values, exceptions with their codes, and exceptions of callbacks that never cross the C boundary. */
#include "cpp.hpp"
#include <fstream>
#include <iterator>
#include <type_traits>
#include <unistd.h>

int checks_made = 0, checks_failed = 0;

static_assert(!std::is_copy_constructible<rally::Model>::value && std::is_move_constructible<rally::Model>::value, "");
static_assert(!std::is_copy_constructible<rally::Engine>::value && std::is_nothrow_move_assignable<rally::Engine>::value, "");
static_assert(!std::is_copy_constructible<rally::Runner>::value && std::is_nothrow_move_assignable<rally::Runner>::value, "");

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

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  return run_checks("cpp", [&] {
    const rally::Model model(argv[1]);
    test_model(argv[1]);
    test_text(model);
    test_rows();
    test_run(model);
    test_watching(argv[1]);
    test_quantize(argv[1]);
    test_prepare(argv[1]);
  });
}
