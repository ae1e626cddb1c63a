import Kernels
import Tensors

/// What a matrix that can be stored in a narrower type is for.
public enum MatrixKind: String, Sendable, CaseIterable {
  /// `embed_tokens.weight`; the head too where it is tied.
  case embedding
  case attention
  case feedForward = "feed_forward"
  /// `lm_head.weight`.
  case head

  /// What a matrix of this kind is stored in where `wanted` is asked for. With q4 embedding and head are int8: all of a model
  /// goes through them; so is a matrix without whole groups of inputs.
  func dataType(_ wanted: DataType, inputs: Int) -> DataType {
    switch self {
    case .embedding, .head: wanted == .q4 ? .int8 : wanted
    case .attention, .feedForward: PackedMatrix.dataType(wanted, inputs: inputs)
    }
  }

  /// Nil for everything that keeps its type: norms, biases, positions, routers, a rater's head.
  init?(tensor name: String) {
    switch name {
    case "embed_tokens.weight": self = .embedding
    case "lm_head.weight": self = .head
    default:
      let parts = name.split(separator: ".")
      guard parts.count > 3, parts.last == "weight", parts[parts.count - 2].hasSuffix("_proj") else { return nil }
      switch parts[parts.count - 3] {
      case "self_attn": self = .attention
      case "mlp": self = .feedForward
      default: return nil
      }
    }
  }
}
