/// What templates do with texts, by Unicode scalars as Python does.
enum TemplateText {
  static func contains(_ text: String, _ piece: String) -> Bool {
    piece.isEmpty || parts(of: text, separatedBy: piece, most: 2).count > 1
  }

  /// The parts between non-overlapping occurrences of a separator, from the left.
  static func parts(of text: String, separatedBy separator: String, most: Int = .max) -> [String] {
    let scalars = Array(text.unicodeScalars), mark = Array(separator.unicodeScalars)
    guard !mark.isEmpty else { return [text] }
    var parts: [String] = []
    var start = 0, place = 0
    while place + mark.count <= scalars.count, parts.count + 1 < most {
      if scalars[place] == mark[0], scalars[place..<place + mark.count].elementsEqual(mark) {
        parts.append(String(String.UnicodeScalarView(scalars[start..<place])))
        place += mark.count
        start = place
      } else {
        place += 1
      }
    }
    return parts + [String(String.UnicodeScalarView(scalars[start...]))]
  }

  /// The words between runs of white space.
  static func words(of text: String) -> [String] {
    text.unicodeScalars.split { $0.properties.isWhitespace }.map { String(String.UnicodeScalarView($0)) }
  }

  /// Without the scalars at its ends that belong to `characters`, or without white space.
  static func stripped(_ text: String, of characters: String?, start: Bool = true, end: Bool = true) -> String {
    let set = characters.map { Set($0.unicodeScalars) }
    func goes(_ scalar: Unicode.Scalar) -> Bool { set?.contains(scalar) ?? scalar.properties.isWhitespace }
    var scalars = ArraySlice(text.unicodeScalars)
    if start { scalars = scalars.drop(while: goes) }
    if end { while let last = scalars.last, goes(last) { scalars.removeLast() } }
    return String(String.UnicodeScalarView(scalars))
  }

  static func capitalized(_ text: String) -> String {
    guard let first = text.unicodeScalars.first else { return text }
    return String(first).uppercased() + String(text.unicodeScalars.dropFirst()).lowercased()
  }
}
