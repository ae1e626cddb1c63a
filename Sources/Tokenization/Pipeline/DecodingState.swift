/// A text that is being decoded, token by token.
struct DecodingState: Sendable {
  private var isFirst = true
  /// A run of byte tokens that may still become text.
  private var bytes: [UInt8] = []
  private var strippedCount: Int?  // nil: what is stripped has ended
  private var matcher = ExpressionMatcher()

  init() { strippedCount = 0 }

  mutating func passBeginning() {
    isFirst = false
    strippedCount = nil
  }

  /// Of byte tokens that are held back.
  var pendingByteCount: Int { bytes.count }

  /// Appends what has become text with a token.
  ///
  /// - Parameter byte: what the token stands for, if it is one of the 256 bytes.
  mutating func append(_ text: ArraySlice<UInt8>, byte: UInt8?, _ decoder: TokenDecoder, to output: inout [UInt8]) {
    switch decoder {
    case .spaced:
      if !isFirst { output.append(0x20) }
      output += text
    case .byteLevel: output += text
    case .chain(let chain):
      if chain.joinsBytes, let byte {
        bytes.append(byte)
      } else {
        flush(chain, to: &output)
        var token = Array(text)
        for step in chain.steps { step.apply(to: &token, isFirst: isFirst, &matcher) }
        emit(token, chain, to: &output)
      }
    }
    isFirst = false
  }

  /// Appends what is held back, and starts again.
  mutating func finish(_ decoder: TokenDecoder, to output: inout [UInt8]) {
    if case .chain(let chain) = decoder { flush(chain, to: &output) }
    self = DecodingState()
  }

  private mutating func flush(_ chain: DecoderChain, to output: inout [UInt8]) {
    guard !bytes.isEmpty else { return }
    var text = bytes
    if String(validating: bytes, as: UTF8.self) == nil { text = bytes.flatMap { _ in [0xEF, 0xBF, 0xBD] } }
    bytes = []
    emit(text, chain, to: &output)
  }

  private mutating func emit(_ text: [UInt8], _ chain: DecoderChain, to output: inout [UInt8]) {
    guard let strip = chain.strips, let count = strippedCount else {
      output += text
      return
    }
    let mark = Array(String(strip.content).utf8)
    var start = 0
    var found = count
    while found < strip.start, text.span.holds(mark, at: start) {
      start += mark.count
      found += 1
    }
    // Something else ends it; so does the last that may go.
    strippedCount = start == text.count && found < strip.start ? found : nil
    output += text[start...]
  }
}
