extension TemplateParser {
  /// `a if condition else b`, and everything that binds more tightly.
  mutating func expression() throws(TemplateError) -> TemplateExpression {
    depth += 1
    defer { depth -= 1 }
    guard depth <= TemplateParser.deepest else { throw TemplateError("an expression is nested too deeply") }
    var value = try alternatives()
    while takeName("if") {
      let condition = try alternatives()
      let otherwise = takeName("else") ? try expression() : nil
      value = .choice(value, when: condition, otherwise: otherwise)
    }
    return value
  }

  mutating func alternatives() throws(TemplateError) -> TemplateExpression {
    var value = try conjunction()
    while takeName("or") { value = .binary("or", value, try conjunction()) }
    return value
  }

  private mutating func conjunction() throws(TemplateError) -> TemplateExpression {
    var value = try negation()
    while takeName("and") { value = .binary("and", value, try negation()) }
    return value
  }

  private mutating func negation() throws(TemplateError) -> TemplateExpression {
    var count = 0
    while takeName("not") { count += 1 }
    let value = try comparison()
    return count == 0 ? value : count.isMultiple(of: 2) ? .not(.not(value)) : .not(value)
  }

  private mutating func comparison() throws(TemplateError) -> TemplateExpression {
    let first = try sum()
    var left = first
    var chain: TemplateExpression?
    while let symbol = comparisonSymbol() {
      let right = try sum()
      let link: TemplateExpression =
        symbol == "not in" ? .not(.binary("in", left, right)) : .binary(symbol, left, right)
      chain = chain.map { .binary("and", $0, link) } ?? link
      left = right
    }
    return chain ?? first
  }

  private mutating func comparisonSymbol() -> String? {
    for symbol in ["==", "!=", "<=", ">=", "<", ">"] where take(symbol) { return symbol }
    if takeName("in") { return "in" }
    guard next == .name("not"), place + 1 < tokens.count, tokens[place + 1] == .name("in") else { return nil }
    place += 2
    return "not in"
  }

  private mutating func sum() throws(TemplateError) -> TemplateExpression {
    var value = try concatenation()
    while case .symbol(let symbol) = next, symbol == "+" || symbol == "-" {
      place += 1
      value = .binary(symbol, value, try concatenation())
    }
    return value
  }

  private mutating func concatenation() throws(TemplateError) -> TemplateExpression {
    var value = try product()
    while take("~") { value = .binary("~", value, try product()) }
    return value
  }

  private mutating func product() throws(TemplateError) -> TemplateExpression {
    var value = try signed()
    while case .symbol(let symbol) = next, ["*", "/", "//", "%"].contains(symbol) {
      place += 1
      value = .binary(symbol, value, try signed())
    }
    return value
  }

  private mutating func signed() throws(TemplateError) -> TemplateExpression {
    if take("-") { return .negative(try postfixed(try primary())) }
    _ = take("+")
    return try filtered(try postfixed(try primary()))
  }

  private mutating func primary() throws(TemplateError) -> TemplateExpression {
    guard let token = next else { throw TemplateError("expected an expression, found the tag's end") }
    place += 1
    switch token {
    case .integer(let value): return .literal(.integer(value))
    case .double(let value): return .literal(.double(value))
    case .string(var text):
      while case .string(let more) = next {
        text += more
        place += 1
      }
      return .literal(.string(text))
    case .name("true"), .name("True"): return .literal(.bool(true))
    case .name("false"), .name("False"): return .literal(.bool(false))
    case .name("none"), .name("None"): return .literal(.none)
    case .name(let name): return .name(name)
    case .symbol("("):
      let value = try expression()
      try expect(")")
      return value
    case .symbol("["): return .list(try values(until: "]"))
    case .symbol("{"): return try object()
    case .symbol(let symbol): throw TemplateError("unexpected '\(symbol)' in an expression")
    }
  }

  private mutating func values(until end: String) throws(TemplateError) -> [TemplateExpression] {
    var result: [TemplateExpression] = []
    while !take(end) {
      if !result.isEmpty {
        try expect(",")
        if take(end) { break }
      }
      result.append(try expression())
    }
    return result
  }

  private mutating func object() throws(TemplateError) -> TemplateExpression {
    var result: [(TemplateExpression, TemplateExpression)] = []
    while !take("}") {
      if !result.isEmpty {
        try expect(",")
        if take("}") { break }
      }
      let key = try expression()
      try expect(":")
      result.append((key, try expression()))
    }
    return .object(result)
  }

  private mutating func postfixed(_ start: TemplateExpression) throws(TemplateError) -> TemplateExpression {
    var value = start
    var length = 0
    while true {
      length += 1
      guard length <= TemplateParser.deepest else { throw TemplateError("an expression is nested too deeply") }
      if take(".") {
        value = .member(value, try name())
      } else if take("[") {
        value = try subscripted(value)
      } else if take("(") {
        value = .call(value, try arguments())
      } else {
        return value
      }
    }
  }

  private mutating func subscripted(_ value: TemplateExpression) throws(TemplateError) -> TemplateExpression {
    var bounds: [TemplateExpression?] = [nil]
    while !take("]") {
      if take(":") {
        guard bounds.count < 3 else { throw TemplateError("a slice has too many parts") }
        bounds.append(nil)
      } else {
        bounds[bounds.count - 1] = try expression()
      }
    }
    if bounds.count > 1 {
      return .slice(value, from: bounds[0], to: bounds[1], step: bounds.count > 2 ? bounds[2] : nil)
    }
    guard let index = bounds[0] else { throw TemplateError("[] has nothing in it") }
    return .item(value, index)
  }

  private mutating func arguments() throws(TemplateError) -> TemplateExpression.Arguments {
    var result = TemplateExpression.Arguments()
    while !take(")") {
      if !result.positional.isEmpty || !result.named.isEmpty {
        try expect(",")
        if take(")") { break }
      }
      if case .name(let word) = next, place + 1 < tokens.count, tokens[place + 1] == .symbol("=") {
        place += 2
        result.named.append((word, try expression()))
      } else {
        result.positional.append(try expression())
      }
    }
    return result
  }

  /// Filters and tests, which bind more tightly than every operator.
  private mutating func filtered(_ start: TemplateExpression) throws(TemplateError) -> TemplateExpression {
    var value = start
    var length = 0
    while true {
      length += 1
      guard length <= TemplateParser.deepest else { throw TemplateError("an expression is nested too deeply") }
      if take("|") {
        let filter = try name()
        value = .filter(value, filter, take("(") ? try arguments() : .init())
      } else if takeName("is") {
        let negated = takeName("not")
        let test = try name()
        value = .test(value, test, try testArguments(), negated: negated)
      } else {
        return value
      }
    }
  }

  private mutating func testArguments() throws(TemplateError) -> TemplateExpression.Arguments {
    if take("(") { return try arguments() }
    switch next {
    case .string, .integer, .double: return .init(positional: [try primary()])
    default: return .init()
    }
  }
}
