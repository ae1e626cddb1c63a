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
  /// nil when the sequence ended between two tokens: cancelled, at its deadline, or with all tokens forbidden.
  public var token: Int32?
  /// Recursions that the token this one was predicted from ran through.
  public var depth: Int32
  /// Of the token under the model, before penalties, temperature and cuts.
  public var logProbability: Float
  /// The most probable tokens, most probable first, as many as were asked for and are not forbidden.
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
