extension TemplateRenderer {
  mutating func value(_ expression: TemplateExpression) throws(TemplateError) -> TemplateValue {
    try step()
    switch expression {
    case .literal(let value): return value
    case .name(let name): return lookUp(name)
    case .list(let parts): return .list(try values(parts))
    case .object(let pairs):
      var members: [TemplateValue.Member] = []
      for (key, part) in pairs { members.append(.init(try value(key).text, try value(part))) }
      return .object(members)
    case .member(let holder, let name): return try member(name, of: try value(holder))
    case .item(let holder, let index): return try item(try value(index), of: try value(holder))
    case .slice(let holder, let from, let to, let step):
      return try slice(try value(holder), try bound(from), try bound(to), try bound(step) ?? 1)
    case .call(let function, let arguments): return try call(function, arguments)
    case .filter(let operand, let name, let arguments):
      return try filter(name, try value(operand), try values(arguments.positional), try named(arguments))
    case .test(let operand, let name, let arguments, let negated):
      return .bool(try test(name, try value(operand), try values(arguments.positional)) != negated)
    case .not(let operand): return .bool(try !value(operand).isTrue)
    case .negative(let operand): return try TemplateRenderer.arithmetic("-", .integer(0), try value(operand))
    case .binary(let symbol, let left, let right): return try binary(symbol, left, right)
    case .choice(let chosen, let condition, let otherwise):
      if try value(condition).isTrue { return try value(chosen) }
      guard let otherwise else { return .undefined("the value of an if without else") }
      return try value(otherwise)
    }
  }

  mutating func values(_ parts: [TemplateExpression]) throws(TemplateError) -> [TemplateValue] {
    var result: [TemplateValue] = []
    for part in parts { result.append(try value(part)) }
    return result
  }

  mutating func named(_ arguments: TemplateExpression.Arguments) throws(TemplateError) -> [String: TemplateValue] {
    var result: [String: TemplateValue] = [:]
    for (name, part) in arguments.named { result[name] = try value(part) }
    return result
  }

  // MARK: Parts

  private func member(_ name: String, of holder: TemplateValue) throws(TemplateError) -> TemplateValue {
    if case .undefined(let missing) = holder { throw TemplateError("'\(missing)' is undefined, so it has no '\(name)'") }
    if case .namespace(let number) = holder { return member(name, ofNamespace: number) }
    return holder.member(name) ?? .undefined(name)
  }

  private func item(_ index: TemplateValue, of holder: TemplateValue) throws(TemplateError) -> TemplateValue {
    switch (holder, index) {
    case (.list(let values), .integer(let place)):
      let index = place < 0 ? place + values.count : place
      return values.indices.contains(index) ? values[index] : .undefined("[\(place)]")
    case (.string(let text), .integer(let place)):
      let scalars = Array(text.unicodeScalars)
      let index = place < 0 ? place + scalars.count : place
      return scalars.indices.contains(index) ? .string(String(scalars[index])) : .undefined("[\(place)]")
    default: return try member(index.text, of: holder)
    }
  }

  private mutating func bound(_ expression: TemplateExpression?) throws(TemplateError) -> Int? {
    guard let expression else { return nil }
    switch try value(expression) {
    case .none: return nil
    case .integer(let value): return value
    case let other: throw TemplateError("a slice needs whole numbers, found \(other.kind)")
    }
  }

  private func slice(_ holder: TemplateValue, _ from: Int?, _ to: Int?, _ step: Int) throws(TemplateError) -> TemplateValue {
    guard step == 1 || step == -1 else { throw TemplateError("a slice by \(step) is not supported; known: 1 and -1") }
    let elements: [TemplateValue]
    let isText: Bool
    switch holder {
    case .list(let values): (elements, isText) = (values, false)
    case .string(let text): (elements, isText) = (text.unicodeScalars.map { .string(String($0)) }, true)
    default: throw TemplateError("a slice of \(holder.kind)")
    }
    let count = elements.count
    func place(_ bound: Int, _ low: Int, _ high: Int) -> Int { min(max(bound < 0 ? max(bound, -count - 1) + count : bound, low), high) }
    let chosen: [TemplateValue]
    if step == 1 {
      let start = place(from ?? 0, 0, count), end = place(to ?? count, 0, count)
      chosen = start < end ? Array(elements[start..<end]) : []
    } else {
      let start = place(from ?? count - 1, -1, count - 1)
      let end = to.map { place($0, -1, count - 1) } ?? -1
      chosen = start > end ? Array(elements[(end + 1)...start].reversed()) : []
    }
    return isText ? .string(chosen.map(\.text).joined()) : .list(chosen)
  }

