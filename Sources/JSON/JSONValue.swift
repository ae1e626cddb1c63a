/// A value to be written as JSON; objects keep the order of their members.
package enum JSONValue {
  case null
  case bool(Bool)
  case integer(Int)
  /// Written with as many digits as tell it from its neighbours; not finite: `null`, for JSON has no word for it.
  case number(Double)
  case float(Float)
  case string(String)
  case array([JSONValue])
  case object([(key: String, value: JSONValue)])
  /// Bytes that are JSON already.
  case raw(ArraySlice<UInt8>)

  package static func integers(_ values: [Int32]) -> JSONValue { .array(values.map { .integer(Int($0)) }) }
  package static func optional(_ value: Int32?) -> JSONValue { value.map { .integer(Int($0)) } ?? .null }

  /// On one line, without a newline.
  package var text: [UInt8] {
    var bytes: [UInt8] = []
    append(to: &bytes)
    return bytes
  }

  private func append(to bytes: inout [UInt8]) {
    switch self {
    case .null: bytes += "null".utf8
    case .bool(let value): bytes += "\(value)".utf8
    case .integer(let value): bytes += "\(value)".utf8
    case .number(let value): bytes += (value.isFinite ? "\(value)" : "null").utf8
    case .float(let value): bytes += (value.isFinite ? "\(value)" : "null").utf8
    case .string(let value): Self.append(value, to: &bytes)
    case .raw(let value): bytes += value
    case .array(let values):
      bytes.append(UInt8(ascii: "["))
      for (index, value) in values.enumerated() {
        if index > 0 { bytes += ", ".utf8 }
        value.append(to: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    case .object(let members):
      bytes.append(UInt8(ascii: "{"))
      for (index, member) in members.enumerated() {
        if index > 0 { bytes += ", ".utf8 }
        Self.append(member.key, to: &bytes)
        bytes += ": ".utf8
        member.value.append(to: &bytes)
      }
      bytes.append(UInt8(ascii: "}"))
    }
  }

  private static func append(_ text: String, to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
      case UInt8(ascii: "\n"): bytes += "\\n".utf8
      case UInt8(ascii: "\r"): bytes += "\\r".utf8
      case UInt8(ascii: "\t"): bytes += "\\t".utf8
      case 0..<0x20:
        let digits = Array("0123456789abcdef".utf8)
        bytes += "\\u00".utf8
        bytes += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
