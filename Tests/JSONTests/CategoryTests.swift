import JSON
import Testing

/// Texts of our own in the categories of the public suites for JSON readers: what must be read, what must be refused, and what a
/// reader may answer as it likes, but has to answer; each of arrays, numbers, objects, strings and the structure of a text.
@Suite struct CategoryTests {
  private static func inQuotes(_ bytes: [UInt8]) -> [UInt8] { [0x5B, 0x22] + bytes + [0x22, 0x5D] }
  private static func isRead(_ text: [UInt8]) -> Bool { (try? JSONNode(text)) != nil }

  @Test(arguments: [
    // Arrays.
    "[]", "[[]]", "[[],[[]]]", "[ ]", "[null, 1, \"1\", {}]", "[1\n]", " [1]", "[2] ", "[\"\"]", "[false,true]",
    // Numbers.
    "[0]", "[-0]", "[-1]", "[123]", "[0.5]", "[-123.25]", "[1e5]", "[1E5]", "[1e+5]", "[1E-5]", "[0e1]", "[0e+1]", "[1.5e10]", "[20e1]",
    "[-0.0]", "[0.0000000000000000000000000000000000000000000000000000000000000000000000000000001]",
    // Objects.
    "{}", "{\"a\":1}", "{\"a\":1,\"b\":2}", "{\"\":0}", "{\"a\":[]}", "{\"a\":{\"a\":{}}}", "{\"a\":1,\"a\":2}", "{\"a\\u0000b\":1}",
    "{\n\"a\": \"b\"\n}", "{\"x\":[{\"id\": \"y\"}], \"id\": \"z\"}",
    // Strings.
    "[\"a\"]", "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", "[\"\\u0060\\u012a\\u12AB\"]", "[\"\\uD801\\udc37\"]",
    "[\"\\ud83d\\ude39\\ud83d\\udc8d\"]",
    "[\"a/*b*/c//d\"]", "[\"\\\\n\"]", "[\"\\u0000\"]", "[\"\\uFFFF\"]", "[\"\u{7F}\"]", "[\"é€😀\u{2028}\u{2029}\u{FEFF}\"]", "[\" \"]",
    "\"\"",
    "[\"\\u0022\"]", "[\"new\\u000Aline\"]",
    // Structure.
    "null", "true", "false", "42", "-0.1", "\"a\"", "\t[1]\r\n", "  null  ",
  ])
  func isRead(text: String) {
    #expect(Self.isRead(Array(text.utf8)), "\(text)")
  }

