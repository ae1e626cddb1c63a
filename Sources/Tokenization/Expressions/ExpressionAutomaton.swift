/// An expression as a table: for each state and each kind of scalar the next state.
///
/// It finds what `ExpressionMatcher` finds, one look at the table for each scalar, without going back. A state is a list of
/// places in the program, the preferred one first; see `ExpressionAutomatonBuilder`. Some expressions have none.
struct ExpressionAutomaton: Sendable {
  /// [state, kind]: the next state, and in the highest bit whether a match ends before this kind; the last kind is the
  /// end of the text.
  private let transitions: [UInt16]
  private let width: Int
  /// For each byte whether a match may begin with it, so that others need not be looked at as scalars.
  private let begins: [Bool]

  /// The state that no match is reached from.
  static let dead: UInt16 = 0
  static let start: UInt16 = 1
  static let acceptBit: UInt16 = 0x8000

  /// nil where the program has parts that a table has no way to express, or too many states.
  init?(program: [Expression.Instruction], kinds: ScalarTable, kindCount: Int, first: Expression.KindMask) {
    var builder = ExpressionAutomatonBuilder(program: program, kinds: kinds, kindCount: kindCount)
    guard let transitions = builder.build() else { return nil }
    self.transitions = transitions
    width = kindCount + 1
    // Bytes that are part of no scalar count as a scalar outside of ASCII.
    let beginsOutside = (0x80...0x10FFFF).contains { first >> UInt64(kinds[UInt32($0)]) & 1 != 0 }
    begins = (0...255).map { $0 < 0x80 ? first >> UInt64(kinds[UInt32($0)]) & 1 != 0 : beginsOutside }
  }

  /// How many scalars were read of one text. Where a search goes far and fails, from one place after the other, the
  /// matcher is to go on, which remembers such places.
  struct Work {
    private var left: Int

    /// Published expressions read each scalar of ordinary text less than twice.
    init(_ text: Span<UInt8>) { left = 16 * text.count + 4096 }

    var isExceeded: Bool { left < 0 }

    mutating func take(_ scalarCount: Int) { left -= scalarCount }
  }

  /// The first match that starts at `start` or later; nil also when the work is exceeded.
  @inline(__always)
  func firstMatch(of expression: Expression, in text: Span<UInt8>, from start: Int, _ work: inout Work) -> Range<Int>? {
    var position = start
    while !work.isExceeded {
      while position < text.count, !begins[Int(text[position])] { position += 1 }
      guard position < text.count || expression.first == Expression.allKinds else { return nil }
      if let end = end(of: expression, in: text, from: position, &work) { return position..<end }
      guard position < text.count else { return nil }
      position += expression.kind(in: text, at: position).byteCount
    }
    return nil
  }

  /// The end of the match at `start`, or nil.
  private func end(of expression: Expression, in text: Span<UInt8>, from start: Int, _ work: inout Work) -> Int? {
    var state = Int(Self.start)
    var position = start
    var end: Int?
    while position < text.count {
      let (kind, byteCount) = expression.kind(in: text, at: position)
      let next = transitions[state * width + Int(kind)]
      if next & Self.acceptBit != 0 { end = position }
      state = Int(next & ~Self.acceptBit)
      if state == Self.dead {
        work.take(position - start + 1)
        return end
      }
      position += byteCount
    }
    work.take(position - start + 1)
    return transitions[state * width + width - 1] & Self.acceptBit != 0 ? position : end
  }
}
