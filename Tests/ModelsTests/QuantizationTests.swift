import Files
import Glibc
import Tensors
import TestSupport
import Testing

@testable import Models

/// Files whose matrices are stored again. What the graph then computes is for the Python tests to say.
@Suite struct QuantizationTests {
  let folder = TemporaryFolder()
  var output: String { folder.path + "/new.onnx" }

  /// A vocabulary that makes the embedding large enough for a data file.
  static var large: ModelFixture {
    var fixture = ModelFixture.vanilla
    fixture["vocab_size"] = "2048"
    fixture.remove("embed_tokens.weight")
    let values = (0..<2048 * 4).map { index -> Float in
      let step = (index * 7919) % 1013
      return Float(step) / 512 - 1
    }
    fixture.tensors.append(TensorFixture("embed_tokens.weight", [2048, 4], values: values))
    return fixture
  }

  func quantize(
    _ fixture: ModelFixture, _ dataType: DataType, inlineLimit: Int = StoragePlan.inlineLimit
  ) throws(RallyError) -> QuantizationReport {
    let path = folder.write("old.onnx", fixture.bytes)
    var quantizer = try ModelQuantizer(outputPath: output, dataType: dataType)
    quantizer.inlineLimit = inlineLimit
    return try quantizer.run(path: path)
  }

  func code(
    _ fixture: ModelFixture, _ dataType: DataType, inlineLimit: Int = StoragePlan.inlineLimit
  ) -> RallyError.Code? {
    do throws(RallyError) {
      _ = try quantize(fixture, dataType, inlineLimit: inlineLimit)
      return nil
    } catch {
      return error.code
    }
  }

  var fileNames: [String] { folder.names.sorted() }

  @Test func onlyTheMatricesOfTheFormatChange() throws {
    let report = try quantize(.expert, .int8)
    let old = try ModelFile.open(path: folder.path + "/old.onnx")
    let new = try ModelFile.open(path: output)
    #expect(new.metadata == old.metadata)
    #expect(new.tensors.map(\.name) == old.tensors.map(\.name))
    for (before, after) in zip(old.tensors, new.tensors) {
      let isMatrix = before.name.hasSuffix("_proj.weight") || before.name == "embed_tokens.weight"
      #expect(after.dataType == (isMatrix ? .int8 : .f32), "\(before.name)")
      let greatest = before.floats().map(abs).max() ?? 0
      for (old, new) in zip(before.floats(), after.floats()) {
        #expect(abs(old - new) <= (isMatrix ? greatest / 254 * 1.0001 : 0), "\(before.name)")
      }
    }
    #expect(report.matrices.map(\.kind) == [.embedding, .attention, .feedForward])
    #expect(report.matrices.map(\.group.tensorCount) == [1, 12, 9])
    #expect(report.matrices.allSatisfy { $0.group.meanError > 0 && $0.group.meanError <= $0.group.greatestError })
    #expect(report.others.tensorCount == old.tensors.count - 22 && report.others.greatestError == 0)
    #expect(report.dataPath == nil)
  }

  @Test(arguments: [DataType.int8, .bf16, .f32])
  func dataThatDoesNotFitGoesToAFileBeside(_ dataType: DataType) throws {
    _ = try quantize(Self.large, dataType)
    let inline = try ModelFile.open(path: output)
    let report = try quantize(Self.large, dataType, inlineLimit: 4095)
    #expect(report.dataPath == output + ".data")
    #expect(fileNames == ["new.onnx", "new.onnx.data", "old.onnx"])
    let external = try ModelFile.open(path: output)
    #expect(external.tensors.map(\.dataType) == inline.tensors.map(\.dataType))
    #expect(external.tensors.map { $0.floats() } == inline.tensors.map { $0.floats() })

    // Back into one file, with other constants that are outside.
    var quantizer = try ModelQuantizer(outputPath: folder.path + "/one.onnx", dataType: .f32)
    _ = try quantizer.run(path: output)
    let one = try ModelFile.open(path: folder.path + "/one.onnx")
    #expect(one.tensors.map { $0.floats() } == inline.tensors.map { $0.floats() })
  }

