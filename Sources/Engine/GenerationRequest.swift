public import Files
public import Kernels
public import Models
import Tokenization

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
  /// Most probable tokens to report alongside each generated one, at most `Self.topTokenLimit`.
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

  /// Continues a text.
  /// - Throws: `unsupported` for a model without a tokenizer; what its tokenizer throws.
  public init(_ prompt: String, for model: Model) throws(RallyError) {
    guard let tokenizer = model.tokenizer else {
      throw RallyError(
        .unsupported, "prompt", expected: "a model with a tokenizer", found: "none in its file",
        remedy: "give tokens, or convert it again with its tokenizer.json")
    }
    self.init(tokens: try tokenizer.encode(prompt))
  }
}
