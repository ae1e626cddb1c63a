extension TemplateRenderer {
  private static let functions = ["namespace", "range", "raise_exception", "dict"]
  private static let filters = [
    "trim", "upper", "lower", "capitalize", "length", "count", "default", "d", "first", "last", "join", "string", "int", "list",
    "tojson", "replace", "items", "reverse",
  ]
  private static let tests = [
    "defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "integer", "float", "boolean", "true",
    "false", "equalto", "eq", "even", "odd", "in",
  ]
  private static let methods = [
    "strip", "lstrip", "rstrip", "startswith", "endswith", "split", "upper", "lower", "capitalize", "replace", "join", "items", "keys",
    "values", "get",
  ]

  // MARK: Calls

  mutating func call(_ function: TemplateExpression, _ arguments: TemplateExpression.Arguments) throws(TemplateError) -> TemplateValue {
    let positional = try values(arguments.positional)
    switch function {
    case .name(let name): return try call(name, positional, try named(arguments))
    case .member(let holder, let name): return try method(name, try value(holder), positional)
    default: throw TemplateError("only functions and methods can be called")
    }
  }

  private mutating func call(
    _ name: String, _ arguments: [TemplateValue], _ named: [String: TemplateValue]
  ) throws(TemplateError) -> TemplateValue {
    switch name {
    case "raise_exception": throw TemplateError(arguments.first?.text ?? "the template refuses the conversation")
    case "namespace": return try makeNamespace(named)
    case "dict": return .object(named.sorted { $0.key < $1.key }.map { .init($0.key, $0.value) })
    case "range":
      let bounds = try arguments.map { argument throws(TemplateError) in try whole(argument, "range") }
      guard (1...3).contains(bounds.count) else { throw TemplateError("range takes 1 to 3 numbers, found \(bounds.count)") }
      let step = bounds.count == 3 ? bounds[2] : 1
      guard step != 0 else { throw TemplateError("range by 0") }
      let (start, end) = bounds.count == 1 ? (0, bounds[0]) : (bounds[0], bounds[1])
      let numbers = stride(from: start, to: end, by: step).prefix(TemplateRenderer.longestList + 1)
      return try TemplateRenderer.checked(numbers.map { .integer($0) })
    default:
      throw .unsupported("the function \(name)", known: TemplateRenderer.functions)
    }
  }

  private func whole(_ value: TemplateValue, _ name: String) throws(TemplateError) -> Int {
    guard case .integer(let number) = value else { throw TemplateError("\(name) needs whole numbers, found \(value.kind)") }
    return number
  }

  private func string(_ value: TemplateValue?, _ name: String) throws(TemplateError) -> String {
    guard case .string(let text) = value else { throw TemplateError("\(name) needs a text, found \(value?.kind ?? "nothing")") }
    return text
  }

  private func method(_ name: String, _ holder: TemplateValue, _ arguments: [TemplateValue]) throws(TemplateError) -> TemplateValue {
    switch holder {
    case .undefined(let missing): throw TemplateError("'\(missing)' is undefined, so it has no '\(name)'")
    case .string(let text): return try method(name, text, arguments)
    case .object(let members):
      switch name {
      case "items": return .list(members.map { .list([.string($0.key), $0.value]) })
      case "keys": return .list(members.map { .string($0.key) })
      case "values": return .list(members.map(\.value))
      case "get":
        guard let key = arguments.first else { throw TemplateError("get needs a key") }
        return holder.member(key.text) ?? (arguments.count > 1 ? arguments[1] : .none)
      default: break
      }
    default: break
    }
    throw .unsupported("the method \(name) of \(holder.kind)", known: TemplateRenderer.methods)
  }

  private func method(_ name: String, _ text: String, _ arguments: [TemplateValue]) throws(TemplateError) -> TemplateValue {
    let characters = arguments.isEmpty ? nil : arguments[0].text
    switch name {
    case "strip": return .string(TemplateText.stripped(text, of: characters))
    case "lstrip": return .string(TemplateText.stripped(text, of: characters, end: false))
    case "rstrip": return .string(TemplateText.stripped(text, of: characters, start: false))
    case "startswith": return .bool(try begins(text.unicodeScalars, arguments.first, name))
    case "endswith":
      let piece = try string(arguments.first, name)
      return .bool(text.unicodeScalars.reversed().starts(with: piece.unicodeScalars.reversed()))
    case "split":
      guard let characters else { return .list(TemplateText.words(of: text).map { .string($0) }) }
      guard !characters.isEmpty else { throw TemplateError("split needs a separator") }
      let most = arguments.count > 1 ? try whole(arguments[1], name) : -1
      let parts = TemplateText.parts(of: text, separatedBy: characters, most: most < 0 || most == .max ? .max : most + 1)
      return try TemplateRenderer.checked(parts.map { .string($0) })
    case "join": return try joined(arguments.first ?? .undefined("join"), with: text)
    case "upper", "lower", "capitalize", "replace": return try filter(name, .string(text), arguments, [:])
    default: throw .unsupported("the method \(name) of a text", known: TemplateRenderer.methods)
    }
  }

  private func begins(_ text: String.UnicodeScalarView, _ piece: TemplateValue?, _ name: String) throws(TemplateError) -> Bool {
    text.starts(with: try string(piece, name).unicodeScalars)
  }

  private func joined(_ values: TemplateValue, with separator: String) throws(TemplateError) -> TemplateValue {
    var length = 0
    var texts: [String] = []
    for element in try elements(values) {
      length += element.text.utf8.count + separator.utf8.count
      guard length <= TemplateRenderer.longestText else { break }
      texts.append(element.text)
    }
    guard length <= TemplateRenderer.longestText else { throw TemplateError("a text has more than \(TemplateRenderer.longestText) bytes") }
    return .string(texts.joined(separator: separator))
  }

  // MARK: Filters

  func filter(
    _ name: String, _ value: TemplateValue, _ arguments: [TemplateValue], _ named: [String: TemplateValue]
  ) throws(TemplateError) -> TemplateValue {
    switch name {
    case "trim": return .string(TemplateText.stripped(value.text, of: arguments.first?.text))
    case "upper": return try TemplateRenderer.checked(value.text.uppercased())
    case "lower": return try TemplateRenderer.checked(value.text.lowercased())
    case "capitalize": return try TemplateRenderer.checked(TemplateText.capitalized(value.text))
    case "string": return .string(value.text)
    case "tojson":
      guard named["indent"] == nil, arguments.isEmpty else { throw TemplateError("tojson with an indent is not supported") }
      return try TemplateRenderer.checked(value.json)
    case "default", "d":
      let other = arguments.first ?? .string("")
      let wantsTrue = (arguments.count > 1 ? arguments[1] : named["boolean"] ?? .bool(false)).isTrue
      if case .undefined = value { return other }
      return wantsTrue && !value.isTrue ? other : value
    case "length", "count": return .integer(try elements(value).count)
    case "first": return try elements(value).first ?? .undefined("first")
    case "last": return try elements(value).last ?? .undefined("last")
    case "list": return try TemplateRenderer.checked(try elements(value))
    case "reverse":
      let reversed = Array(try elements(value).reversed())
      if case .string = value { return .string(reversed.map(\.text).joined()) }
      return .list(reversed)
    case "items": return try method("items", value, [])
    case "join": return try joined(value, with: (arguments.first ?? named["d"])?.text ?? "")
    case "int":
      let number = value.number ?? Double(Int(TemplateText.stripped(value.text, of: nil)) ?? 0)
      guard number.magnitude < Double(TemplateToken.greatest) else { throw TemplateError("a number is too large") }
      return .integer(Int(number))
    case "replace":
      guard arguments.count >= 2 else { throw TemplateError("replace needs two texts") }
      let parts = TemplateText.parts(of: value.text, separatedBy: arguments[0].text)
      return try joined(.list(parts.map { .string($0) }), with: arguments[1].text)
    default: throw .unsupported("the filter \(name)", known: TemplateRenderer.filters)
    }
  }

  // MARK: Tests

  func test(_ name: String, _ value: TemplateValue, _ arguments: [TemplateValue]) throws(TemplateError) -> Bool {
    switch (name, value) {
    case ("defined", .undefined): return false
    case ("defined", _): return true
    case ("undefined", .undefined), ("none", .none), ("string", .string), ("mapping", .object), ("boolean", .bool): return true
    case ("true", .bool(let flag)): return flag
    case ("false", .bool(let flag)): return !flag
    case ("integer", .integer), ("float", .double): return true
    case ("number", .integer), ("number", .double), ("number", .bool): return true
    case ("iterable", .string), ("iterable", .list), ("iterable", .object), ("iterable", .undefined): return true
    case ("sequence", .string), ("sequence", .list), ("sequence", .object): return true
    case ("even", .integer(let number)): return number.isMultiple(of: 2)
    case ("odd", .integer(let number)): return !number.isMultiple(of: 2)
    case ("equalto", _), ("eq", _): return arguments.first.map(value.equals) ?? false
    case ("in", _): return try elements(arguments.first ?? .undefined("in")).contains { $0.equals(value) }
    default:
      guard TemplateRenderer.tests.contains(name) else { throw .unsupported("the test \(name)", known: TemplateRenderer.tests) }
      return false
    }
  }
}