  /// What a loop over a value runs over.
  func elements(_ value: TemplateValue) throws(TemplateError) -> [TemplateValue] {
    switch value {
    case .list(let values): return values
    case .object(let members): return members.map { .string($0.key) }
    case .string(let text): return text.unicodeScalars.map { .string(String($0)) }
    case .undefined: return []
    default: throw TemplateError("a loop over \(value.kind)")
    }
  }

  // MARK: Operators

  private mutating func binary(
    _ symbol: String, _ left: TemplateExpression, _ right: TemplateExpression
  ) throws(TemplateError) -> TemplateValue {
    let a = try value(left)
    if symbol == "and" { return a.isTrue ? try value(right) : a }
    if symbol == "or" { return a.isTrue ? a : try value(right) }
    let b = try value(right)
    switch symbol {
    case "==": return .bool(a.equals(b))
    case "!=": return .bool(!a.equals(b))
    case "in": return .bool(try contains(b, a))
    case "~": return try TemplateRenderer.checked(a.text + b.text)
    case "<", "<=", ">", ">=": return .bool(try compare(symbol, a, b))
    case "+": return try sum(a, b)
    default: return try TemplateRenderer.arithmetic(symbol, a, b)
    }
  }

  private func contains(_ holder: TemplateValue, _ part: TemplateValue) throws(TemplateError) -> Bool {
    switch holder {
    case .list(let values): return values.contains { $0.equals(part) }
    case .object: return holder.member(part.text) != nil
    case .string(let text):
      guard case .string(let piece) = part else { throw TemplateError("'in' needs two texts, found \(part.kind)") }
      return TemplateText.contains(text, piece)
    case .undefined: return false
    default: throw TemplateError("'in' \(holder.kind)")
    }
  }

  private func compare(_ symbol: String, _ a: TemplateValue, _ b: TemplateValue) throws(TemplateError) -> Bool {
    let less: Bool, equal: Bool
    if let x = a.number, let y = b.number {
      (less, equal) = (x < y, x == y)
    } else if case .string(let x) = a, case .string(let y) = b {
      (less, equal) = (x.unicodeScalars.lexicographicallyPrecedes(y.unicodeScalars), a == b)
    } else {
      throw TemplateError("'\(symbol)' between \(a.kind) and \(b.kind)")
    }
    switch symbol {
    case "<": return less
    case "<=": return less || equal
    case ">": return !less && !equal
    default: return !less
    }
  }

  private func sum(_ a: TemplateValue, _ b: TemplateValue) throws(TemplateError) -> TemplateValue {
    switch (a, b) {
    case (.string(let x), .string(let y)): return try TemplateRenderer.checked(x + y)
    case (.list(let x), .list(let y)): return try TemplateRenderer.checked(x + y)
    default: return try TemplateRenderer.arithmetic("+", a, b)
    }
  }

  private static func arithmetic(_ symbol: String, _ a: TemplateValue, _ b: TemplateValue) throws(TemplateError) -> TemplateValue {
    guard let x = a.number, let y = b.number else { throw TemplateError("'\(symbol)' between \(a.kind) and \(b.kind)") }
    if case .double = a { return try real(symbol, x, y) }
    if case .double = b { return try real(symbol, x, y) }
    if symbol == "/" { return try real(symbol, x, y) }
    // Whole numbers are kept below 2⁵³, so that this is exact.
    let p = Int(x), q = Int(y)
    guard !["//", "%"].contains(symbol) || q != 0 else { throw TemplateError("division by zero") }
    let (result, overflows): (Int, Bool) =
      switch symbol {
      case "+": p.addingReportingOverflow(q)
      case "-": p.subtractingReportingOverflow(q)
      case "*": p.multipliedReportingOverflow(by: q)
      case "%": (floored(p, q).remainder, false)
      default: (floored(p, q).quotient, false)
      }
    guard !overflows, result.magnitude < TemplateToken.greatest else { throw TemplateError("a number is too large") }
    return .integer(result)
  }

  /// As Python divides: the remainder has the divisor's sign.
  private static func floored(_ a: Int, _ b: Int) -> (quotient: Int, remainder: Int) {
    let (quotient, remainder) = a.quotientAndRemainder(dividingBy: b)
    return remainder != 0 && (remainder < 0) != (b < 0) ? (quotient - 1, remainder + b) : (quotient, remainder)
  }

  private static func real(_ symbol: String, _ a: Double, _ b: Double) throws(TemplateError) -> TemplateValue {
    let result: Double
    switch symbol {
    case "+": result = a + b
    case "-": result = a - b
    case "*": result = a * b
    case "/" where b != 0: result = a / b
    case "//" where b != 0: result = (a / b).rounded(.down)
    case "%" where b != 0: result = a - (a / b).rounded(.down) * b
    default: throw TemplateError("division by zero")
    }
    guard result.isFinite else { throw TemplateError("a number is too large") }
    return .double(result)
  }
}
