import Models
import Tensors

/// Where the hidden units of a matrix lie.
enum UnitLayout: Sendable, Equatable {
  /// Unit u is rows u · span ..< (u + 1) · span.
  case rows(span: Int)
  /// Unit u is these columns.
  case columns(span: Int)
}
