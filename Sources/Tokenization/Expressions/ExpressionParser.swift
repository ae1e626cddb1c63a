import Files

/// Reads an expression in the syntax of Oniguruma (Ruby's), as far as published tokenizers use it.
///
/// What it does not know it refuses by name: no part of an expression is read as something else.
struct ExpressionParser {
  /// As text and as scalars; the longest published one has some 500.
  static let maximumLength = 4096
  private static let depthLimit = 32

  let scalars: [Unicode.Scalar]
  var position = 0
  private var depth = 0
  /// Within `(?i:…)`.
  var ignoresCase = false
  private let text: String

  init(_ text: String) throws(RallyError) {
    self.text = text
    scalars = Array(text.unicodeScalars)
    guard !scalars.isEmpty, scalars.count <= Self.maximumLength else {
      throw RallyError(
        .invalidTokenizer, "expression", expected: "1 to \(Self.maximumLength) characters", found: "\(scalars.count)")
    }
  }

  static func parse(_ text: String) throws(RallyError) -> ExpressionNode {
    var parser = try ExpressionParser(text)
    let node = try parser.alternatives()
    guard parser.next == nil else { throw parser.unsupported(")") }
    return node
  }

  var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

  func follows(_ text: String) -> Bool {
    scalars[position...].starts(with: text.unicodeScalars)
  }

  mutating func take(_ text: String) -> Bool {
    guard follows(text) else { return false }
    position += text.unicodeScalars.count
    return true
  }

  func unsupported(_ what: String) -> RallyError {
    RallyError(
      .invalidTokenizer, "expression \(quoted(text))", expected: "parts that are supported",
      found: "\(quoted(what)) at character \(position + 1)",
      remedy: "classes, groups, (?i:…), look-ahead and the quantifiers ? * + {a,b} are")
  }
}

extension ExpressionParser {
  private mutating func alternatives() throws(RallyError) -> ExpressionNode {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.depthLimit else { throw unsupported("groups more than \(Self.depthLimit) deep") }
    var nodes = [try sequence()]
    while take("|") { nodes.append(try sequence()) }
    return nodes.count == 1 ? nodes[0] : .alternatives(nodes)
  }

  private mutating func sequence() throws(RallyError) -> ExpressionNode {
    var nodes: [ExpressionNode] = []
    while let scalar = next, scalar != "|", scalar != ")" {
      let atom = try atom(scalar)
      nodes.append(try quantified(atom))
      try refuseFolds()
    }
    return nodes.count == 1 ? nodes[0] : nodes.isEmpty ? .empty : .sequence(nodes)
  }

  /// Without case, these pairs of letters also match one character (ß, ﬀ, ﬁ, ﬂ, ﬅ).
  private func refuseFolds() throws(RallyError) {
    guard ignoresCase, position >= 2 else { return }
    let pair = scalars[position - 2..<position].map { $0.properties.lowercaseMapping }.joined()
    if ["ss", "ff", "fi", "fl", "st"].contains(pair) { throw unsupported("(?i:…\(pair)…)") }
  }

  private mutating func atom(_ scalar: Unicode.Scalar) throws(RallyError) -> ExpressionNode {
    switch scalar {
    case "(": return try group()
    case "[":
      let set = try bracket()
      return .set(set)
    case "\\": return try escape()
    case "?", "*", "+", "{": throw unsupported("\(scalar) without what it repeats")
    default: break
    }
    position += 1
    switch scalar {
    case ".": return .set(.dot)
    case "^": return .anchor(.lineStart)
    case "$": return .anchor(.lineEnd)
    default: return .set(try literal(scalar))
    }
  }

  func literal(_ scalar: Unicode.Scalar) throws(RallyError) -> CharacterSet {
    guard ignoresCase else { return .ranges([scalar.value...scalar.value]) }
    guard let set = CharacterSet.ignoringCase(scalar.value) else { throw unsupported("(?i:) with a letter outside of ASCII") }
    return set
  }

  private mutating func group() throws(RallyError) -> ExpressionNode {
    let before = ignoresCase
    defer { ignoresCase = before }
    if take("(?:") { return try closed() }
    if take("(?i:") {
      ignoresCase = true
      return try closed()
    }
    if take("(?-i:") {
      ignoresCase = false
      return try closed()
    }
    if take("(?=") { return .lookahead(try closed(), isNegative: false) }
    if take("(?!") { return .lookahead(try closed(), isNegative: true) }
    if take("(?>") { return try atomic(try closed()) }
    for (opening, isNegative) in [("(?<=", false), ("(?<!", true)] where take(opening) {
      guard case .set(let set) = try closed() else { throw unsupported("a look-behind of more than one character") }
      return .lookbehind(set, isNegative: isNegative)
    }
    if follows("(?") { throw unsupported(String(String.UnicodeScalarView(scalars[position...].prefix(4)))) }
    position += 1
    return try closed()
  }

  /// What is in the group is found again from each place of the text, and it is not known before whether that leads on.
  private func atomic(_ node: ExpressionNode) throws(RallyError) -> ExpressionNode {
    guard !node.hasEndlessRepetition else { throw unsupported("an endless repetition in (?>…), or of a group with +") }
    return .atomic(node)
  }

  private mutating func closed() throws(RallyError) -> ExpressionNode {
    let node = try alternatives()
    guard take(")") else { throw unsupported("( without )") }
    return node
  }
}

// MARK: Quantifiers

extension ExpressionParser {
  private mutating func quantified(_ atom: ExpressionNode) throws(RallyError) -> ExpressionNode {
    guard let (minimum, maximum, isInterval) = try quantifier() else { return atom }
    var greed = ExpressionNode.Greed.greedy
    if next == "?" || next == "+" {
      // {a,b}+ and {n}? mean something else in this syntax than in others.
      if isInterval { throw unsupported("a quantifier after {…}") }
      greed = next == "?" ? .lazy : .possessive
      position += 1
    }
    if next == "*" || next == "?" || next == "+" || next == "{" { throw unsupported("a quantifier of a quantifier") }
    if case .lookahead = atom { throw unsupported("a quantifier of a look-ahead") }
    if case .anchor = atom { throw unsupported("a quantifier of an anchor") }
    if atom.isNullable, maximum == nil { throw unsupported("an endless repetition of what may be empty") }
    if greed == .possessive, !atom.isSet {
      return try atomic(.repetition(atom, minimum: minimum, maximum: maximum, .greedy))
    }
    return .repetition(atom, minimum: minimum, maximum: maximum, greed)
  }

  private mutating func quantifier() throws(RallyError) -> (minimum: Int, maximum: Int?, isInterval: Bool)? {
    if take("?") { return (0, 1, false) }
    if take("*") { return (0, nil, false) }
    if take("+") { return (1, nil, false) }
    guard take("{") else { return nil }
    let minimum = try number()
    let maximum = take(",") ? try number() : minimum
    guard take("}"), minimum != nil || maximum != nil, minimum ?? 0 <= maximum ?? .max else {
      throw unsupported("{ without numbers and }")
    }
    return (minimum ?? 0, maximum, true)
  }

  private mutating func number() throws(RallyError) -> Int? {
    var value: Int?
    while let digit = next, ("0"..."9").contains(digit) {
      let number = (value ?? 0) * 10 + Int(digit.value - 0x30)
      guard number <= 1000 else { throw unsupported("a repetition of more than 1000") }
      value = number
      position += 1
    }
    return value
  }
}
