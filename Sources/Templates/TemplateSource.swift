/// A template cut into text and tags, white space as Jinja's `trim_blocks` and `lstrip_blocks` leave it.
struct TemplateSource {
  enum Piece: Equatable {
    case text(String)
    case output(String)
    case statement(String)
  }

  private(set) var pieces: [Piece] = []
  private let scalars: [Unicode.Scalar]
  private var place = 0

  init(_ source: String) throws(TemplateError) {
    var text = Array(source.replacingLineEnds.unicodeScalars)
    if text.last == "\n" { text.removeLast() }
    scalars = text
    var startsLine = true
    var stripsStart = false
    while place < scalars.count {
      let start = place
      while place < scalars.count, !isTag(at: place) { place += 1 }
      var literal = scalars[start..<place]
      if stripsStart { literal = literal.drop { $0.properties.isWhitespace } }
      guard place < scalars.count else {
        add(literal)
        break
      }
      let kind = scalars[place + 1]
      place += 2
      let sign = take(["-", "+"])
      if sign == "-" {
        while literal.last?.properties.isWhitespace == true { literal.removeLast() }
      } else if kind != "{", sign != "+" {
        literal = TemplateSource.withoutIndent(literal, startsLine: startsLine && !(stripsStart && literal.isEmpty))
      }
      add(literal)
      (startsLine, stripsStart) = try tag(kind)
    }
  }

  /// Reads a tag to its end; returns whether a line begins after it, and whether white space after it goes.
  private mutating func tag(_ kind: Unicode.Scalar) throws(TemplateError) -> (Bool, Bool) {
    let close: Unicode.Scalar = kind == "{" ? "}" : kind
    let start = place
    var quote: Unicode.Scalar?
    while true {
      guard place + 1 < scalars.count else { throw TemplateError("the template ends inside of a {\(kind) tag") }
      let scalar = scalars[place]
      if let open = quote {
        if scalar == "\\" { place += 1 } else if scalar == open { quote = nil }
      } else if kind != "#", scalar == "'" || scalar == "\"" {
        quote = scalar
      } else if scalar == close, scalars[place + 1] == "}" {
        break
      }
      place += 1
    }
    var end = place
    place += 2
    let sign = end > start ? scalars[end - 1] : " "
    let isSigned = sign == "-" || sign == "+"
    if isSigned { end -= 1 }
    let body = String(String.UnicodeScalarView(scalars[start..<max(start, end)]))
    if kind == "{" { pieces.append(.output(body)) }
    if kind == "%" { pieces.append(.statement(body)) }
    if isSigned, sign == "-" { return (false, true) }
    if kind != "{", sign != "+", place < scalars.count, scalars[place] == "\n" {
      place += 1
      return (true, false)
    }
    return (false, false)
  }

  private func isTag(at place: Int) -> Bool {
    guard scalars[place] == "{", place + 1 < scalars.count else { return false }
    return ["{", "%", "#"].contains(scalars[place + 1])
  }

  private mutating func take(_ signs: [Unicode.Scalar]) -> Unicode.Scalar? {
    guard place < scalars.count, signs.contains(scalars[place]) else { return nil }
    place += 1
    return scalars[place - 1]
  }

  private mutating func add(_ literal: ArraySlice<Unicode.Scalar>) {
    if !literal.isEmpty { pieces.append(.text(String(String.UnicodeScalarView(literal)))) }
  }

  /// Takes away the spaces and tabs between a line's beginning and a tag.
  private static func withoutIndent(_ text: ArraySlice<Unicode.Scalar>, startsLine: Bool) -> ArraySlice<Unicode.Scalar> {
    let indent = text.reversed().prefix { $0 == " " || $0 == "\t" }.count
    let rest = text.dropLast(indent)
    return rest.last == "\n" || (rest.isEmpty && startsLine) ? rest : text
  }
}

extension String {
  /// With `\n` for every line end.
  fileprivate var replacingLineEnds: String {
    var result = String.UnicodeScalarView()
    var before: Unicode.Scalar = " "
    for scalar in unicodeScalars {
      if scalar == "\r" { result.append("\n") } else if scalar != "\n" || before != "\r" { result.append(scalar) }
      before = scalar
    }
    return String(result)
  }
}
