import CKernels

/// The non-linearity of a feed-forward layer, router or head. NaN stays NaN.
public enum Activation: Sendable, CaseIterable {
  /// x · sigmoid(x)
  case silu
  /// x · Φ(x) with the exact Φ (erf); within 2e-7 + 2 ulp
  case gelu
  /// x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))
  case geluTanh
  /// max(x, 0)
  case relu
  case tanh
  case sigmoid

  /// x ← f(x) for x [rows, width] f32, `stride` floats from row to row.
  public func apply(_ x: UnsafeMutablePointer<Float>, stride: Int, rows: Int, width: Int) {
    unsafe rk_activate(kernel, x, stride, rows, width)
  }

  /// out = f(gate) · up, the middle of a gated feed-forward layer.
  ///
  /// - Parameters:
  ///   - gateAndUp: [rows, 2·width] f32; a row is gate | up, as one product of a stacked matrix leaves it.
  ///   - out: [rows, width] f32; may be `gateAndUp` with the same stride.
  public func applyGated(
    _ gateAndUp: UnsafePointer<Float>, stride: Int, into out: UnsafeMutablePointer<Float>, stride outStride: Int,
    rows: Int, width: Int
  ) {
    unsafe rk_activate_gated(kernel, gateAndUp, stride, out, outStride, rows, width)
  }

  private var kernel: rk_activation {
    switch self {
    case .silu: rk_silu
    case .gelu: rk_gelu
    case .geluTanh: rk_gelu_tanh
    case .relu: rk_relu
    case .tanh: rk_tanh
    case .sigmoid: rk_sigmoid
    }
  }
}
