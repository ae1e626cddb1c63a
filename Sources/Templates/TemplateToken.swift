/// A word of an expression.
enum TemplateToken: Equatable {
  case name(String)
  case integer(Int)
  case double(Double)
  case string(String)
  case symbol(String)

  /// Bound of whole numbers: doubles hold all below 2⁵³ exactly, and no template counts further.
  static let greatest = 1 << 53
  /// Words of a tag, which bound how deep an expression can be.
  private static let most = 1000

  private static let symbols = [
    "==", "!=", "<=", ">=", "//", "**", "(", ")", "[", "]", "{", "}", ",", ":", ".", "|", "~", "+", "-", "*", "/", "%", "<", ">", "=",
  ]

  var text: String {
    switch self {
    case .name(let text), .symbol(let text), .string(let text): text
    case .integer(let value): String(value)
    case .double(let value): String(value)
    }
  }

  /// The words of a tag's inside.
  static func words(of body: String) throws(TemplateError) -> [TemplateToken] {
    let scalars = Array(body.unicodeScalars)
    var tokens: [TemplateToken] = []
    var place = 0
    while place < scalars.count {
      let scalar = scalars[place]
      if scalar.properties.isWhitespace {
        place += 1
      } else if scalar == "'" || scalar == "\"" {
        tokens.append(.string(try quoted(scalars, &place)))
      } else if ("0"..."9").contains(scalar) {
        tokens.append(try number(scalars, &place))
      } else if isWord(scalar) {
        let start = place
        while place < scalars.count, isWord(scalars[place]) || ("0"..."9").contains(scalars[place]) { place += 1 }
        tokens.append(.name(String(String.UnicodeScalarView(scalars[start..<place]))))
      } else {
        let rest = String(String.UnicodeScalarView(scalars[place..<min(place + 2, scalars.count)]))
        guard let symbol = symbols.first(where: rest.hasPrefix) else {
          throw TemplateError("unexpected character '\(scalar)' in a tag")
        }
        tokens.append(.symbol(symbol))
        place += symbol.unicodeScalars.count
      }
      guard tokens.count <= most else { throw TemplateError("a tag has more than \(most) words") }
    }
    return tokens
  }

  private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    scalar == "_" || ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
  }

  private static func quoted(_ scalars: [Unicode.Scalar], _ place: inout Int) throws(TemplateError) -> String {
    let quote = scalars[place]
    var result = String.UnicodeScalarView()
    place += 1
    while place < scalars.count, scalars[place] != quote {
      if scalars[place] == "\\", place + 1 < scalars.count {
        place += 1
        switch scalars[place] {
        case "n": result.append("\n")
        case "t": result.append("\t")
        case "r": result.append("\r")
        case "\\", "'", "\"": result.append(scalars[place])
        case "u" where place + 4 < scalars.count:
          let digits = String(String.UnicodeScalarView(scalars[place + 1...place + 4]))
          guard let code = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(code) else {
            throw TemplateError("'\\u\(digits)' is no character")
          }
          result.append(scalar)
          place += 4
        default:
          result.append("\\")
          result.append(scalars[place])
        }
      } else {
        result.append(scalars[place])
      }
      place += 1
    }
    guard place < scalars.count else { throw TemplateError("a text in a tag has no end") }
    place += 1
    return String(result)
  }

  private static func number(_ scalars: [Unicode.Scalar], _ place: inout Int) throws(TemplateError) -> TemplateToken {
    let start = place
    while place < scalars.count, ("0"..."9").contains(scalars[place]) || scalars[place] == "." { place += 1 }
    let text = String(String.UnicodeScalarView(scalars[start..<place]))
    if let value = Int(text), value < TemplateToken.greatest { return .integer(value) }
    guard text.contains("."), let value = Double(text), value < Double(TemplateToken.greatest) else {
      throw TemplateError("'\(text)' is no number, or too large")
    }
    return .double(value)
  }
}