  @Test func dataFilesAreNeverWrittenOver() throws {
    _ = try quantize(Self.large, .int8, inlineLimit: 4095)
    let before = try MappedFile(path: output)
    #expect(code(Self.large, .bf16, inlineLimit: 4095) == .invalidArgument)
    #expect(fileNames == ["new.onnx", "new.onnx.data", "old.onnx"])
    let after = try MappedFile(path: output)
    unsafe #expect(before.bytes.elementsEqual(after.bytes))
    #expect(try ModelFile.open(path: output).tensors.first?.dataType == .int8)
  }

  @Test func nothingIsLeftOfAFailure() {
    var fixture = Self.large
    fixture.change("embed_tokens.weight") { tensor in
      var values = [Float](repeating: 1, count: 2048 * 4)
      values[77] = .greatestFiniteMagnitude
      tensor.payload = .raw(TensorFixture.bytes(values))
    }
    #expect(code(fixture, .bf16) == .notFinite)
    #expect(fileNames == ["old.onnx"])
    #expect(code(fixture, .bf16, inlineLimit: 0) == .notFinite)
    #expect(fileNames == ["old.onnx"])
    #expect(code(fixture, .int8) == nil)
  }

  @Test func constantsOutsideComeInside() throws {
    _ = folder.write("w", TensorFixture.bytes([Float](repeating: 2.5, count: 8)))
    var fixture = ModelFixture.vanilla
    let outside = [("location", "w"), ("offset", "8"), ("length", "16")]
    fixture.tensors.append(TensorFixture("graph.table", type: 1, extents: [4], payload: .external(outside)))
    let report = try quantize(fixture, .int8)
    #expect(report.others.tensorCount == 4)
    let file = try MappedFile(path: output)
    let found = unsafe [UInt8](file.bytes)
    let wanted = TensorFixture.bytes([Float](repeating: 2.5, count: 4))
    #expect(found.indices.dropLast(15).contains { found[$0..<$0 + 16].elementsEqual(wanted) })

    fixture.change("graph.table") { $0.type = 11 }
    #expect(code(fixture, .int8) == .unsupported)
  }

  @Test func olderGraphsKeepTheirTypes() {
    var fixture = ModelFixture.vanilla
    fixture.operatorSets = [("", 12)]
    #expect(code(fixture, .int8) == .unsupported)
    #expect(code(fixture, .f32) == nil)
    fixture.operatorSets = [("", 17)]
    fixture.intermediateVersion = 3
    #expect(code(fixture, .bf16) == .unsupported)
    #expect(code(fixture, .f32) == nil)
  }

  @Test(arguments: [DataType.f16, .int32, .int64])
  func otherTypesAreRefused(_ dataType: DataType) {
    #expect(code(.vanilla, dataType) == .invalidArgument)
  }

  /// A typed field is decoded, and scales that stand anywhere are found.
  @Test func everyWayToStoreIsRead() throws {
    var fixture = ModelFixture.vanilla
    let weights = (-16..<16).map { Int8($0) }
    let scales: [Float] = [0.25, 0.5, 1, 2, 3, 4, 5, 6]
    fixture.remove("embed_tokens.weight")
    fixture.tensors.insert(TensorFixture("embed_tokens.weight.scale", [8], values: scales), at: 0)
    fixture.tensors.append(
      TensorFixture("embed_tokens.weight", type: 3, extents: [8, 4], payload: .int32s(weights.map(Int64.init))))
    let expected = weights.indices.map { index -> Float in Float(weights[index]) * scales[index / 4] }
    for dataType in [DataType.int8, .f32] {
      _ = try quantize(fixture, dataType)
      let entry = try #require(try ModelFile.open(path: output).tensor(named: "embed_tokens.weight"))
      #expect(entry.dataType == dataType)
      #expect(entry.floats() == expected)
    }
  }

  @Test func namesSayWhatAMatrixIsFor() {
    #expect(MatrixKind(tensor: "block.0.1.self_attn.k_proj.weight") == .attention)
    #expect(MatrixKind(tensor: "last.0.mlp.down_proj.weight") == .feedForward)
    #expect(MatrixKind(tensor: "lm_head.weight") == .head)
    for name in ["embed_positions.weight", "router.0.0.weight", "head.0.weight", "block.0.self_attn.k_proj.bias", "norm.weight"] {
      #expect(MatrixKind(tensor: name) == nil, "\(name)")
    }
  }
}
