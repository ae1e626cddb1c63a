import Files
import Models
import TestSupport
import Testing

/// Bytes that are no model, or more than a model may be.
@Suite struct CorruptFileTests {
  /// Cut anywhere, a file is refused, and never by reading after its end.
  @Test func truncationAtEveryByte() {
    let whole = ModelFixture.vanilla.bytes
    for length in 0..<whole.count {
      let code = failure(Array(whole[..<length]))?.code
      // Cut between two fields of the model, what is left is a smaller model.
      let allowed: Set<RallyError.Code> = [
        .emptyFile, .corruptFile, .notARallyModel, .missingKey, .unsupportedVersion,
      ]
      #expect(code.map(allowed.contains) == true, "cut at \(length): \(String(describing: code))")
    }
  }

  /// Any one byte changed: an error or a model, nothing else.
  @Test(arguments: [ModelFixture.expert, .withTokenizer, .withWordPiece], [1, 2] as [UInt64])
  func flippedBytes(_ fixture: ModelFixture, seed: UInt64) {
    let whole = fixture.bytes
    var generator = SplitMix(state: seed)
    for place in stride(from: Int(seed), to: whole.count, by: 5) {
      var bytes = whole
      bytes[place] ^= UInt8.random(in: 1...255, using: &generator)
      _ = failure(bytes)
    }
  }

  @Test(
    arguments: [
      Array("not a model at all".utf8), [0], [0xFF], [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F], Array(repeating: 0x80, count: 64),
      [0x3B, 0x3C], Array(repeating: 0x0B, count: 1 << 20),
    ] as [[UInt8]])
  func noModel(_ bytes: [UInt8]) {
    #expect(failure(bytes)?.code == .corruptFile)
  }

  @Test func withoutAGraph() {
    var model = ProtobufMessage()
    model.add(1, number: 8)
    #expect(failure(model.bytes)?.code == .corruptFile)
  }

  /// A graph in an attribute of a node of a graph in an attribute …
  @Test(arguments: [10, 1000, 50_000])
  func nestedGraphs(depth: Int) throws {
    // Node, attribute, graph, and so on; each is a tag and a length of five bytes.
    let tags: [UInt8] = [0x0A, 0x2A, 0x32]
    let levels = 3 * depth
    var inner = ProtobufMessage()
    for level in 0..<levels {
      inner.bytes.append(tags[level % 3])
      inner.bytes += Self.length(6 * (levels - 1 - level))
    }
    var fixture = ModelFixture.vanilla
    fixture.trailing.add(20, message: Self.training(inner))
    let error = try #require(failure(fixture.bytes))
    #expect(error.code == .corruptFile)
    #expect(error.expected.contains("nested"))
  }

  @Test func repeatedSingularField() throws {
    var fixture = ModelFixture.vanilla
    fixture.trailing.add(1, number: 8)
    let error = try #require(failure(fixture.bytes))
    #expect(error.code == .corruptFile)
    #expect(error.message.contains("ModelProto"))
  }

  @Test func secondGraph() {
    var fixture = ModelFixture.vanilla
    fixture.trailing.add(7, message: ProtobufMessage())
    #expect(failure(fixture.bytes)?.code == .corruptFile)
  }

  @Test func fieldsOfANewerOnnxAreSkipped() {
    var fixture = ModelFixture.vanilla
    fixture.trailing.add(26, text: "configuration")
    fixture.trailing.add(1000, number: 1)
    #expect(failure(fixture.bytes) == nil)
  }

  @Test func limits() throws {
    var limits = ModelLimits()
    limits.maximumFileByteCount = 100
    #expect(failure(ModelFixture.vanilla.bytes, limits: limits)?.code == .limitExceeded)
    limits = ModelLimits()
    limits.maximumTensorByteCount = 100
    let error = try #require(failure(ModelFixture.vanilla.bytes, limits: limits))
    #expect(error.code == .limitExceeded)
    #expect(error.message.contains("embed_tokens.weight"))
    limits = ModelLimits()
    limits.maximumMetadataByteCount = 100
    #expect(failure(ModelFixture.vanilla.bytes, limits: limits)?.code == .limitExceeded)
    limits = ModelLimits()
    limits.maximumStructureByteCount = 1000
    #expect(failure(ModelFixture.vanilla.bytes, limits: limits)?.code == .limitExceeded)
    limits = ModelLimits()
    limits.maximumTokenizerEntryCount = 3
    #expect(failure(ModelFixture.withTokenizer.bytes, limits: limits)?.code == .limitExceeded)
  }

  /// Two million empty nodes are 4 MB in the file and would be 300 MB for libprotobuf.
  @Test func manySmallMessages() {
    var fixture = ModelFixture.vanilla
    fixture.trailing.append(Array(repeating: [0x72, 0x00], count: 2_000_000).flatMap(\.self))
    #expect(failure(fixture.bytes)?.code == .limitExceeded)
  }

  /// Five bytes, the length of what follows: a varint with leading zeros.
  private static func length(_ count: Int) -> [UInt8] {
    (0..<5).map { UInt8(count >> (7 * $0) & 0x7F) | ($0 < 4 ? 0x80 : 0) }
  }

  private static func training(_ graph: ProtobufMessage) -> ProtobufMessage {
    var training = ProtobufMessage()
    training.add(1, message: graph)
    return training
  }
}
