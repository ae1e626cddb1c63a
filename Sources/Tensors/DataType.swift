/// How the elements of a tensor are stored.
public enum DataType: Sendable, Equatable, CaseIterable, CustomStringConvertible {
  /// q4: numbers of four bits, two in a byte.
  case f32, f16, bf16, int8, q4, int32, int64

  public var bitCount: Int {
    switch self {
    case .q4: 4
    case .int8: 8
    case .f16, .bf16: 16
    case .f32, .int32: 32
    case .int64: 64
    }
  }

  /// Bytes of so many elements; an even number of them with q4.
  public func byteCount(of elementCount: Int) -> Int {
    bitCount < 8 ? elementCount / (8 / bitCount) : elementCount * (bitCount / 8)
  }

  /// Bytes of a scale; 0 for types whose numbers stand for themselves.
  public var scaleByteCount: Int {
    switch self {
    case .int8: 4
    case .q4: 2
    default: 0
    }
  }
  /// Whether the numbers of a matrix are multiplied by scales.
  public var hasScales: Bool { scaleByteCount > 0 }

  public var description: String {
    switch self {
    case .f32: "f32"
    case .f16: "f16"
    case .bf16: "bf16"
    case .int8: "int8"
    case .q4: "q4"
    case .int32: "int32"
    case .int64: "int64"
    }
  }
}
