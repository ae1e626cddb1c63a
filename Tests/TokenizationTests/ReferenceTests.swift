import Testing

@testable import Tokenization

/// Equality with the Hugging Face `tokenizers` library, as recorded in the fixtures.
struct ReferenceTests {
  @Test(arguments: TokenizerConfiguration.PreTokenizer.allCases)
  func encodesAsRecorded(kind: TokenizerConfiguration.PreTokenizer) throws {
    let plain = try Fixtures.tokenizer(kind)
    let prefixed = try Fixtures.tokenizer(kind, addsPrefixSpace: true)
    let cases = try Fixtures.cases(kind)
    #expect(cases.count > 900)
    for one in cases {
      let tokenizer = one.addsPrefixSpace ? prefixed : plain
      let tokens = try tokenizer.encode(
        one.text, options: EncodingOptions(parsesSpecialTokens: one.findsSpecialTokens))
      #expect(tokens == one.tokens, "\(String(decoding: one.text, as: UTF8.self).debugDescription)")
      if !one.addsPrefixSpace {
        #expect(try tokenizer.decode(tokens) == one.text.filter { !tokenizer.missingBytes.contains($0) })
      }
    }
  }

  @Test(arguments: TokenizerConfiguration.PreTokenizer.allCases)
  func givesBackWhatTheFileStores(kind: TokenizerConfiguration.PreTokenizer) throws {
    let tokenizer = try Fixtures.tokenizer(kind)
    #expect(try tokenizer.vocabulary == Fixtures.lines("\(kind.rawValue).vocabulary.txt"))
    #expect(try tokenizer.merges == Fixtures.lines("\(kind.rawValue).merges.txt"))
  }

  /// Shows every scalar to the splitters, as the fixture's script showed it to the reference.
  @Test func classifiesEveryScalar() throws {
    let expression = WordSplitter(isolatesDigits: false)
    let digits = WordSplitter(isolatesDigits: true)
    var found: [String] = []
    var previous = -1
    for value in UInt32(0)..<0x110000 {
      var bits = 0
      if let scalar = Unicode.Scalar(value) {
        bits = classBits(of: scalar, expression: expression, digits: digits)
      }
      if bits != previous { found.append("\(String(value, radix: 16, uppercase: true)) \(bits)") }
      previous = bits
    }
    #expect(try found == Fixtures.lines("classes.txt"))
  }

  private func classBits(of scalar: Unicode.Scalar, expression: WordSplitter, digits: WordSplitter) -> Int {
    var text: [UInt8] = [0]
    text.append(contentsOf: String(scalar).utf8)
    func joins(_ neighbour: Unicode.Scalar) -> Bool {
      text[0] = UInt8(ascii: neighbour)
      return expression.wordEnd(in: text.span, from: 0) == text.count
    }
    let kind = joins("a") ? 1 : joins("1") ? 2 : joins("#") ? 0 : 3
    return digits.pieceEnd(in: text.span, from: 0) == 1 ? kind + 4 : kind
  }
}
