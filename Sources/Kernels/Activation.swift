import CKernels

/// The non-linearity of a feed-forward layer, router or head, by its name in model files. NaN stays NaN.
///
/// `docs/format.md` has the equations, `CKernels/activation.cpp` the functions, and the list of them.
public struct Activation: RawRepresentable, CaseIterable, Sendable, Hashable {
  private let number: Int

  public static let allCases = (0..<rk_activation_count()).map { Activation(number: $0) }

  /// That of routers.
  package static let gelu: Activation = {
    guard let gelu = Activation(rawValue: "gelu") else { preconditionFailure("the kernels lack gelu") }
    return gelu
  }()

  private init(number: Int) { self.number = number }

  public init?(rawValue: String) {
    guard let found = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
    self = found
  }

  public var rawValue: String { unsafe String(cString: rk_activation_name(number)) }

  /// x ← f(x) for x [rows, width] f32, `stride` floats from row to row.
  package func apply(_ x: UnsafeMutablePointer<Float>, stride: Int, rows: Int, width: Int) {
    unsafe rk_activate(number, x, stride, rows, width)
  }

  /// out = f(gate) · up, the middle of a gated feed-forward layer.
  ///
  /// - Parameters:
  ///   - gateAndUp: [rows, 2·width] f32; a row is gate | up, as one product of a stacked matrix leaves it.
  ///   - out: [rows, width] f32; may be `gateAndUp` with the same stride.
  package func applyGated(
    _ gateAndUp: UnsafePointer<Float>, stride: Int, into out: UnsafeMutablePointer<Float>, stride outStride: Int,
    rows: Int, width: Int
  ) {
    unsafe rk_activate_gated(number, gateAndUp, stride, out, outStride, rows, width)
  }
}
