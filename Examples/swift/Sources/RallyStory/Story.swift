// A language model continues a sentence and shows how many recursions each token took; a rater then scores what was written.
//
//     swift run -c release --package-path Examples/swift RallyStory Examples/models/rally-tiny.onnx Examples/models/rally-rater-tiny.onnx

import Rally

@main
struct Story {
  static func main() throws {
    let paths = CommandLine.arguments.dropFirst()
    let text = try tell(paths.first ?? "Examples/models/rally-tiny.onnx", "Once upon a time")
    let score = try rate(paths.dropFirst().first ?? "Examples/models/rally-rater-tiny.onnx", text)
    print("the rater's score: \(score)")
  }

  static func tell(_ path: String, _ beginning: String) throws -> String {
    let model = try Model.open(path: path)
    guard let tokenizer = model.tokenizer else { return beginning }
    let runner = try Runner(model: model)
    var request = GenerationRequest(tokens: try tokenizer.encode(beginning))
    request.maximumTokenCount = 64

    var decoder = StreamDecoder(tokenizer: tokenizer)
    var text = beginning
    var depths: [Int32] = []
    print(beginning, terminator: "")
    try runner.generate([request]) { event in
      guard let token = event.token, event.finishReason != .stop else { return .goOn }
      let piece = String(decoding: (try? decoder.push(token)) ?? [], as: UTF8.self)
      print("\(piece)[\(event.depth)]", terminator: "")
      text += piece
      depths.append(event.depth)
      return .goOn
    }
    print("\n\n\(Double(depths.reduce(0, +)) / Double(max(1, depths.count))) recursions per token")
    return text
  }

  static func rate(_ path: String, _ text: String) throws -> Float {
    let rater = try Model.open(path: path)
    guard let tokenizer = rater.tokenizer else { return .nan }
    return try Runner(model: rater).rate(RowBatch([tokenizer.encode(text)]))[0]
  }
}
