/// A protobuf message under construction. Field numbers are those of `onnx.proto`.
struct ProtobufMessage {
  var bytes: [UInt8] = []

  mutating func add(_ field: Int, number: Int64) {
    addTag(field, wireType: 0)
    Self.append(UInt64(bitPattern: number), to: &bytes)
  }

  mutating func add(_ field: Int, bytes payload: [UInt8]) {
    addTag(field, wireType: 2)
    Self.append(UInt64(payload.count), to: &bytes)
    bytes += payload
  }

  mutating func add(_ field: Int, text: String) { add(field, bytes: Array(text.utf8)) }
  mutating func add(_ field: Int, message: ProtobufMessage) { add(field, bytes: message.bytes) }

  mutating func add(_ field: Int, packed numbers: [Int64]) {
    var run: [UInt8] = []
    for number in numbers { Self.append(UInt64(bitPattern: number), to: &run) }
    add(field, bytes: run)
  }

  mutating func addTag(_ field: Int, wireType: Int) {
    Self.append(UInt64(field << 3 | wireType), to: &bytes)
  }

  private static func append(_ value: UInt64, to bytes: inout [UInt8]) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}
