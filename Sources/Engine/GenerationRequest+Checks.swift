package import Files
import Kernels
package import Models

extension GenerationRequest {
  /// - Throws: `invalidArgument`, `invalidToken`, `emptyInput` or `contextExceeded`, naming the request and what is wrong.
  package func check(_ name: String, _ info: ModelInfo) throws(RallyError) {
    do throws(RallyError) {
      try checkTokens(info)
      try sampling.validate()
      try checkPenalties()
      try checkLimits(info)
    } catch {
      var named = error
      named.subject = "\(name), \(error.subject)"
      throw named
    }
  }

  private func checkTokens(_ info: ModelInfo) throws(RallyError) {
    let all = 0..<Int32(info.vocabularySize)
    func require(_ tokens: some Collection<Int32>, _ name: String) throws(RallyError) {
      for token in tokens where !all.contains(token) {
        throw RallyError(.invalidToken, name, expected: "ids in [0, \(info.vocabularySize))", found: "\(token)")
      }
    }
    guard !tokens.isEmpty else {
      throw RallyError(.emptyInput, "tokens", expected: "at least one token", found: "none")
    }
    guard tokens.count <= info.contextLength else {
      throw RallyError(
        .contextExceeded, "tokens",
        expected: "at most \(info.contextLength), the model's max_position_embeddings", found: "\(tokens.count)",
        remedy: "cut the prompt")
    }
    try require(tokens, "tokens")
    try require(stopTokens, "stop_tokens")
    try require(logitBias.map(\.token), "logit_bias")
    for (token, bias) in logitBias where bias.isNaN {
      throw RallyError(.invalidArgument, "logit_bias", expected: "a number", found: "NaN for token \(token)")
    }
    guard logitBias.count >= info.vocabularySize else { return }
    let forbidden = Set(logitBias.filter { $0.bias == -.infinity }.map(\.token))
    guard forbidden.count < info.vocabularySize else {
      throw RallyError(
        .invalidArgument, "logit_bias", expected: "a token that is not forbidden", found: "−∞ for all \(forbidden.count)")
    }
  }

  private func checkPenalties() throws(RallyError) {
    func require(_ holds: Bool, _ name: String, _ range: String, _ found: Float) throws(RallyError) {
      if !holds { throw RallyError(.invalidArgument, name, expected: range, found: "\(found)") }
    }
    let repetition = penalties.repetition
    try require(repetition.isFinite && repetition > 0, "repetition_penalty", "a finite number above 0", repetition)
    try require(penalties.presence.isFinite, "presence_penalty", "a finite number", penalties.presence)
    try require(penalties.frequency.isFinite, "frequency_penalty", "a finite number", penalties.frequency)
  }

  private func checkLimits(_ info: ModelInfo) throws(RallyError) {
    if let count = maximumTokenCount, count < 1 {
      throw RallyError(.invalidArgument, "max_tokens", expected: "at least 1, or 0 for no limit", found: "\(count)")
    }
    guard timeout >= 0 else {
      throw RallyError(.invalidArgument, "timeout_seconds", expected: "a number that is not below 0", found: "\(timeout)")
    }
    guard 0...Self.topTokenLimit ~= topTokenCount else {
      throw RallyError(
        .invalidArgument, "top_logprobs", expected: "0…\(Self.topTokenLimit)", found: "\(topTokenCount)")
    }
    if !stopStrings.isEmpty {
      guard info.hasTokenizer else {
        throw RallyError(
          .unsupported, "stop_strings", expected: "a model with a tokenizer", found: "none",
          remedy: "use stop tokens")
      }
      if stopStrings.contains("") {
        throw RallyError(.invalidArgument, "stop_strings", expected: "texts of at least one byte", found: "an empty one")
      }
    }
    _ = try info.depthSteering(targetDepth, exit)
    _ = try info.exitPolicy(exit, limit: info.depthLimit(maximumDepth))
    if let exitFrom {
      guard exitFrom >= 0 else {
        throw RallyError(
          .invalidArgument, "exit_from", expected: "at least 0, or -1 for the prompt's length", found: "\(exitFrom)")
      }
      try info.requireExit("exit_from")
    }
  }
}

extension GenerationRequest {
  /// The lowest token that no bias forbids; a request that was checked has one. Not for every step: it looks at all biases.
  func firstAllowedToken(orElse token: Int) -> Int {
    let forbidden = Set(logitBias.filter { $0.bias == -.infinity }.map { Int($0.token) })
    return forbidden.contains(token) ? (0...forbidden.count).first { !forbidden.contains($0) } ?? token : token
  }
}
