/// A JSON text that was read as a whole; asking for what is not there gives `null`.
package enum JSONNode: Equatable, Sendable {
  case null
  case bool(Bool)
  /// As it is written.
  case number(String)
  case string(String)
  case array([JSONNode])
  case object([String: JSONNode])

  /// - Throws: what is wrong, with the place in the text.
  package init(_ text: [UInt8]) throws(JSONError) {
    guard String(validating: text, as: UTF8.self) != nil else {
      throw JSONError(message: "expected UTF-8, found other bytes")
    }
    // Checks everything, the depth among it.
    var checker = JSONScanner(text)
    try checker.skipValue()
    checker.skipSpace()
    guard checker.next == nil else { throw checker.unexpected("the end of the text") }
    var scanner = JSONScanner(text)
    self = try Self.read(&scanner)
  }

  private static func read(_ scanner: inout JSONScanner) throws(JSONError) -> JSONNode {
    scanner.skipSpace()
    switch scanner.next {
    case UInt8(ascii: "{"):
      var members: [String: JSONNode] = [:]
      try scanner.members { (scanner) throws(JSONError) in
        let key = String(decoding: try scanner.string(), as: UTF8.self)
        try scanner.require(":")
        members[key] = try read(&scanner)
      }
      return .object(members)
    case UInt8(ascii: "["):
      var elements: [JSONNode] = []
      try scanner.elements { (scanner) throws(JSONError) in elements.append(try read(&scanner)) }
      return .array(elements)
    case UInt8(ascii: "\""): return .string(String(decoding: try scanner.string(), as: UTF8.self))
    default:
      let start = scanner.position
      try scanner.skipValue()
      switch String(decoding: scanner.bytes[start..<scanner.position], as: UTF8.self) {
      case "null": return .null
      case "true": return .bool(true)
      case "false": return .bool(false)
      case let number: return .number(number)
      }
    }
  }

  /// A member of an object; the last one where a key is repeated.
  package subscript(key: String) -> JSONNode {
    if case .object(let members) = self { members[key] ?? .null } else { .null }
  }

  package var isNull: Bool { self == .null }
  package var boolean: Bool? { if case .bool(let value) = self { value } else { nil } }
  package var text: String? { if case .string(let value) = self { value } else { nil } }
  package var integer: Int? { if case .number(let value) = self { Int(value) } else { nil } }
  package var elements: [JSONNode]? { if case .array(let values) = self { values } else { nil } }
}
