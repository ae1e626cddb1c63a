import Testing

@testable import Tokenization

/// Laws that hold for any bytes.
struct LosslessTests {
  @Test(arguments: UInt64(1)...20)
  func roundTripsAnyBytes(seed: UInt64) throws {
    var generator = SeededGenerator(state: seed)
    let tokenizer = try Fixtures.tokenizer(.gpt2)
    #expect(tokenizer.missingBytes.isEmpty)
    for byteCount in 0..<60 {
      let text = randomText(byteCount: byteCount, using: &generator)
      for finds in [false, true] {
        let tokens = try tokenizer.encode(text, options: EncodingOptions(parsesSpecialTokens: finds))
        #expect(try tokenizer.decode(tokens) == text)
      }
    }
  }

  @Test func losesOnlyMissingBytes() throws {
    let tokenizer = try Fixtures.tokenizer(.smollm)
    #expect(tokenizer.missingBytes.contains(0xFF))
    let text = Array(UInt8.min...UInt8.max)
    #expect(try tokenizer.decode(tokenizer.encode(text)) == text.filter { !tokenizer.missingBytes.contains($0) })
    // The neighbours of a missing byte meet, and merge.
    let vocabulary = byteVocabulary().map { $0 == "b" ? "ac" : $0 }
    let without = try BytePairTokenizer(
      vocabulary: vocabulary, merges: ["a c"], configuration: TokenizerConfiguration(preTokenizer: .gpt2))
    #expect(without.missingBytes == [UInt8(ascii: "b")])
    #expect(try without.encode("abc") == [Int32(UInt8(ascii: "b"))])
  }

  @Test(arguments: UInt64(1)...20)
  func streamsWholeCharacters(seed: UInt64) throws {
    var generator = SeededGenerator(state: seed)
    let tokenizer = try Fixtures.tokenizer(.gpt2)
    let text = randomText(byteCount: 400, using: &generator)
    let inside = placesWithinCharacters(of: text)
    var decoder = StreamDecoder(tokenizer: .bytePair(tokenizer), skipsSpecialTokens: false)
    var whole: [UInt8] = []
    for byte in text {
      // One byte a token: the hardest stream there is.
      whole += try decoder.push(#require(tokenizer.id(of: [byte])))
      #expect(!inside.contains(whole.count))
    }
    let rest = decoder.finish()
    #expect(rest.count < 4)
    #expect(whole + rest == text)
    #expect(decoder.finish().isEmpty)
  }

  @Test func streamHoldsBackNoMoreThanNeeded() throws {
    let tokenizer = try Fixtures.tokenizer(.gpt2)
    var decoder = StreamDecoder(tokenizer: .bytePair(tokenizer))
    func push(_ byte: UInt8) throws -> [UInt8] { try decoder.push(#require(tokenizer.id(of: [byte]))) }
    #expect(try push(0xF0) == [])
    #expect(try push(0x9F) == [])
    #expect(try push(0x98) == [])
    #expect(try push(0x80) == [0xF0, 0x9F, 0x98, 0x80])
    #expect(try push(0xE0) == [])
    #expect(try push(0x80) == [0xE0, 0x80], "an overlong form is no character")
    #expect(try push(0xC3) == [])
    #expect(try push(0x41) == [0xC3, 0x41])
    #expect(try push(0xC3) == [])
    #expect(try decoder.push(tokenizer.configuration.roles.specialTokens[0]) == [])
    #expect(try push(0xA9) == [0xC3, 0xA9])
    #expect(throws: (any Error).self) { try decoder.push(-1) }
  }

  private func placesWithinCharacters(of text: [UInt8]) -> Set<Int> {
    var places: Set<Int> = []
    var position = 0
    while position < text.count {
      var byteCount = 1
      if case .scalar(_, let count) = text.span.symbol(at: position) { byteCount = count }
      places.formUnion(position + 1..<position + byteCount)
      position += byteCount
    }
    return places
  }
}
