import Testing

@testable import Tokenization

/// Tables that every symbol of a text asks, against dictionaries, and reading several bytes at once.
struct TableTests {
  @Test func findsTextsByTheirBytes() {
    var generator = SeededGenerator(state: 7)
    var table = TextTable(count: 3000)
    var plain: [[UInt8]: Int32] = [:]
    func text(_ lengths: ClosedRange<Int>) -> [UInt8] {
      (0..<Int.random(in: lengths, using: &generator)).map { _ in UInt8.random(in: 97...99, using: &generator) }
    }
    for number in 0..<3000 {
      let text = text(1...20)
      #expect(table.insert(text.span, number: Int32(number)) == plain.updateValue(Int32(number), forKey: text))
    }
    for _ in 0..<3000 {
      let text = text(0...20)
      #expect(table.number(of: text.span) == plain[text])
    }
  }

  @Test(arguments: [0, 1, 5000])
  func findsPairs(expected: Int) {
    var generator = SeededGenerator(state: 11)
    var table = PairTable(count: expected)
    var plain: [[Int32]: UInt32] = [:]
    func pair() -> [Int32] { (0..<2).map { _ in Int32.random(in: 0..<100, using: &generator) } }
    for number in 0..<UInt32(5000) {
      let pair = pair()
      #expect(table.insert(pair[0], pair[1], number: number) == (plain[pair] == nil))
      if plain[pair] == nil { plain[pair] = number }
    }
    for _ in 0..<5000 {
      let pair = pair()
      #expect(table.number(pair[0], pair[1]) == plain[pair] ?? PairTable.none)
    }
  }

  @Test func findsScalars() {
    var generator = SeededGenerator(state: 13)
    var table = ScalarIndex()
    var plain: [UInt32: Int32] = [:]
    func scalar() -> UInt32 { UInt32.random(in: 0...0x10FFFF, using: &generator) & (Bool.random(using: &generator) ? 0x1FF : 0x1FFFFF) }
    for number in 0..<Int32(5000) {
      let scalar = min(scalar(), 0x10FFFF)
      table[scalar] = number
      plain[scalar] = number
    }
    for _ in 0..<5000 {
      let scalar = min(scalar(), 0x10FFFF)
      #expect(table[scalar] == plain[scalar] ?? -1)
    }
  }

  @Test func readsBytesAtOnce() {
    let bytes = (0..<40).map { UInt8($0 * 6 + 1) }
    for count in 0...bytes.count {
      let part = bytes.span.extracting(first: count)
      for start in 0..<40 {
        let plain = (0..<8).reduce(UInt64(0)) { $0 | (start + $1 < count ? UInt64(bytes[start + $1]) << UInt64(8 * $1) : 0) }
        #expect(part.bytesToEnd(at: start) == plain)
      }
    }
  }

  @Test(arguments: ["", " ", "a", " a  b ", "abc", "  ", "é ü"])
  func replacesBytes(text: String) {
    for mark in ["", "_", "\u{2581}"] {
      var output = Array("x".utf8)
      output.append(Array(text.utf8).span, replacing: 0x20, by: Array(mark.utf8))
      #expect(output == Array(("x" + text.split(separator: " ", omittingEmptySubsequences: false).joined(separator: mark)).utf8))
    }
  }
}
