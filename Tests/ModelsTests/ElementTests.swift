import Models
import Tensors
import TestSupport
import Testing

/// Elements in every type and field that ONNX may store them in.
@Suite struct ElementTests {
  static let values: [Float] = [0, -0.0, 1, -2.5, 0.0625, 65504, -6e-5, 0x1p-24]
  static let halves = values.map { Float16($0).bitPattern }
  static let brains = values.map { UInt16($0.bitPattern >> 16) }

  static let payloads: [(type: Int64, payload: TensorFixture.Payload, expected: [Float])] = [
    (1, .raw(TensorFixture.bytes(values)), values),
    (1, .floats(values, packed: true), values),
    (1, .floats(values, packed: false), values),
    (10, .raw(TensorFixture.bytes(halves)), halves.map { Float(Float16(bitPattern: $0)) }),
    (10, .int32s(halves.map(Int64.init)), halves.map { Float(Float16(bitPattern: $0)) }),
    (16, .raw(TensorFixture.bytes(brains)), brains.map { Float(bitPattern: UInt32($0) << 16) }),
    (16, .int32s(brains.map(Int64.init)), brains.map { Float(bitPattern: UInt32($0) << 16) }),
  ]

  @Test(arguments: payloads.indices)
  func decodes(_ index: Int) throws {
    let (type, payload, expected) = Self.payloads[index]
    var fixture = ModelFixture.vanilla
    fixture.change("block.0.self_attn.k_proj.weight") {
      $0 = TensorFixture($0.name, type: type, extents: [2, 4], payload: payload)
    }
    let folder = TemporaryFolder()
    let file = try ModelFile.open(path: folder.write("model.onnx", fixture.bytes))
    let entry = try #require(file.tensor(named: "block.0.self_attn.k_proj.weight"))
    #expect(entry.floats().map(\.bitPattern) == expected.map(\.bitPattern))
    let row = unsafe [Float](unsafeUninitializedCapacity: 4) { buffer, count in
      unsafe entry.copyFloats(rows: 1..<2, into: buffer.baseAddress!)
      count = 4
    }
    #expect(row == Array(expected[4...]))
  }

  @Test(arguments: [true, false])
  func quantised(isRaw: Bool) throws {
    let values: [Int8] = [1, -2, 3, -128, 127, 0, 5, -6]
    var fixture = ModelFixture.vanilla
    fixture.change("block.0.self_attn.k_proj.weight") {
      $0.type = 3
      $0.payload = isRaw ? .raw(values.map(UInt8.init(bitPattern:))) : .int32s(values.map(Int64.init))
    }
    fixture.tensors.append(TensorFixture("block.0.self_attn.k_proj.weight.scale", [2], values: [0.5, 2]))
    let folder = TemporaryFolder()
    let file = try ModelFile.open(path: folder.write("model.onnx", fixture.bytes))
    let entry = try #require(file.tensor(named: "block.0.self_attn.k_proj.weight"))
    #expect(entry.scales == [0.5, 2])
    #expect(entry.floats() == [0.5, -1, 1.5, -64, 254, 0, 10, -12])
  }

  /// Every half float against the language's own conversion.
  @Test func allHalves() throws {
    let bits = (UInt16.min...UInt16.max).filter { $0 & 0x7C00 != 0x7C00 }
    let wide = bits.map { Float(Float16(bitPattern: $0)).bitPattern }
    var fixture = ModelFixture.vanilla
    fixture["vocab_size"] = "\(bits.count / 4)"
    fixture.change("embed_tokens.weight") {
      $0 = TensorFixture($0.name, type: 10, extents: [Int64(bits.count / 4), 4], payload: .raw(TensorFixture.bytes(bits)))
    }
    let folder = TemporaryFolder()
    let file = try ModelFile.open(path: folder.write("model.onnx", fixture.bytes))
    #expect(file.tensor(named: "embed_tokens.weight")?.floats().map(\.bitPattern) == wide)
  }

  /// Wherever the one bad number stands, and at any address.
  @Test(arguments: [1, 10, 16] as [Int64], [0, 1, 2047, 2048, 4095, 4096, 9999])
  func findsTheFirstNotFinite(type: Int64, place: Int) throws {
    var fixture = ModelFixture.vanilla
    fixture["vocab_size"] = "2500"
    let bits: [UInt8]
    if type == 1 {
      var values = (0..<10000).map { Float($0) }
      values[place] = place % 2 == 0 ? .nan : -.infinity
      bits = TensorFixture.bytes(values)
    } else {
      var values = [UInt16](repeating: type == 10 ? 0xFBFF : 0xFF7F, count: 10000)
      values[place] = type == 10 ? 0x7C00 : 0x7F81
      bits = TensorFixture.bytes(values)
    }
    fixture.change("embed_tokens.weight") {
      $0 = TensorFixture($0.name, type: type, extents: [2500, 4], payload: .raw(bits))
    }
    let error = try #require(failure(fixture.bytes))
    #expect(error.code == .notFinite)
    #expect(error.message.contains("embed_tokens.weight"))
    #expect(error.found.hasSuffix("element \(place)"))
  }
}
