import Rally
import TestSupport
import Testing

struct FormatTests {
  private static func open(_ type: DataType?) throws -> Model {
    var options = ModelOptions()
    options.dataType = type
    return try Model.open(path: Shipped.path("rally-tiny"), options: options)
  }

  @Test(arguments: [DataType.f32, .bf16, .int8])
  func anEngineComputesWhatItWasAskedFor(type: DataType) throws {
    let model = try Self.open(type)
    #expect(model.info.dataType == type)
    let exact = try Self.open(.f32)
    #expect((model.info.weightByteCount == exact.info.weightByteCount) == (type == .f32))
  }

  @Test func theFingerprintTellsTypesApart() throws {
    let types: [DataType?] = [nil, .f32, .bf16, .int8]
    let prints = try types.map { try Self.open($0).fingerprint }
    #expect(prints[0] == prints[1], "the file stores f32")
    #expect(Set(prints).count == 3)
    #expect(try Set(prints).isDisjoint(with: [Shipped.rater.get().fingerprint]))
  }

  @Test(arguments: [DataType.f16, .int32, .int64])
  func otherTypesAreRefused(type: DataType) {
    let error = #expect(throws: RallyError.self) { _ = try Self.open(type) }
    #expect(error?.code == .invalidArgument)
  }
}
