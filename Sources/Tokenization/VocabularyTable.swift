import Files

/// The bytes of every token, and the token of given bytes.
struct VocabularyTable: Sendable {
  /// The longest entry that is read. The longest in use are runs of a few hundred equal characters;
  /// the limit bounds what one id can decode to.
  static let maximumByteCount = 4096
  /// The longest added token. Real ones have some thirty bytes; the limit bounds the search for them.
  static let maximumAddedByteCount = 256

  private let spelling: Spelling
  private var bytes: [UInt8] = []
  private var ends: [Int] = []  // [V] of each token's bytes in `bytes`
  private(set) var kinds: [Kind] = []  // [V]
  // By its bytes: entries that merges can reach, and added tokens that they cannot.
  private var written: [ArraySlice<UInt8>: Int32] = [:]
  private var literal: [ArraySlice<UInt8>: Int32] = [:]

  enum Kind: Sendable { case ordinary, added, special }

  /// How a file writes what ordinary entries stand for; added tokens are always text.
  enum Spelling: Sendable { case byteAlphabet, text }

  var count: Int { ends.count }

  /// The bytes of all entries.
  var byteCount: Int { bytes.count }

  /// - Throws: `invalidTokenizer`, naming the entry: empty, too long, a character outside the byte
  ///   alphabet, or one that stands twice.
  init(_ entries: [String], spelling: Spelling, roles: TokenRoles) throws(RallyError) {
    self.spelling = spelling
    guard !entries.isEmpty, entries.count <= Int32.max else {
      throw RallyError(
        .invalidTokenizer, "vocabulary", expected: "1 to \(Int32.max) entries", found: "\(entries.count)")
    }
    try roles.validate(tokenCount: entries.count)
    kinds = Array(repeating: .ordinary, count: entries.count)
    for id in roles.addedTokens { kinds[Int(id)] = .added }
    for id in roles.specialTokens { kinds[Int(id)] = .special }
    ends.reserveCapacity(entries.count)
    written.reserveCapacity(entries.count)
    for (id, entry) in entries.enumerated() { try append(entry, id: Int32(id)) }
  }

  private mutating func append(_ entry: String, id: Int32) throws(RallyError) {
    let isOrdinary = kinds[Int(id)] == .ordinary
    let limit = isOrdinary ? Self.maximumByteCount : Self.maximumAddedByteCount
    // Two bytes spell one byte of an ordinary entry at most.
    guard !entry.isEmpty, entry.utf8.count <= 2 * limit else { throw Self.wrongLength(entry.utf8.count, id, limit) }
    let token: [UInt8]
    let isMergeable: Bool
    if isOrdinary, spelling == .byteAlphabet {
      token = try Self.bytes(of: entry, id: id)
      isMergeable = true
    } else {
      token = Array(entry.utf8)
      // Printable ASCII is spelled alike as text and in the byte alphabet.
      isMergeable = spelling == .text || token.allSatisfy { (0x21...0x7E).contains($0) }
    }
    guard token.count <= limit else { throw Self.wrongLength(token.count, id, limit) }
    bytes += token
    ends.append(bytes.count)
    let earlier =
      isMergeable
      ? written.updateValue(id, forKey: token[...]) : literal.updateValue(id, forKey: token[...])
    if let earlier {
      throw RallyError(
        .invalidTokenizer, "vocabulary entry \(id) \(quoted(entry))", expected: "each entry once",
        found: "it at \(earlier) too")
    }
  }

  /// What an entry in the byte alphabet stands for.
  private static func bytes(of entry: String, id: Int32) throws(RallyError) -> [UInt8] {
    var bytes: [UInt8] = []
    for scalar in entry.unicodeScalars {
      guard let byte = ByteAlphabet.byte(of: scalar) else {
        throw RallyError(
          .invalidTokenizer, "vocabulary entry \(id) \(quoted(entry))",
          expected: "characters of the byte alphabet",
          found: "U+\(String(scalar.value, radix: 16, uppercase: true))",
          remedy: "list it as an added token if it is literal text")
      }
      bytes.append(byte)
    }
    return bytes
  }

  private static func wrongLength(_ byteCount: Int, _ id: Int32, _ limit: Int) -> RallyError {
    RallyError(
      .invalidTokenizer, "vocabulary entry \(id)", expected: "1 to \(limit) bytes", found: "\(byteCount)")
  }
}

extension VocabularyTable {
  /// The bytes of a token; none after the vocabulary. `id` must not be negative.
  func bytes(of id: Int32) -> ArraySlice<UInt8> {
    guard Int(id) < count else { return [] }
    return bytes[(id == 0 ? 0 : ends[Int(id) - 1])..<ends[Int(id)]]
  }

  /// The entry that merges can reach with these bytes.
  func mergeable(_ bytes: ArraySlice<UInt8>) -> Int32? { written[bytes] }

  /// The entry with these bytes; the one that merges can reach, when an added token has them too.
  func id(of bytes: ArraySlice<UInt8>) -> Int32? { written[bytes] ?? literal[bytes] }

  /// The entry as the file spells it.
  func entry(_ id: Int32) -> String {
    let bytes = bytes(of: id)
    let isSpelled = kinds[Int(id)] == .ordinary && spelling == .byteAlphabet
    return isSpelled ? ByteAlphabet.text(of: bytes) : String(decoding: bytes, as: UTF8.self)
  }

  /// The tokens of a kind, ascending.
  func ids(of kind: Kind) -> [Int32] {
    kinds.indices.filter { kinds[$0] == kind }.map { Int32($0) }
  }
}

/// At most 40 characters of what a file says, for an error message of one line.
func quoted(_ text: String) -> String {
  let start = text.unicodeScalars.prefix(40)
  let printable = start.map { $0.value < 0x20 || $0.value == 0x7F ? "\u{FFFD}" : Character($0) }
  return "\"\(String(printable))\(start.endIndex == text.unicodeScalars.endIndex ? "" : "…")\""
}
