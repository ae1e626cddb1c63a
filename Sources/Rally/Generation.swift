public import Kernels

/// One sequence to be continued.
public struct GenerationRequest: Sendable {
  /// The prompt, at least one token.
  public var tokens: [Int32]
  /// Tokens to generate; nil until the context is full.
  public var maximumTokenCount: Int?
  public var sampling = SamplingParameters()
  /// Tokens that end the text; they are reported as its last token.
  public var stopTokens: [Int32] = []
  /// The model's end-of-sequence token ends the text too.
  public var stopsAtEndOfSequence = true
  /// Recursions that a token may run; nil for the model's own number.
  public var maximumDepth: Int?

  public init(tokens: [Int32]) {
    self.tokens = tokens
    sampling.temperature = 0
  }
}

public enum FinishReason: Sendable {
  /// A stop token.
  case stop
  /// As many tokens as were asked for.
  case limit
  /// As many as the model's context holds.
  case contextFull
  case cancelled
}

/// One generated token.
public struct TokenEvent: Sendable {
  /// Index of the request.
  public var request: Int
  /// Index among the tokens generated for the request.
  public var index: Int
  /// nil when the sequence was cancelled between two tokens.
  public var token: Int32?
  /// Recursions that the token this one was predicted from ran through.
  public var depth: Int32
  /// Of the token under the model, before temperature and cuts.
  public var logProbability: Float
  /// nil while the sequence goes on.
  public var finishReason: FinishReason?
}

public enum EventReply: Sendable {
  case goOn, endSequence, endAll
}
