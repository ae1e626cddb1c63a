public import Kernels

/// One sequence to be continued.
public struct GenerationRequest: Sendable {
  /// The prompt, at least one token.
  public var tokens: [Int32]
  /// Tokens to generate; nil until the context is full.
  public var maximumTokenCount: Int?
  public var sampling = SamplingParameters()
  public var penalties = Penalties()
  /// Added to the logits of single tokens, after the penalties.
  public var logitBias: [(token: Int32, bias: Float)] = []
  /// Tokens that end the text; they are reported as its last token.
  public var stopTokens: [Int32] = []
  /// Texts that end the text; the token that completes one is reported as the last. The one that is complete first counts; of
  /// several complete at once the longest. They are looked for in the generated text alone, not in the prompt.
  public var stopStrings: [String] = []
  /// Whether the text keeps the stop string that ends it; what follows it in its token is left out either way.
  public var includesStop = false
  /// Whether special tokens are left out of the text.
  public var skipsSpecialTokens = false
  /// The model's end-of-sequence token ends the text too.
  public var stopsAtEndOfSequence = true
  /// Recursions that a token may run; nil for the model's own number.
  public var maximumDepth: Int?
  /// Mean depth that the router is steered to; nil for what it does by itself. See `RunOptions.targetDepth`.
  public var targetDepth: Double?
  /// Of looped models.
  public var exit = ExitOptions()
  /// Index among prompt and text of the first token that may leave a looped model early; nil for the first generated one,
  /// so that prompts run at full depth.
  public var exitFrom: Int?
  /// Most probable tokens to report beside each generated one, at most `Self.topTokenLimit`.
  public var topTokenCount = 0
  /// Higher goes first; equal ones in the order of submission.
  public var priority = 0
  /// A number of the host's that comes back in the request's events.
  public var tag: UInt = 0
  /// Seconds from the submission until the text ends by itself; 0 for never.
  public var timeout = 0.0
  /// Sees and changes the logits before penalties and biases.
  public var logitsProcessor: LogitsProcessor?

  public static let topTokenLimit = 64

  public init(tokens: [Int32]) {
    self.tokens = tokens
    sampling.temperature = 0
  }
}

/// Makes tokens that occurred less likely.
public struct Penalties: Sendable, Equatable {
  /// Divides the positive logits of tokens of the prompt and the text, and multiplies the negative ones; 1 does nothing.
  public var repetition: Float = 1
  /// Subtracted from the logits of tokens that were generated.
  public var presence: Float = 0
  /// The same for every time that they were generated.
  public var frequency: Float = 0

  public init() {}

  var isActive: Bool { repetition != 1 || presence != 0 || frequency != 0 }
}

public enum FinishReason: Sendable {
  /// A stop token or a stop string.
  case stop
  /// As many tokens as were asked for.
  case limit
  /// As many as the model's context, or the engine's cache, holds.
  case contextFull
  case cancelled
  /// The request's own time was up.
  case deadline
}

/// A token and its log-probability under the model, before penalties, temperature and cuts.
public struct TokenProbability: Sendable, Equatable {
  public var token: Int32
  public var logProbability: Float
}

/// One generated token.
public struct TokenEvent: Sendable {
  /// Number of the request.
  public var request: Int
  /// Index among the tokens generated for the request.
  public var index: Int
  /// nil when the sequence was cancelled between two tokens.
  public var token: Int32?
  /// Recursions that the token this one was predicted from ran through.
  public var depth: Int32
  /// Of the token under the model, before penalties, temperature and cuts.
  public var logProbability: Float
  /// The most probable tokens, most probable first, as many as were asked for.
  public var topTokens: [TokenProbability] = []
  /// nil while the sequence goes on.
  public var finishReason: FinishReason?
  /// Which stop string was completed.
  public var stopString: Int?
  /// UTF-8 that became certain with this token: no part of a character, and nothing that may still become a stop string. Empty where
  /// the model has no tokenizer.
  public var textBytes: [UInt8] = []
  /// Bytes of the decoded tokens, from their end, that the text leaves out: the stop string, and what follows it in its token.
  public var cutByteCount = 0

  /// `textBytes`; bytes that are no character become U+FFFD.
  public var text: String { String(decoding: textBytes, as: UTF8.self) }
  /// The request's own.
  public var tag: UInt = 0
}

public enum EventReply: Sendable {
  case goOn, endSequence, endAll
}
