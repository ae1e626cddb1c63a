/// An initializer to be written.
struct TensorFixture {
  enum Payload {
    case none
    case raw([UInt8])
    /// `float_data`, packed or one by one.
    case floats([Float], packed: Bool)
    /// `int32_data` and `int64_data`.
    case int32s([Int64])
    case int64s([Int64])
    case strings([String])
    case external([(String, String)])
    case several([UInt8], [Float])
  }

  var name: String
  /// A `TensorProto.DataType`: 1 f32, 3 int8, 7 int64, 8 string, 10 f16, 16 bf16.
  var type: Int64
  var extents: [Int64]
  var payload: Payload

  /// f32 in raw data; by default rising from 0 in steps of 1/8.
  init(_ name: String, _ extents: [Int64], values: [Float]? = nil) {
    let count = Int(extents.reduce(1, *))
    self.name = name
    type = 1
    self.extents = extents
    payload = .raw(Self.bytes(values ?? (0..<count).map { Float($0) / 8 }))
  }

  init(_ name: String, type: Int64, extents: [Int64], payload: Payload) {
    self.name = name
    self.type = type
    self.extents = extents
    self.payload = payload
  }

  static func bytes<Element: BitwiseCopyable>(_ values: [Element]) -> [UInt8] {
    unsafe values.withUnsafeBytes { unsafe Array($0) }
  }

  var message: ProtobufMessage {
    var tensor = ProtobufMessage()
    tensor.add(1, packed: extents)
    tensor.add(2, number: type)
    tensor.add(8, text: name)
    switch payload {
    case .none: break
    case .raw(let bytes): tensor.add(9, bytes: bytes)
    case .floats(let values, packed: true): tensor.add(4, bytes: Self.bytes(values))
    case .floats(let values, packed: false):
      for value in values { tensor.add(4, fixed: value) }
    case .int32s(let values): tensor.add(5, packed: values)
    case .int64s(let values): tensor.add(7, packed: values)
    case .strings(let strings): for string in strings { tensor.add(6, text: string) }
    case .external(let pairs):
      for (key, value) in pairs { tensor.add(13, message: .pair(key, value)) }
      tensor.add(14, number: 1)
    case .several(let bytes, let values):
      tensor.add(9, bytes: bytes)
      tensor.add(4, bytes: Self.bytes(values))
    }
    return tensor
  }
}

extension ProtobufMessage {
  mutating func add(_ field: Int, fixed value: Float) {
    addTag(field, wireType: 5)
    append(TensorFixture.bytes([value]))
  }

  mutating func append(_ more: [UInt8]) { self = ProtobufMessage(bytes: bytes + more) }

  static func pair(_ key: String, _ value: String) -> ProtobufMessage {
    var pair = ProtobufMessage()
    pair.add(1, text: key)
    pair.add(2, text: value)
    return pair
  }
}
