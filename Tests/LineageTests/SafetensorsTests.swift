import Files
import Kernels
import Lineage
import TestSupport
import Testing

/// Checkpoints that nobody can trust: whatever the bytes say, opening ends with a model or a named error.
@Suite struct SafetensorsTests {
  private static let names = ["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]
  private static let headerText =
    "{"
    + names.enumerated().map { index, name in
      #""model.layers.0.\#(name).weight":{"dtype":"F32","shape":[4,4],"data_offsets":[\#(index * 64),\#(index * 64 + 64)]}"#
    }.joined(separator: ",") + #","__metadata__":{"format":"pt"}}"#

  private static func file(_ header: String, dataByteCount: Int = 192) -> [UInt8] {
    let header = Array(header.utf8)
    let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
    return length + header + (0..<dataByteCount).map { UInt8($0 % 60) }
  }

  private func failure(_ path: String) -> RallyError? {
    do throws(RallyError) {
      let model = try UnitModel.open(path: path)
      for set in model.sets {
        for (_, matrix) in set.matrices { _ = try matrix.vectors(Array(0..<matrix.unitCount)) }
      }
      return nil
    } catch {
      return error
    }
  }

  @Test func aFileIsRead() throws {
    let folder = TemporaryFolder()
    let model = try UnitModel.open(path: folder.write("a.safetensors", Self.file(Self.headerText)))
    #expect(model.sets.map(\.name) == ["layers.0.feed_forward"] && model.sets[0].unitCount == 4)
    #expect(model.sets[0].matrices.map(\.key) == Self.names.map { "\($0).weight" })
    let vectors = try model.sets[0].matrices[2].matrix.vectors([2])
    #expect(vectors.rowCount == 1 && vectors.width == 4)
  }

  @Test(arguments: [
    ("", RallyError.Code.corruptFile), ("[]", .corruptFile), ("{} x", .corruptFile), ("{\"a\":1}", .corruptFile),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#, .corruptFile),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, .corruptFile),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, .corruptFile),
    (#"{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}"#, .corruptFile),
    (#"{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}}"#, .corruptFile),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,200]}}"#, .truncatedData),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,9223372036854775807]}}"#, .truncatedData),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, .truncatedData),
    (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, .invalidShape),
    (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}"#, .invalidShape),
    (#"{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,4]}}"#, .truncatedData),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
      .duplicateTensor
    ),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, .unsupported),
    (#"{"layers.0.mlp.up_proj.weight":{"dtype":"I64","shape":[4,4],"data_offsets":[0,128]}}"#, .invalidDataType),
    (#"{"layers.0.mlp.up_proj.weight":{"dtype":"F32","shape":[16],"data_offsets":[0,64]}}"#, .invalidShape),
    (#"{"layers.0.mlp.up_proj.weight":{"dtype":"F32","shape":[0,4],"data_offsets":[0,0]}}"#, .invalidShape),
  ])
  func whatIsWrongIsNamed(header: String, code: RallyError.Code) {
    let folder = TemporaryFolder()
    #expect(failure(folder.write("a.safetensors", Self.file(header)))?.code == code)
  }

  @Test func truncationAtEveryByte() {
    let folder = TemporaryFolder()
    let whole = Self.file(Self.headerText)
    for length in 0..<whole.count {
      let found = failure(folder.write("a.safetensors", Array(whole[..<length])))?.code
      #expect(found == (length == 0 ? .emptyFile : length < whole.count - 192 ? .corruptFile : .truncatedData))
    }
  }

  @Test(arguments: 0..<4 as Range<UInt64>)
  func mutantsAreAnswered(seed: UInt64) {
    let folder = TemporaryFolder()
    var generator = SplitMix(state: seed)
    let pieces = ["9", "-", "0", ",", "[", "]", "{", "}", "\"", ":", "e9", "184467440737", "\\u00"].map { Array($0.utf8) }
    for _ in 0..<1000 {
      var bytes = Self.file(Self.headerText)
      for _ in 0...Int.random(in: 0...3, using: &generator) {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0...3, using: &generator) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.insert(contentsOf: pieces.randomElement(using: &generator) ?? [], at: place)
        case 2: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...9, using: &generator)))
        default: bytes[Int.random(in: 0..<8, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
        }
        if bytes.count < 9 { bytes = Self.file(Self.headerText) }
      }
      _ = failure(folder.write("a.safetensors", bytes))
    }
  }

  @Test func foldersAreReadByTheirIndex() throws {
    let folder = TemporaryFolder()
    #expect(failure(folder.path)?.code == .fileNotFound)
    _ = folder.write("part.safetensors", Self.file(Self.headerText))
    func index(_ text: String) -> RallyError.Code? {
      _ = folder.write("model.safetensors.index.json", Array(text.utf8))
      return failure(folder.path)?.code
    }
    #expect(index(#"{"metadata": {}, "weight_map": {"a": "part.safetensors", "b": "part.safetensors"}}"#) == nil)
    #expect(index(#"{"weight_map": {"a": "../part.safetensors"}}"#) == .externalDataForbidden)
    #expect(index(#"{"weight_map": {"a": "/etc/passwd"}}"#) == .externalDataForbidden)
    #expect(index(#"{"weight_map": {"a": "none.safetensors"}}"#) == .fileNotFound)
    #expect(index(#"{"weight_map": {}}"#) == .corruptFile)
    #expect(index("[]") == .corruptFile)
    _ = folder.write("config.json", Array(#"{"num_attention_heads": "#.utf8))
    #expect(index(#"{"weight_map": {"a": "part.safetensors"}}"#) == .corruptFile)
    let text = #"{"num_attention_heads": 1e99999, "head_dim": -3, "num_key_value_heads": null, "x": [1, {"y": 2}]}"#
    _ = folder.write("config.json", Array(text.utf8))
    #expect(failure(folder.path)?.code == .corruptFile)
    _ = folder.write("config.json", Array(text.replacing("1e99999", with: "0").utf8))
    #expect(failure(folder.path) == nil)
  }

  @Test func halvesAndSubsets() throws {
    let header = #"{"layers.0.mlp.up_proj.weight":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]}}"#
    let folder = TemporaryFolder()
    var bytes = Self.file(header, dataByteCount: 0)
    bytes += [0x40, 0x40, 0x80, 0x40, 0x00, 0x00, 0x80, 0x3F]  // 3, 4, 0, 1
    let path = folder.write("a.safetensors", bytes)
    let vectors = try UnitModel.open(path: path).sets[0].matrices[0].matrix.vectors([0, 1])
    #expect([vectors[0, 0], vectors[0, 1], vectors[1, 0], vectors[1, 1]] == [0.6, 0.8, 0, 1])
    bytes[bytes.count - 1] = 0x7F
    #expect(failure(folder.write("b.safetensors", bytes))?.code == .notFinite)
    #expect(EvenSubset.of(5, limit: 9) == [0, 1, 2, 3, 4] && EvenSubset.of(10, limit: 4) == [0, 2, 5, 7])
  }
}
