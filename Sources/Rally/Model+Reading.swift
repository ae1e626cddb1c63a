public import Files
public import Models
import Tokenization

extension Model {
  /// Encodes a text as a document to be rated: what the reading leaves of its characters, special tokens in it being the
  /// characters that they are written with.
  ///
  /// - Throws: `wrongKind`; `unsupported` without a tokenizer; `invalidArgument`.
  public func encodeDocument(
    _ text: [UInt8], options: DocumentOptions = DocumentOptions()
  ) throws(RallyError) -> [Int32] {
    try require(.rater, for: "encode_document")
    guard let tokenizer else {
      throw RallyError(
        .unsupported, "encode_document", expected: "a model with a tokenizer", found: "none in its file",
        remedy: "convert it again with its tokenizer.json")
    }
    let reading = description.rater?.reading ?? .init()
    let part = options.reading ?? reading.part
    // The file's count belongs to the file's own part.
    let count = options.characterCount ?? (part == reading.part ? reading.characterCount : nil)
    if let given = options.characterCount, given < 1 || part == .windows {
      throw RallyError(
        .invalidArgument, "characters", expected: part == .windows ? "0 where all of a text is read" : "1 or more",
        found: "\(given)")
    }
    let encoding = EncodingOptions(parsesSpecialTokens: options.parsesSpecialTokens)
    guard let count else { return try tokenizer.encode(text, options: encoding) }
    return try tokenizer.encode(Self.read(text, part, count: count), options: encoding)
  }

  /// What is left of a text's characters.
  private static func read(_ text: [UInt8], _ part: DocumentOptions.Reading, count: Int) -> [UInt8] {
    let length = text.reduce(0) { $0 + ($1.beginsScalar ? 1 : 0) }
    let middle = length / 2
    switch part {
    case .windows: return text
    case .first: return text.scalars(0..<min(count, length))
    case .middle:
      return text.scalars(max(0, middle - count)..<(count < length - middle ? middle + count : length))
    case .ends:
      guard count <= length / 2, length > 2 * count else { return text }
      return text.scalars(0..<count) + text.scalars(length - count..<length)
    }
  }
}

extension UInt8 {
  /// Not 10xxxxxx, which continues a character of UTF-8.
  fileprivate var beginsScalar: Bool { self & 0xC0 != 0x80 }
}

extension [UInt8] {
  /// The bytes of a range of Unicode scalars, which lies inside the text.
  fileprivate func scalars(_ range: Range<Int>) -> [UInt8] {
    var number = -1
    var bytes: [UInt8] = []
    for byte in self {
      if byte.beginsScalar { number += 1 }
      if number >= range.upperBound { break }
      if number >= range.lowerBound { bytes.append(byte) }
    }
    return bytes
  }
}
