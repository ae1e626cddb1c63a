import Files

/// Makes the program of a tree.
struct ExpressionCompiler {
  /// The kind of every scalar.
  let kinds: ScalarTable
  let kindCount: Int
  private let source: String
  private let sets: [(set: CharacterSet, mask: Expression.KindMask)]
  private var program: [Expression.Instruction] = []
  private var slotCount = 0

  /// Each published expression takes fewer than 100.
  private static let instructionLimit = 4096
  private static let kindLimit = 64

  init(_ node: ExpressionNode, source: String) throws(RallyError) {
    self.source = source
    var sets: [CharacterSet] = []
    Self.collect(node, into: &sets)
    let kinds = try Self.divide(sets, source: source)
    self.kinds = ScalarTable(ScalarTable.flat(runs: kinds.runs, bitCount: 8))
    kindCount = kinds.runs.reduce(0) { max($0, Int($1 & 255) + 1) }
    self.sets = zip(sets, kinds.masks).map { ($0, $1) }
  }

  private static func collect(_ node: ExpressionNode, into sets: inout [CharacterSet]) {
    switch node {
    case .set(let set), .lookbehind(let set, _): if !sets.contains(set) { sets.append(set) }
    case .sequence(let nodes), .alternatives(let nodes): for node in nodes { collect(node, into: &sets) }
    case .repetition(let node, _, _, _), .lookahead(let node, _), .atomic(let node): collect(node, into: &sets)
    // Whether a line ends depends on this one.
    case .anchor: collect(.set(.ranges([0x0A...0x0A])), into: &sets)
    case .empty: break
    }
  }

  /// Gives scalars one kind that are in the same sets, and sets the masks of their kinds.
  private static func divide(
    _ sets: [CharacterSet], source: String
  ) throws(RallyError) -> (runs: [UInt32], masks: [Expression.KindMask]) {
    guard sets.count <= 64 else { throw tooLarge(source, "more than 64 sets of characters") }
    let table = UnicodeTable.shared
    var boundaries = [0] + UnicodeTable.classRuns.map { $0 >> 8 }
    for set in sets { set.appendBoundaries(to: &boundaries, in: table) }
    var kinds: [UInt64: UInt32] = [:]
    var masks = [Expression.KindMask](repeating: 0, count: sets.count)
    var runs: [UInt32] = []
    var previous: UInt32?
    for scalar in Set(boundaries).sorted() where scalar <= 0x10FFFF {
      var members: UInt64 = 0
      for (index, set) in sets.enumerated() where set.contains(scalar, in: table) { members |= 1 << UInt64(index) }
      if scalar == previous { continue }
      previous = scalar
      let kind = kinds[members] ?? UInt32(kinds.count)
      guard kind < kindLimit else { throw tooLarge(source, "more than \(kindLimit) kinds of characters") }
      if kinds.updateValue(kind, forKey: members) == nil {
        for index in sets.indices where members >> UInt64(index) & 1 != 0 { masks[index] |= 1 << UInt64(kind) }
      }
      runs.append(scalar << 8 | kind)
    }
    return (runs, masks)
  }

  private static func tooLarge(_ source: String, _ found: String) -> RallyError {
    RallyError(.invalidTokenizer, "expression \(quoted(source))", expected: "a smaller expression", found: found)
  }

  private func mask(_ set: CharacterSet) -> Expression.KindMask {
    sets.first { $0.set == set }?.mask ?? 0
  }

  /// The kinds that a match of `node` can begin with, where it takes a character.
  func first(of node: ExpressionNode) -> Expression.KindMask {
    switch node {
    case .empty, .lookahead, .lookbehind, .anchor: return 0
    case .set(let set): return mask(set)
    case .alternatives(let nodes): return nodes.reduce(0) { $0 | first(of: $1) }
    case .repetition(let node, _, _, _), .atomic(let node): return first(of: node)
    case .sequence(let nodes):
      var found: Expression.KindMask = 0
      for node in nodes {
        found |= first(of: node)
        if !node.isNullable { break }
      }
      return found
    }
  }
}

extension ExpressionCompiler {
  mutating func compile(_ node: ExpressionNode) throws(RallyError) -> ([Expression.Instruction], Int) {
    try append(node)
    try add(.accept)
    return (program, slotCount)
  }

  private mutating func add(_ instruction: Expression.Instruction) throws(RallyError) {
    guard program.count < Self.instructionLimit else { throw Self.tooLarge(source, "too many repetitions") }
    program.append(instruction)
  }

  private mutating func slot() -> Int {
    defer { slotCount += 1 }
    return slotCount
  }

  private mutating func append(_ node: ExpressionNode) throws(RallyError) {
    switch node {
    case .empty: break
    case .set(let set): try add(.one(mask(set)))
    case .sequence(let nodes): for node in nodes { try append(node) }
    case .alternatives(let nodes): try appendBranches(nodes)
    case .repetition(let node, let minimum, let maximum, let greed):
      try appendRepetition(node, minimum, maximum, greed)
    case .lookahead(let node, let isNegative):
      try appendBody(node) { .look(isNegative: isNegative, end: $0) }
    case .atomic(let node): try appendBody(node) { .atomic(end: $0) }
    case .lookbehind(let set, let isNegative): try add(.lookbehind(mask(set), isNegative: isNegative))
    case .anchor(let anchor): try add(.anchor(anchor))
    }
  }

  private mutating func appendBody(
    _ node: ExpressionNode, _ instruction: (Int) -> Expression.Instruction
  ) throws(RallyError) {
    let place = program.count
    try add(.accept)
    try append(node)
    try add(.accept)
    program[place] = instruction(program.count)
  }

  private mutating func appendBranches(_ nodes: [ExpressionNode]) throws(RallyError) {
    let place = program.count
    let slot = slot()
    try add(.accept)
    var branches: [Expression.Branch] = []
    var jumps: [Int] = []
    for node in nodes {
      branches.append(
        Expression.Branch(first: first(of: node), isNullable: node.isNullable, start: program.count))
      try append(node)
      jumps.append(program.count)
      try add(.accept)
    }
    program[place] = .branches(branches, slot: slot)
    for jump in jumps { program[jump] = .jump(program.count) }
  }

  private mutating func appendRepetition(
    _ node: ExpressionNode, _ minimum: Int, _ maximum: Int?, _ greed: ExpressionNode.Greed
  ) throws(RallyError) {
    if case .set(let set) = node {
      let slot = slot()
      return try add(.run(Expression.Run(mask: mask(set), minimum: minimum, maximum: maximum ?? .max, greed: greed, slot: slot)))
    }
    for _ in 0..<minimum { try append(node) }
    guard let maximum else { return try appendLoop(node, greed) }
    // (a(a(a)?)?)?: each one only after the one before.
    var splits: [Int] = []
    for _ in minimum..<max(maximum, minimum) {
      splits.append(program.count)
      try add(.accept)
      try append(node)
    }
    for place in splits { program[place] = .split(other: program.count, prefersOther: greed == .lazy, slot: slot()) }
  }

  private mutating func appendLoop(_ node: ExpressionNode, _ greed: ExpressionNode.Greed) throws(RallyError) {
    let place = program.count
    let slot = slot()
    try add(.accept)
    try append(node)
    try add(.jump(place))
    program[place] = .split(other: program.count, prefersOther: greed == .lazy, slot: slot)
  }
}
