public import Files

/// Decodes tokens one by one into pieces of text that never end within a character.
///
/// Bytes that may still become a character are held back; bytes that certainly will not are passed on.
/// The pieces and what `finish` returns are together what `decode` returns.
public struct StreamDecoder: Sendable {
  private let tokenizer: TextTokenizer
  private let skipsSpecialTokens: Bool
  // The start of a character: at most 3 bytes.
  private var pending: [UInt8] = []
  private var state = StreamState()

  public init(tokenizer: TextTokenizer, skipsSpecialTokens: Bool = true) {
    self.tokenizer = tokenizer
    self.skipsSpecialTokens = skipsSpecialTokens
  }

  /// - Returns: the bytes that are complete by now; often none.
  /// - Throws: `invalidToken` for an id outside the vocabulary; the decoder stays as it was.
  public mutating func push(_ id: Int32) throws(RallyError) -> [UInt8] {
    var bytes: [UInt8] = []
    try push(id, appendingTo: &bytes)
    return bytes
  }

  /// As `push`, without an array of its own: `bytes` grow by those that are complete by now.
  public mutating func push(_ id: Int32, appendingTo bytes: inout [UInt8]) throws(RallyError) {
    try tokenizer.check(id)
    if Int(id) >= tokenizer.tokenCount || (skipsSpecialTokens && tokenizer.isSpecial(id)) { return }
    let start = bytes.count
    bytes += pending
    tokenizer.append(id, &state, to: &bytes)
    let end = start + Self.completeByteCount(of: bytes.span.extracting(start...))
    pending.removeAll(keepingCapacity: true)
    pending += bytes[end...]
    bytes.removeSubrange(end...)
  }

  /// Bytes held back: the beginning of a character, or byte tokens.
  public var pendingByteCount: Int { pending.count + state.pipeline.pendingByteCount }

  /// The bytes still held back: an incomplete character, or byte tokens that no other token has ended. The decoder starts again.
  public mutating func finish() -> [UInt8] {
    var bytes = pending
    tokenizer.finish(&state, to: &bytes)
    pending = []
    return bytes
  }

  /// The length of `bytes` without a character that its end cuts off.
  private static func completeByteCount(of bytes: Span<UInt8>) -> Int {
    // A character of four bytes lacks its last at best.
    for start in max(0, bytes.count - 3)..<bytes.count {
      // Not within a character: its continuation bytes start none, and are invalid by themselves.
      if bytes.symbol(at: start) == .incomplete { return start }
    }
    return bytes.count
  }
}
