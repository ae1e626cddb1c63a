/// A regular expression as a tree.
indirect enum ExpressionNode: Equatable {
  case empty
  case set(CharacterSet)
  case sequence([ExpressionNode])
  /// The first that leads to a match wins.
  case alternatives([ExpressionNode])
  case repetition(ExpressionNode, minimum: Int, maximum: Int?, Greed)
  case lookahead(ExpressionNode, isNegative: Bool)
  /// One character before the place.
  case lookbehind(CharacterSet, isNegative: Bool)
  case atomic(ExpressionNode)
  case anchor(Anchor)

  enum Greed: Equatable { case greedy, lazy, possessive }

  /// Oniguruma's, in the syntax of Ruby.
  enum Anchor: Equatable {
    /// `^` and `$`: at the ends of a line.
    case lineStart, lineEnd
    /// `\A`, `\z` and `\Z`: of the text; the last also before a line feed that ends it.
    case textStart, textEnd, lastLineEnd
  }

  /// Whether it can match without taking a character.
  var isNullable: Bool {
    switch self {
    case .set: false
    case .empty, .lookahead, .lookbehind, .anchor: true
    case .sequence(let nodes): nodes.allSatisfy(\.isNullable)
    case .alternatives(let nodes): nodes.contains(where: \.isNullable)
    case .repetition(let node, let minimum, _, _): minimum == 0 || node.isNullable
    case .atomic(let node): node.isNullable
    }
  }

  var isSet: Bool { if case .set = self { true } else { false } }

  var hasEndlessRepetition: Bool {
    switch self {
    case .empty, .set, .lookahead, .lookbehind, .anchor: false
    case .sequence(let nodes), .alternatives(let nodes): nodes.contains(where: \.hasEndlessRepetition)
    case .repetition(let node, _, let maximum, _): maximum == nil || node.hasEndlessRepetition
    case .atomic(let node): node.hasEndlessRepetition
    }
  }
}
