import Files

/// A compiled regular expression: what Oniguruma finds, in time linear in the text.
///
/// Scalars fall into a few kinds that no set of the expression tells apart, so a set is a mask of kinds. The matcher tries
/// alternatives in their order and goes back, as Oniguruma does; where a text makes it go back often, it remembers the
/// places that led nowhere, and no such place is tried twice.
struct Expression: Sendable {
  /// As it was written.
  let source: String
  let program: [Instruction]
  /// The number of places in the program that are worth remembering.
  let slotCount: Int
  /// The kind of every scalar.
  let kinds: ScalarTable
  /// The kinds that a match can begin with; all where it may be empty.
  let first: KindMask
  /// The same as a table, where it has one.
  let automaton: ExpressionAutomaton?

  /// A bit for each kind of scalar.
  typealias KindMask = UInt64

  static let allKinds = KindMask.max

  /// What a byte counts as that is no part of valid UTF-8.
  static let replacement: UInt32 = 0xFFFD

  enum Instruction: Sendable, Equatable {
    /// One scalar of these kinds.
    case one(KindMask)
    case run(Run)
    /// First `next + 1`, then `other`; or the other way round.
    case split(other: Int, prefersOther: Bool, slot: Int)
    case jump(Int)
    /// The first branch that leads to a match, of those that can begin with the next kind.
    case branches([Branch], slot: Int)
    /// What follows, up to `accept`, must match here, or must not; goes on at `end`.
    case look(isNegative: Bool, end: Int)
    /// What follows, up to `accept`, matches as it first does; goes on at `end`.
    case atomic(end: Int)
    case lookbehind(KindMask, isNegative: Bool)
    case anchor(ExpressionNode.Anchor)
    case accept
  }

  /// Scalars of these kinds, as many as there are or as few as lead to a match.
  struct Run: Sendable, Equatable {
    var mask: KindMask
    var minimum: Int
    var maximum: Int
    var greed: ExpressionNode.Greed
    var slot: Int
  }

  struct Branch: Sendable, Equatable {
    /// The kinds that it can begin with.
    var first: KindMask
    /// Also at the end of the text, and before any kind.
    var isNullable: Bool
    var start: Int
  }

  /// - Throws: `invalidTokenizer` for an expression with a part that is not supported, naming it.
  init(_ source: String) throws(RallyError) {
    let node = try ExpressionParser.parse(source)
    var compiler = try ExpressionCompiler(node, source: source)
    self.source = source
    (program, slotCount) = try compiler.compile(node)
    kinds = compiler.kinds
    first = node.isNullable ? Self.allKinds : compiler.first(of: node)
    automaton = ExpressionAutomaton(program: program, kinds: kinds, kindCount: compiler.kindCount, first: first)
  }
}

extension Expression: Equatable {
  static func == (one: Expression, other: Expression) -> Bool { one.source == other.source }
}
