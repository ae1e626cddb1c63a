import Tokenization

/// The text of one sequence, piece by piece: each token adds what is certain by then.
///
/// Held back are the beginning of a character, and whatever may still become a stop string.
struct GeneratedText {
  /// Bytes of nearly all tokens, so that a piece allocates nothing.
  private static let usualByteCount = 256

  /// What became certain with the last token.
  private(set) var piece: [UInt8] = []
  /// Bytes of the decoded tokens, from their end, that are not in the text: a stop string, and what follows it in its token.
  private(set) var cutByteCount = 0
  private var decoder: StreamDecoder
  private var matcher: StopMatcher?
  private let includesStop: Bool
  private var held: [UInt8] = []

  init(_ request: GenerationRequest, tokenizer: TextTokenizer) {
    decoder = StreamDecoder(tokenizer: tokenizer, skipsSpecialTokens: request.skipsSpecialTokens)
    matcher = request.stopStrings.isEmpty ? nil : StopMatcher(request.stopStrings)
    includesStop = request.includesStop
    piece.reserveCapacity(Self.usualByteCount)
    held.reserveCapacity(Self.usualByteCount)
  }

  /// Sets `piece` to what becomes certain with this token.
  /// - Returns: the stop string that it completes, if any.
  mutating func push(_ token: Int32) -> Int? {
    piece.removeAll(keepingCapacity: true)
    let start = held.count
    // Every id comes from the model's own vocabulary.
    try? decoder.push(token, appendingTo: &held)
    for index in start..<held.count {
      guard let found = matcher?.push(held[index]) else { continue }
      end(with: found, at: index + 1)
      return found
    }
    release(held.count - (matcher?.heldByteCount ?? 0))
    return nil
  }

  /// Adds what was held back to `piece`: no token follows.
  mutating func finish() {
    release(held.count)
    piece += decoder.finish()
  }

  /// As `finish`, where no token came with the end.
  mutating func finishAlone() {
    piece.removeAll(keepingCapacity: true)
    finish()
  }

  /// Takes in a token whose text was given out before.
  mutating func replay(_ token: Int32) {
    guard push(token) != nil else { return }
    // It did not end the text then.
    cutByteCount = 0
    matcher?.reset()
  }

  private mutating func end(with stop: Int, at end: Int) {
    let stopByteCount = matcher?.byteCount(of: stop) ?? 0
    let kept = includesStop ? end : end - stopByteCount
    cutByteCount = held.count - kept + decoder.pendingByteCount
    release(kept)
    held.removeAll(keepingCapacity: true)
    _ = decoder.finish()
  }

  private mutating func release(_ count: Int) {
    piece += held[..<count]
    held.removeFirst(count)
  }
}
