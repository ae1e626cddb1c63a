import JSON
import Testing

@Suite struct JSONScannerTests {
  private let line = #"{"a": [1, -2.5e3, true, null], "b": {"c": "\u00e9\ud83d\ude00\n"}, "é": ""}"#

  @Test func membersAreKeptAsWritten() throws {
    let object = try JSONObject(Array(line.utf8))
    #expect(object.members.map(\.key) == ["a", "b", "é"])
    #expect(object["a"].map { Array($0) } == Array("[1, -2.5e3, true, null]".utf8))
    #expect(JSONValue.object(object.members).text == Array(line.utf8))
  }

  @Test func stringsAreUnescaped() throws {
    var scanner = JSONScanner(Array(#""\u00e9\ud83d\ude00\n\ud800""#.utf8))
    #expect(String(decoding: try scanner.string(), as: UTF8.self) == "é😀\n\u{FFFD}")
  }

  @Test(arguments: ["01", "-", "1.", "1e", "tru", "[1", "[1,]", "{\"a\" 1}", "{\"a\":1,}", "\"\u{1}\"", "\"\\x\"", "\"\\u12\""])
  func whatIsNoJSONIsRefused(text: String) {
    var scanner = JSONScanner(Array(text.utf8))
    #expect(throws: JSONError.self) {
      try scanner.skipValue()
      guard scanner.next == nil else { throw scanner.unexpected("the end") }
    }
  }

  @Test func depthIsLimited() {
    var scanner = JSONScanner([UInt8](repeating: UInt8(ascii: "["), count: 100_000))
    #expect(throws: JSONError.self) { try scanner.skipValue() }
  }

  /// Whatever the bytes are, an answer comes and nothing traps.
  @Test func mutantsAreAnswered() {
    var state: UInt64 = 1
    func next() -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33)
    }
    let pieces = ["{", "}", "[", "]", "\"", "\\", "\\u", ":", ",", "9", "-", "e", "t", "\u{FF}"].map { Array($0.utf8) }
    for _ in 0..<20_000 {
      var bytes = Array(line.utf8)
      for _ in 0...next() % 4 {
        let place = next() % (bytes.count + 1)
        switch next() % 3 {
        case 0: bytes.insert(contentsOf: pieces[next() % pieces.count], at: place)
        case 1: bytes.removeSubrange(place...)
        default: if place < bytes.count { bytes[place] = UInt8(truncatingIfNeeded: next()) }
        }
      }
      _ = try? JSONObject(bytes)
      var scanner = JSONScanner(bytes)
      _ = try? scanner.integer()
    }
  }
}
