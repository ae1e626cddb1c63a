// A language model continues a sentence and shows how many recursions each token took; a rater then scores what was written.
//
//     swift run -c release --package-path Examples/swift RallyStory Examples/models/rally-tiny.onnx Examples/models/rally-rater-tiny.onnx

import Rally

@main
struct Story {
  static func main() async throws {
    let paths = CommandLine.arguments.dropFirst()
    let text = try await tell(paths.first ?? "Examples/models/rally-tiny.onnx", "Once upon a time")
    let score = try rate(paths.dropFirst().first ?? "Examples/models/rally-rater-tiny.onnx", text)
    print("the rater's score: \(score)")
  }

  static func tell(_ path: String, _ beginning: String) async throws -> String {
    let model = try Model.open(path: path)
    var request = try GenerationRequest(beginning, for: model)
    request.maximumTokenCount = 64
    request.skipsSpecialTokens = true

    var generation = Generation()
    print(beginning, terminator: "")
    for try await event in try EngineClient(model: model).submit(request) {
      if event.finishReason != .stop { print("\(event.text)[\(event.depth)]", terminator: "") }
      generation.append(event)
    }
    let depths = generation.depths
    print("\n\n\(Double(depths.reduce(0, +)) / Double(max(1, depths.count))) recursions per token")
    return beginning + generation.text
  }

  static func rate(_ path: String, _ text: String) throws -> Float {
    try Runner(model: .open(path: path)).rate(texts: [text])[0]
  }
}
