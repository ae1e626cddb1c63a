/// Reads statements; expressions are in `TemplateParser+Expressions`.
struct TemplateParser {
  private let pieces: [TemplateSource.Piece]
  private var piece = 0
  var tokens: [TemplateToken] = []
  var place = 0
  var depth = 0

  /// Deepest nesting of statements and of expressions: what fits any stack.
  static let deepest = 100
  private static let known = ["if", "for", "set", "break", "continue", "generation"]

  static func parse(_ source: String) throws(TemplateError) -> [TemplateNode] {
    var parser = TemplateParser(pieces: try TemplateSource(source).pieces)
    let (nodes, end) = try parser.body(until: [])
    guard end == nil else { throw TemplateError("unexpected {% \(end ?? "") %}") }
    return nodes
  }

  private init(pieces: [TemplateSource.Piece]) { self.pieces = pieces }

  /// Reads nodes up to a statement that begins with one of `ends`, whose words are left to be read.
  private mutating func body(until ends: [String]) throws(TemplateError) -> ([TemplateNode], String?) {
    depth += 1
    defer { depth -= 1 }
    guard depth <= TemplateParser.deepest else { throw TemplateError("statements are nested too deeply") }
    var nodes: [TemplateNode] = []
    while piece < pieces.count {
      piece += 1
      switch pieces[piece - 1] {
      case .text(let text): nodes.append(.text(text))
      case .output(let body):
        try begin(body)
        nodes.append(.output(try expression()))
        try expectEnd()
      case .statement(let body):
        try begin(body)
        let word = try name()
        if ends.contains(word) { return (nodes, word) }
        nodes += try statement(word)
      }
    }
    guard ends.isEmpty else { throw TemplateError("the template ends before {% \(ends.last ?? "") %}") }
    return (nodes, nil)
  }

  private mutating func statement(_ word: String) throws(TemplateError) -> [TemplateNode] {
    switch word {
    case "if": return [try branch()]
    case "for": return [try loop()]
    case "set": return [try assignment()]
    case "break", "continue":
      try expectEnd()
      return [.leave(isContinue: word == "continue")]
    case "generation":
      let (nodes, _) = try body(until: ["endgeneration"])
      return nodes
    default: throw .unsupported("{% \(word) %}", known: TemplateParser.known)
    }
  }

  private mutating func branch() throws(TemplateError) -> TemplateNode {
    var branches: [(condition: TemplateExpression?, body: [TemplateNode])] = []
    var condition: TemplateExpression? = try expression()
    try expectEnd()
    while true {
      let (nodes, end) = try body(until: ["elif", "else", "endif"])
      branches.append((condition, nodes))
      if end == "endif" { return .branch(branches) }
      guard condition != nil else { throw TemplateError("unexpected {% \(end ?? "") %} after {% else %}") }
      condition = end == "elif" ? try expression() : nil
      try expectEnd()
    }
  }

  private mutating func loop() throws(TemplateError) -> TemplateNode {
    var names = [try name()]
    while take(",") { names.append(try name()) }
    guard takeName("in") else { throw TemplateError("{% for %} without in") }
    let values = try alternatives()
    let condition = takeName("if") ? try expression() : nil
    try expectEnd()
    let (nodes, end) = try body(until: ["else", "endfor"])
    guard end == "else" else { return .loop(names: names, over: values, condition: condition, body: nodes, otherwise: []) }
    try expectEnd()
    let (otherwise, _) = try body(until: ["endfor"])
    return .loop(names: names, over: values, condition: condition, body: nodes, otherwise: otherwise)
  }

  private mutating func assignment() throws(TemplateError) -> TemplateNode {
    let target = try name()
    let member = take(".") ? try name() : nil
    if take("=") {
      let value = try expression()
      try expectEnd()
      return .set(target, member: member, value)
    }
    try expectEnd()
    guard member == nil else { throw TemplateError("{% set \(target).… %} without a value") }
    let (nodes, _) = try body(until: ["endset"])
    return .setText(target, nodes)
  }

  // MARK: Words

  private mutating func begin(_ body: String) throws(TemplateError) {
    tokens = try TemplateToken.words(of: body)
    place = 0
  }

  var next: TemplateToken? { place < tokens.count ? tokens[place] : nil }

  func expectEnd() throws(TemplateError) {
    if let next { throw TemplateError("unexpected '\(next.text)' at the end of a tag") }
  }

  mutating func take(_ symbol: String) -> Bool {
    guard next == .symbol(symbol) else { return false }
    place += 1
    return true
  }

  mutating func takeName(_ word: String) -> Bool {
    guard next == .name(word) else { return false }
    place += 1
    return true
  }

  mutating func expect(_ symbol: String) throws(TemplateError) {
    guard take(symbol) else { throw TemplateError("expected '\(symbol)', found \(next.map { "'\($0.text)'" } ?? "the tag's end")") }
  }

  mutating func name() throws(TemplateError) -> String {
    guard case .name(let word) = next else {
      throw TemplateError("expected a name, found \(next.map { "'\($0.text)'" } ?? "the tag's end")")
    }
    place += 1
    return word
  }
}
