import Files
import Tokenization

extension TensorTable {
  /// The tensors that only a tokenizer of steps has.
  mutating func readPipeline(
    _ model: PieceModelRules, _ content: TokenizerContent, from onnx: borrowing OnnxModel, external: inout ExternalData
  ) throws(RallyError) -> TokenizerContent.Pipeline {
    var pipeline = TokenizerContent.Pipeline(addedFlags: [], merges: [], scores: [], charsmaps: [])
    let flags = try numbers("tokenizer.added_flags", extents: [content.addedTokens.count], in: onnx, external: &external)
    for flag in flags {
      guard AddedTokenFlags.all.rawValue & flag == flag else {
        throw RallyError(
          .invalidTokenizer, "tokenizer.added_flags", expected: "numbers from 0 to \(AddedTokenFlags.all.rawValue)", found: "\(flag)")
      }
      pipeline.addedFlags.append(AddedTokenFlags(rawValue: flag))
    }
    switch model {
    case .bytePair: pipeline.merges = try merges(below: content.vocabulary.count, in: onnx, external: &external)
    case .unigram: pipeline.scores = try scores(content.vocabulary.count, in: onnx)
    case .wordPiece: break
    }
    if contains("tokenizer.precompiled_charsmap") {
      for text in try texts("tokenizer.precompiled_charsmap", in: onnx) { pipeline.charsmaps.append(try charsmap(text)) }
    }
    return pipeline
  }

  private mutating func numbers(
    _ name: String, extents: [Int?], in onnx: borrowing OnnxModel, external: inout ExternalData
  ) throws(RallyError) -> [Int64] {
    try entry(name, extents: extents, types: [.int64], in: onnx, external: &external).integers()
  }

  private mutating func merges(
    below count: Int, in onnx: borrowing OnnxModel, external: inout ExternalData
  ) throws(RallyError) -> [PipelineTokenizer.PiecePair] {
    let name = "tokenizer.merge_pairs"
    let numbers = try numbers(name, extents: [nil, 2], in: onnx, external: &external)
    guard numbers.count / 2 <= maximumTokenizerEntryCount else {
      throw RallyError(
        .limitExceeded, name.quoted, expected: "at most \(maximumTokenizerEntryCount) merges", found: "\(numbers.count / 2)")
    }
    var merges: [PipelineTokenizer.PiecePair] = []
    merges.reserveCapacity(numbers.count / 2)
    for place in stride(from: 0, to: numbers.count, by: 2) {
      guard let left = Int32(exactly: numbers[place]), let right = Int32(exactly: numbers[place + 1]),
        (0..<count).contains(Int(left)), (0..<count).contains(Int(right))
      else {
        throw RallyError(
          .invalidTokenizer, "merge \(place / 2)", expected: "ids below \(count), the vocabulary's entries",
          found: "\(numbers[place]) and \(numbers[place + 1])")
      }
      merges.append(PipelineTokenizer.PiecePair(left: left, right: right))
    }
    return merges
  }

  /// Decimal numbers as text: they are f64, and sums of them are compared.
  private mutating func scores(_ count: Int, in onnx: borrowing OnnxModel) throws(RallyError) -> [Double] {
    let name = "tokenizer.scores"
    let texts = try texts(name, in: onnx)
    guard texts.count == count else {
      throw RallyError(.invalidShape, name.quoted, expected: "[\(count)]", found: "[\(texts.count)]")
    }
    var scores: [Double] = []
    scores.reserveCapacity(count)
    for text in texts {
      guard let score = MetadataReader.decimal(text) else {
        throw RallyError(.notFinite, name.quoted, expected: "decimal numbers", found: text.quoted)
      }
      scores.append(score)
    }
    return scores
  }

  private func charsmap(_ text: String) throws(RallyError) -> Charsmap {
    guard let bytes = Base64.decoded(text) else {
      throw RallyError(.invalidTokenizer, "tokenizer.precompiled_charsmap", expected: "base64", found: "other characters")
    }
    return try Charsmap(bytes)
  }
}

/// RFC 4648, section 4.
private enum Base64 {
  /// nil for text that is none.
  static func decoded(_ text: String) -> [UInt8]? {
    let digits = text.utf8.reversed().drop { $0 == UInt8(ascii: "=") }.reversed()
    guard digits.count % 4 != 1 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 4 * 3 + 2)
    var bits: UInt32 = 0
    var bitCount: UInt32 = 0
    for digit in digits {
      guard let value = value(of: digit) else { return nil }
      bits = bits << 6 & 0xFFFF | value
      bitCount += 6
      if bitCount >= 8 {
        bitCount -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> bitCount))
      }
    }
    return bytes
  }

  private static func value(of digit: UInt8) -> UInt32? {
    switch digit {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(digit) - 65
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(digit) - 71
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(digit) + 4
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}
