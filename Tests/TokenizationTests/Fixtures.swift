import Foundation
import Tensors

@testable import Tokenization

/// The tokenizers and expected encodings in `Tests/Fixtures/tokenizers`.
enum Fixtures {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/tokenizers")

  /// The added tokens are the last eight entries, the first three of them special.
  static let addedCount = 8
  static let specialCount = 3

  static func lines(_ name: String) throws -> [String] {
    let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
    // By scalars: a carriage return and a line feed are one Character.
    return text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map { String($0) }
  }

  // Made once: in a debug build a vocabulary takes a while.
  private static let gpt2 = Result { try make(.gpt2, addsPrefixSpace: false) }
  private static let smollm = Result { try make(.smollm, addsPrefixSpace: false) }

  static func tokenizer(
    _ kind: TokenizerConfiguration.PreTokenizer, addsPrefixSpace: Bool = false
  ) throws -> BytePairTokenizer {
    if addsPrefixSpace { return try make(kind, addsPrefixSpace: true) }
    return try (kind == .gpt2 ? gpt2 : smollm).get()
  }

  private static func make(
    _ kind: TokenizerConfiguration.PreTokenizer, addsPrefixSpace: Bool
  ) throws -> BytePairTokenizer {
    let vocabulary = try lines("\(kind.rawValue).vocabulary.txt")
    let added = (vocabulary.count - addedCount..<vocabulary.count).map { Int32($0) }
    let configuration = TokenizerConfiguration(
      preTokenizer: kind, addsPrefixSpace: addsPrefixSpace,
      roles: TokenRoles(addedTokens: added, specialTokens: Array(added.prefix(specialCount))))
    return try BytePairTokenizer(
      vocabulary: vocabulary, merges: lines("\(kind.rawValue).merges.txt"), configuration: configuration)
  }

  struct Case {
    var findsSpecialTokens: Bool
    var addsPrefixSpace: Bool
    var text: [UInt8]
    var tokens: [Int32]
  }

  static func cases(_ kind: TokenizerConfiguration.PreTokenizer) throws -> [Case] {
    try lines("\(kind.rawValue).cases.txt").map { line in
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
      return Case(
        findsSpecialTokens: fields[0] == "p", addsPrefixSpace: fields[0] == "s", text: bytes(fields[1]),
        tokens: fields[2].split(separator: " ").compactMap { Int32($0) })
    }
  }
}

extension Fixtures {
  /// Hexadecimal digits; `-` is none.
  static func bytes(_ text: Substring) -> [UInt8] {
    let digits = Array(text.utf8)
    return stride(from: 0, to: digits.count - 1, by: 2).compactMap {
      UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
    }
  }

  /// The special tokens are the first five entries, the other added tokens the last three.
  static func wordPiece(_ settings: Substring) throws -> WordPieceTokenizer {
    let vocabulary = try lines("bert.vocabulary.txt")
    let count = Int32(vocabulary.count)
    return try WordPieceTokenizer(
      vocabulary: vocabulary,
      rules: WordPieceRules(
        cleansText: settings.contains("c"), separatesIdeographs: settings.contains("i"),
        stripsAccents: settings.contains("a"), lowercases: settings.contains("l"), unknownToken: 1),
      roles: TokenRoles(
        addedTokens: Array(0..<5) + Array(count - 3..<count), specialTokens: Array(0..<5), beginningOfSequence: 2,
        endOfSequence: 3))
  }
}

/// A vocabulary of the 256 bytes, then `entries`.
func byteVocabulary(_ entries: [String] = []) -> [String] {
  (UInt8.min...UInt8.max).map { ByteAlphabet.text(of: [$0]) } + entries
}

/// Random bytes, a good part of them UTF-8, of characters of every length.
func randomText(byteCount: Int, using generator: inout some RandomNumberGenerator) -> [UInt8] {
  let characters: [[UInt8]] = ["a", " ", "\n", "7", "'s", "é", "я", "中", "\u{2028}", "\u{301}", "😀", "<|im_end|>"].map { Array($0.utf8) }
  var text: [UInt8] = []
  while text.count < byteCount {
    if Bool.random(using: &generator) {
      text.append(UInt8.random(in: 0...255, using: &generator))
    } else {
      text += characters.randomElement(using: &generator) ?? []
    }
  }
  return text
}

/// What `body` gives, and the thread's processor time that it took: a busy machine fails no test.
func timed<Result>(_ body: () throws -> Result) rethrows -> (result: Result, seconds: Double) {
  func now() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
  let start = now()
  return (try body(), now() - start)
}

/// SplitMix64: a failure is repeated from its seed.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
    return word ^ word >> 31
  }
}
