/// One line of JSON whose members are kept as they were written.
package struct JSONObject {
  package private(set) var members: [(key: String, value: JSONValue)] = []

  /// - Throws: what is wrong, with the place in the line.
  package init(_ line: [UInt8]) throws(JSONError) {
    guard String(validating: line, as: UTF8.self) != nil else {
      throw JSONError(message: "expected UTF-8, found other bytes")
    }
    var scanner = JSONScanner(line)
    scanner.allowsNonFinite = true
    scanner.skipSpace()
    guard scanner.next == UInt8(ascii: "{") else { throw scanner.unexpected("an object") }
    var members: [(key: String, value: JSONValue)] = []
    try scanner.members { (scanner) throws(JSONError) in
      let key = String(decoding: try scanner.string(), as: UTF8.self)
      try scanner.require(":")
      let start = scanner.position
      try scanner.skipValue()
      members.append((key, .raw(line[start..<scanner.position])))
    }
    scanner.skipSpace()
    guard scanner.next == nil else { throw scanner.unexpected("the end of the line") }
    self.members = members
  }

  /// An object with one member.
  package init(key: String, value: JSONValue) { members = [(key, value)] }

  /// The bytes of a member as they were written; the last one where a key is repeated.
  package subscript(key: String) -> ArraySlice<UInt8>? {
    guard case .raw(let bytes) = members.last(where: { $0.key == key })?.value else { return nil }
    return bytes
  }

  /// Puts `value` at the end, in the place of a member that had the key.
  package mutating func set(_ key: String, _ value: JSONValue) {
    members.removeAll { $0.key == key }
    members.append((key, value))
  }
}
