/// What was generated for a request.
public struct Generation: Sendable, Equatable {
  public private(set) var tokens: [Int32] = []
  /// Recursions of the tokens that each was predicted from.
  public private(set) var depths: [Int32] = []
  /// Of each token under the model, before penalties, temperature and cuts.
  public private(set) var logProbabilities: [Float] = []
  /// UTF-8; without the stop string that ended it, unless the request includes it.
  public private(set) var textBytes: [UInt8] = []
  /// nil while the sequence goes on.
  public private(set) var finishReason: FinishReason?

  public init() {}

  /// `textBytes`; bytes that are no character become U+FFFD.
  public var text: String { String(decoding: textBytes, as: UTF8.self) }

  /// Takes in the next event of the request.
  public mutating func append(_ event: TokenEvent) {
    if let token = event.token {
      tokens.append(token)
      depths.append(event.depth)
      logProbabilities.append(event.logProbability)
    }
    textBytes += event.textBytes
    finishReason = event.finishReason
  }
}
