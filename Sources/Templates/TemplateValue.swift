/// A value of a template: what a caller gives, and what expressions make of it.
public indirect enum TemplateValue: Equatable, Sendable {
  /// A name or a key that is not there; it is written as nothing, and has no parts.
  case undefined(String)
  case none
  case bool(Bool)
  case integer(Int)
  case double(Double)
  case string(String)
  case list([TemplateValue])
  /// In the order in which the keys were given.
  case object([Member])
  /// What `namespace()` made, by its number: the one thing that is changed in place.
  case namespace(Int)

  public struct Member: Equatable, Sendable {
    public let key: String
    public var value: TemplateValue

    public init(_ key: String, _ value: TemplateValue) {
      self.key = key
      self.value = value
    }
  }

  /// Whether it counts as true in a condition.
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .double(let value): value != 0
    case .string(let value): !value.isEmpty
    case .list(let values): !values.isEmpty
    case .object(let members): !members.isEmpty
    case .namespace: true
    }
  }

  /// The value under a key; nil for other kinds and where it is missing.
  func member(_ key: String) -> TemplateValue? {
    guard case .object(let members) = self else { return nil }
    return members.last { $0.key == key }?.value
  }

  /// What a number is worth; nil for other kinds.
  var number: Double? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .integer(let value): Double(value)
    case .double(let value): value
    default: nil
    }
  }

  /// Whether two values are equal as Python has it: 1 == 1.0 == True.
  func equals(_ other: TemplateValue) -> Bool {
    if case .integer(let a) = self, case .integer(let b) = other { return a == b }
    if let a = number, let b = other.number { return a == b }
    switch (self, other) {
    case (.list(let a), .list(let b)): return a.count == b.count && zip(a, b).allSatisfy { $0.equals($1) }
    case (.object(let a), .object(let b)):
      return a.count == b.count && a.allSatisfy { one in other.member(one.key).map(one.value.equals) ?? false }
    case (.undefined, .undefined): return true
    default: return self == other
    }
  }

  /// As it is written into the text.
  var text: String {
    switch self {
    case .undefined: ""
    case .string(let value): value
    default: representation
    }
  }

  /// As Python's `repr` writes it.
  var representation: String {
    switch self {
    case .undefined: "Undefined"
    case .none: "None"
    case .bool(let value): value ? "True" : "False"
    case .integer(let value): String(value)
    case .double(let value): String(value)
    case .string(let value): value.contains("'") && !value.contains("\"") ? "\"\(value)\"" : "'\(value)'"
    case .list(let values): "[" + values.map(\.representation).joined(separator: ", ") + "]"
    case .object(let members):
      "{" + members.map { "'\($0.key)': \($0.value.representation)" }.joined(separator: ", ") + "}"
    case .namespace: "<Namespace>"
    }
  }

  /// As JSON, with spaces after commas and colons.
  var json: String {
    switch self {
    case .undefined, .none, .namespace: "null"
    case .bool(let value): value ? "true" : "false"
    case .integer(let value): String(value)
    case .double(let value): String(value)
    case .string(let value): TemplateValue.quoted(value)
    case .list(let values): "[" + values.map(\.json).joined(separator: ", ") + "]"
    case .object(let members):
      "{" + members.map { "\(TemplateValue.quoted($0.key)): \($0.value.json)" }.joined(separator: ", ") + "}"
    }
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\u{8}": result += "\\b"
      case "\u{c}": result += "\\f"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  /// The kind, for messages.
  var kind: String {
    switch self {
    case .undefined: "undefined"
    case .none: "none"
    case .bool: "a boolean"
    case .integer, .double: "a number"
    case .string: "a text"
    case .list: "a list"
    case .object: "a mapping"
    case .namespace: "a namespace"
    }
  }
}