  @Test(arguments: [
    // Arrays.
    "[", "]", "[1", "[1,", "[,1]", "[1,]", "[1,,2]", "[,]", "[1 2]", "[1:2]", "[\"a\",\n4\n,1,", "[]]", "[3[4]]", "[1}", "[\"a\" \"b\"]",
    "[*]",
    "[x", "[-]", "[1,\n1\n,1",
    // Numbers.
    "[01]", "[-01]", "[+1]", "[++1]", "[.5]", "[-.5]", "[1.]", "[-2.]", "[1.e3]", "[0.e1]", "[1e]", "[1e+]", "[1eE2]", "[1.0e-]", "[0x1]",
    "[1 000]", "[1+2]", "[-foo]", "[- 1]", "[NaN]", "[Infinity]", "[-Infinity]", "[inf]", "[1a]", "[1.5.5]", "[0.1.2]", "[--1]", "[１]",
    "[1e1.5]", "[1ea]", "[-1x]",
    // Objects.
    "{", "}", "{,}", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{\"a\" 1}", "{\"a\"::1}", "{a:1}", "{'a':1}", "{1:1}",
    "{null:1}",
    "{\"a\":1,,\"b\":2}", "{\"a\":1 \"b\":2}", "{\"a\",\"b\"}", "{[]:1}", "{\"a\":1}}", "{\"a\":\"a\" 123}", "{\"a\":1}//", "{\"a\":/**/1}",
    "{\"a\":1}#",
    "{\"a\":b}", "{{}}", "{\"x\", null}", "{\"id\":0,,,,,}",
    // Strings.
    "[\"a]", "\"", "[\"\\\"]", "[\"\\x00\"]", "[\"\\u00\"]", "[\"\\u00G0\"]", "[\"\\uD8\"]", "[\"\\a\"]", "[\"\\'\"]", "[\"\\ \"]", "['a']",
    "[\\n]",
    "[\"a\nb\"]", "[\"a\tb\"]", "[\"\u{0}\"]", "[\"\u{1F}\"]", "[\"\\", "[\"\\u\"]", "[\"\\u1\"]", "[\"a\"b]", "[\"\\🌀\"]", "abc", "[“a”]",
    "[\"\\U0041\"]",
    // Structure.
    "", " ", "nul", "nulll", "tru", "True", "TRUE", "fals", "[nul]", "1 2", "[] []", "{} x", "[1]x", "[undefined]", "<null>", "<.>", "//",
    "/**/1",
    "1,", "[\u{C}]", "[\u{A0}1]", "[\u{2060}]", "\u{FEFF}[]", "[True]", "null,", "{\"a\":true}x", "[⍂]",
  ])
  func isRefused(text: String) {
    #expect(!Self.isRead(Array(text.utf8)), "\(text)")
  }

  @Test(arguments: [
    inQuotes([0xFF]), inQuotes([0xC0, 0xAF]), inQuotes([0xE0, 0xFF]), inQuotes([0xED, 0xA0, 0x80]), inQuotes([0xF4, 0xBF, 0xBF, 0xBF]),
    inQuotes([0x80]), inQuotes([0xFC, 0x83, 0xBF, 0xBF, 0xBF, 0xBF]), [0xFF, 0xFE, 0x5B, 0x00, 0x5D, 0x00], [0x00, 0x5B, 0x00, 0x5D],
    [0xEF, 0xBB, 0xBF], [0xEF, 0xBB], [0x5B, 0xFF, 0x5D], [0x5B, 0x31, 0xE5, 0x5D], [0x5B, 0x00, 0x5D], [0x7B, 0xE5, 0x3A, 0x31, 0x7D],
  ])
  func otherBytesAreRefused(text: [UInt8]) {
    #expect(!Self.isRead(text), "\(text)")
  }

  /// Numbers beyond any type, halves of surrogate pairs, deep nesting: an answer, whichever.
  @Test(arguments: [
    "[1e400]", "[-1e9999]", "[1e-10000]", "[123123e100000]", "[0.4e006699999999999999999999999999]", "[100000000000000000000]",
    "[-237462374673276894279832749832423479823246327846]", "[\"\\uD800\"]", "[\"\\uDFAA\"]", "[\"\\uD888\\u1234\"]",
    "[\"\\uD800\\uD800\\n\"]",
    "[\"\\uDd1e\\uD834\"]", "{\"\\uDFAA\":0}", "[\"\\uDADA\\uDADA\"]",
    String(repeating: "[", count: 500) + String(repeating: "]", count: 500), String(repeating: "[", count: 100_000),
    String(repeating: "{\"a\":", count: 100_000), String(repeating: "[{\"\":", count: 50_000),
  ])
  func isAnswered(text: String) {
    let answer = Self.isRead(Array(text.utf8))
    #expect(answer == Self.isRead(Array(text.utf8)))
    // Of one line of a corpus, too, whose reader takes numbers that are none.
    _ = try? JSONObject(Array("{\"text\":\(text)}".utf8))
  }

  @Test(arguments: ["NaN", "Infinity", "-Infinity"]) func aCorpusMayHaveNumbersThatAreNone(number: String) {
    #expect((try? JSONObject(Array("{\"score\":\(number)}".utf8))) != nil)
  }
}
