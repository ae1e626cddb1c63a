/// How the elements of a tensor are stored.
public enum DataType: Sendable, Equatable, CaseIterable, CustomStringConvertible {
  case f32, f16, bf16, int8, int32, int64

  public var byteCount: Int {
    switch self {
    case .int8: 1
    case .f16, .bf16: 2
    case .f32, .int32: 4
    case .int64: 8
    }
  }

  public var description: String {
    switch self {
    case .f32: "f32"
    case .f16: "f16"
    case .bf16: "bf16"
    case .int8: "int8"
    case .int32: "int32"
    case .int64: "int64"
    }
  }
}
