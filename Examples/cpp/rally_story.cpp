/*
 * A language model continues a sentence and shows how many recursions each token took; a rater then scores what was written.
 *
 *     c++ -std=c++17 -Iinclude Examples/cpp/rally_story.cpp .build/release/librally.so.0 -Wl,-rpath,$PWD/.build/release -o rally_story
 *     ./rally_story Examples/models/rally-tiny.onnx Examples/models/rally-rater-tiny.onnx
 */
#include <iostream>
#include <numeric>
#include <rally.hpp>

static std::string tell(const std::string &path, const std::string &beginning) {
  const rally::Model model(path);
  rally::Runner runner(model);
  rally::Decoder decoder(model);
  std::string text = beginning;

  std::cout << beginning;
  const auto story = runner.generate(model.encode(beginning), 64, [&](const rally_event &event) {
    if (event.finish_reason == RALLY_FINISH_STOP) return rally::Go::on;
    const std::string piece = decoder.push(event.token);
    text += piece;
    std::cout << piece << '[' << event.depth << ']' << std::flush;
    return rally::Go::on;
  });
  if (!story.depths.empty()) {
    const double sum = std::accumulate(story.depths.begin(), story.depths.end(), 0.0);
    std::cout << "\n\n" << sum / static_cast<double>(story.depths.size()) << " recursions per token\n";
  }
  return text;
}

static float rate(const std::string &path, const std::string &text) {
  const rally::Model rater(path);
  return rally::Runner(rater).rate(rater.encode(text)).front();
}

int main(int argc, char **argv) {
  try {
    const std::string text = tell(argc > 1 ? argv[1] : "Examples/models/rally-tiny.onnx", "Once upon a time");
    std::cout << "the rater's score: " << rate(argc > 2 ? argv[2] : "Examples/models/rally-rater-tiny.onnx", text) << '\n';
  } catch (const rally::Error &error) {
    std::cerr << error.name() << ": " << error.what() << '\n';
    return 1;
  }
}
