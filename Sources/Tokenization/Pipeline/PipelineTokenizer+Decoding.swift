public import Files

extension PipelineTokenizer {
  /// What tokens stand for.
  ///
  /// - Parameters:
  ///   - tokens: `[T]` ids; none gives no bytes, nor does a model's id after the vocabulary.
  ///   - skipsSpecialTokens: leaves special tokens out.
  /// - Returns: of a byte-level decoder not necessarily UTF-8: a token may be part of a character.
  /// - Throws: `invalidToken` for an id outside the vocabulary and the model's ids, naming its place.
  public func decode(_ tokens: [Int32], skipsSpecialTokens: Bool = false) throws(RallyError) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(tokens.count * 4)
    var state = DecodingState()
    for (index, id) in tokens.enumerated() {
      try check(id, "token \(index)")
      if skipsSpecialTokens, isSpecial(id) { continue }
      append(id, &state, to: &bytes)
    }
    state.finish(pipeline.decoder, to: &bytes)
    return bytes
  }

  /// Appends what has become text with a token of the vocabulary; nothing for an id that no token has.
  func append(_ id: Int32, _ state: inout DecodingState, to output: inout [UInt8]) {
    let text = texts[id].map { $0[...] } ?? entries.text(of: id)
    guard !text.isEmpty else { return }
    if pipeline.decoder == .byteLevel {
      state.append(Self.spelled(text), byte: nil, .byteLevel, to: &output)
    } else {
      state.append(text, byte: bytes[id], pipeline.decoder, to: &output)
    }
  }

  /// The bytes that a token spells in GPT-2's alphabet; as there, its own where a character is none of the alphabet.
  private static func spelled(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var bytes: [UInt8] = []
    for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
      guard let byte = ByteAlphabet.byte(of: scalar) else { return text }
      bytes.append(byte)
    }
    return bytes[...]
  }
}
