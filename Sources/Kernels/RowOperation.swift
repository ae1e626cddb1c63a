package import Tensors

/// What becomes of each row of x before a product reads it. A worker that makes rows bf16 or int8 does both in one go, while they are
/// in its cache.
@safe package enum RowOperation {
  /// x = act(x).
  case activate(Activation)
  /// x = act(gate) · up; a row of twice the width is gate | up, and x its first half.
  case gate(Activation)
  /// source += summand, where there is one; x = norm(source). x may be `source`.
  case normalize(Norm.Parameters, source: FloatRows, summand: FloatRows? = nil)

  /// On rows `range` of x, [n, width], and of the operation's own.
  package func apply(to x: FloatRows, rows range: Range<Int>) { rows(range).apply(to: x.rows(range)) }

  private func apply(to x: FloatRows) {
    switch self {
    case .activate(let activation):
      unsafe activation.apply(x.base, stride: x.stride, rows: x.rowCount, width: x.width)
    case .gate(let activation):
      unsafe activation.applyGated(x.base, stride: x.stride, into: x.base, stride: x.stride, rows: x.rowCount, width: x.width)
    case .normalize(let norm, let source, let summand):
      if let summand { Rows.add(summand, to: source) }
      norm.apply(to: source, into: x)
    }
  }

  /// The operation on these rows of x alone.
  package func rows(_ range: Range<Int>) -> RowOperation {
    guard case .normalize(let norm, let source, let summand) = self else { return self }
    return .normalize(norm, source: source.rows(range), summand: summand?.rows(range))
  }
}
