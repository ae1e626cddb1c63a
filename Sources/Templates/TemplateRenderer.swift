/// One run of a template.
struct TemplateRenderer {
  enum Flow {
    case goOn
    case leave(isContinue: Bool)
  }

  private(set) var output = ""
  private var outputLength = 0
  private var scopes: [[String: TemplateValue]]
  private var namespaces: [[String: TemplateValue]] = []
  private var steps = 0

  /// Conversations take thousands of steps; more than this is a loop that was meant to be one.
  private static let mostSteps = 2_000_000
  /// Bytes of a text, and elements of a list, that an expression may make.
  static let longestText = 16 << 20
  static let longestList = 100_000

  init(variables: [String: TemplateValue]) { scopes = [variables] }

  mutating func run(_ nodes: [TemplateNode]) throws(TemplateError) -> Flow {
    for node in nodes {
      try step()
      if case .leave(let isContinue) = try run(node) { return .leave(isContinue: isContinue) }
    }
    return .goOn
  }

  private mutating func run(_ node: TemplateNode) throws(TemplateError) -> Flow {
    switch node {
    case .text(let text): try write(text)
    case .output(let expression): try write(try value(expression).text)
    case .branch(let branches):
      for (condition, body) in branches {
        if let condition, try !value(condition).isTrue { continue }
        return try run(body)
      }
    case .loop(let names, let over, let condition, let body, let otherwise):
      try loop(names, try elements(try value(over)), condition, body, otherwise)
    case .set(let name, nil, let expression): set(name, try value(expression))
    case .set(let name, let member?, let expression): try setMember(member, of: name, try value(expression))
    case .setText(let name, let body):
      let before = output
      output = ""
      _ = try run(body)
      set(name, .string(output))
      output = before
    case .leave(let isContinue): return .leave(isContinue: isContinue)
    }
    return .goOn
  }

  private mutating func loop(
    _ names: [String], _ all: [TemplateValue], _ condition: TemplateExpression?, _ body: [TemplateNode], _ otherwise: [TemplateNode]
  ) throws(TemplateError) {
    scopes.append([:])
    defer { scopes.removeLast() }
    var values: [TemplateValue] = all
    if let condition {
      values = []
      for element in all {
        try step()
        try bind(names, to: element)
        if try value(condition).isTrue { values.append(element) }
      }
    }
    for (index, element) in values.enumerated() {
      try step()
      scopes[scopes.count - 1] = ["loop": TemplateRenderer.position(index, in: values)]
      try bind(names, to: element)
      if case .leave(let isContinue) = try run(body), !isContinue { break }
    }
    if values.isEmpty { _ = try run(otherwise) }
  }

  /// What `loop` is in the turn of an element.
  private static func position(_ index: Int, in values: [TemplateValue]) -> TemplateValue {
    .object([
      .init("index", .integer(index + 1)), .init("index0", .integer(index)), .init("length", .integer(values.count)),
      .init("revindex", .integer(values.count - index)), .init("revindex0", .integer(values.count - index - 1)),
      .init("first", .bool(index == 0)), .init("last", .bool(index == values.count - 1)),
      .init("previtem", index > 0 ? values[index - 1] : .undefined("loop.previtem")),
      .init("nextitem", index + 1 < values.count ? values[index + 1] : .undefined("loop.nextitem")),
    ])
  }

  private mutating func bind(_ names: [String], to element: TemplateValue) throws(TemplateError) {
    if names.count == 1 { return set(names[0], element) }
    guard case .list(let parts) = element, parts.count == names.count else {
      throw TemplateError("{% for \(names.joined(separator: ", ")) %}: expected \(names.count) parts, found \(element.kind)")
    }
    for (name, part) in zip(names, parts) { set(name, part) }
  }

  // MARK: Names

  mutating func set(_ name: String, _ value: TemplateValue) { scopes[scopes.count - 1][name] = value }

  func lookUp(_ name: String) -> TemplateValue {
    for scope in scopes.reversed() {
      if let value = scope[name] { return value }
    }
    return .undefined(name)
  }

  private mutating func setMember(_ member: String, of name: String, _ value: TemplateValue) throws(TemplateError) {
    guard case .namespace(let number) = lookUp(name) else { throw TemplateError("{% set \(name).\(member) %}: '\(name)' is no namespace") }
    namespaces[number][member] = value
  }

  mutating func makeNamespace(_ members: [String: TemplateValue]) throws(TemplateError) -> TemplateValue {
    guard namespaces.count < TemplateRenderer.longestList else { throw TemplateError("too many namespaces") }
    namespaces.append(members)
    return .namespace(namespaces.count - 1)
  }

  func member(_ name: String, ofNamespace number: Int) -> TemplateValue { namespaces[number][name] ?? .undefined(name) }

  // MARK: Limits

  mutating func step() throws(TemplateError) {
    steps += 1
    guard steps <= TemplateRenderer.mostSteps else {
      throw TemplateError("the template takes more than \(TemplateRenderer.mostSteps) steps")
    }
  }

  private mutating func write(_ text: String) throws(TemplateError) {
    outputLength += text.utf8.count
    guard outputLength <= TemplateRenderer.longestText else {
      throw TemplateError("the template writes more than \(TemplateRenderer.longestText) bytes")
    }
    output += text
  }

  static func checked(_ text: String) throws(TemplateError) -> TemplateValue {
    guard text.utf8.count <= longestText else { throw TemplateError("a text has more than \(longestText) bytes") }
    return .string(text)
  }

  static func checked(_ values: [TemplateValue]) throws(TemplateError) -> TemplateValue {
    guard values.count <= longestList else { throw TemplateError("a list has more than \(longestList) elements") }
    return .list(values)
  }
}
