import JSON
import Rally

extension Transcript {
  /// `depths[i]` belongs to the prediction of `tokens[i]`, as in `rally_generation`.
  var json: JSONValue {
    .object([
      ("prompt", .string(String(decoding: prompt.text, as: UTF8.self))),
      ("text", .string(String(decoding: text, as: UTF8.self))),
      ("finish_reason", finishReason.map { .string($0.word) } ?? .null),
      ("prompt_tokens", .integers(prompt.tokens)),
      ("prompt_depths", .integers(promptDepths)),
      ("tokens", .integers(tokens)),
      ("depths", .integers(depths)),
      ("logprobs", .array(logProbabilities.map { .float($0) })),
    ])
  }
}

extension FinishReason {
  fileprivate var word: String {
    switch self {
    case .stop: "stop"
    case .limit: "limit"
    case .contextFull: "context_full"
    case .cancelled: "cancelled"
    case .deadline: "deadline"
    }
  }
}
