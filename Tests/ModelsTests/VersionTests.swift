import Models
import Tensors
import TestSupport
import Testing

/// Versions of ONNX that are read, checked and refused.
@Suite struct VersionTests {
  @Test(arguments: [nil, -1, 0, 2] as [Int64?])
  func oldIntermediateVersions(_ version: Int64?) throws {
    var fixture = ModelFixture.vanilla
    fixture.intermediateVersion = version
    let error = try #require(failure(fixture.bytes))
    #expect(error.code == .unsupportedVersion)
    #expect(error.message.contains("IR"))
  }

  @Test(arguments: [[], [("", 6)], [("ai.onnx.ml", 3)], [("", -17)]] as [[(domain: String, version: Int64)]])
  func oldOperatorSets(_ sets: [(domain: String, version: Int64)]) throws {
    var fixture = ModelFixture.vanilla
    fixture.operatorSets = sets
    let error = try #require(failure(fixture.bytes))
    #expect(error.code == .unsupportedVersion)
    #expect(error.message.contains("opset"))
  }

  @Test(arguments: [(8, 18), (9, 17), (10, 23), (Int64.max, Int64.max), (3, 7), (8, 16)] as [(Int64, Int64)])
  func otherVersionsSkipTheChecker(_ intermediate: Int64, _ operators: Int64) throws {
    var fixture = ModelFixture.vanilla
    fixture.intermediateVersion = intermediate
    fixture.operatorSets = [("", operators)]
    #expect(try Self.log(fixture).hasPrefix("the ONNX checker was skipped: "))
  }

  @Test(arguments: ["Loop", "Conv", "Nonsense", "Scale", ""])
  func otherOperatorsSkipTheChecker(_ name: String) throws {
    var fixture = ModelFixture.vanilla
    fixture.operatorType = name
    #expect(try Self.log(fixture).contains("the operator \(name)"))
  }

  @Test func whatTheCheckerRefuses() throws {
    var fixture = ModelFixture.vanilla
    fixture.operatorType = "MatMul"
    let error = try #require(failure(fixture.bytes))
    #expect(error.code == .corruptFile)
    #expect(error.message.contains("MatMul"))
  }

  static func log(_ fixture: ModelFixture) throws -> String {
    let folder = TemporaryFolder()
    var lines: [String] = []
    _ = try ModelFile.open(path: folder.write("model.onnx", fixture.bytes)) { lines.append($1) }
    return lines.joined()
  }
}
