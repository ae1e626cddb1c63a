import Files
import Models
import Testing

/// Wrong tensors: the code, and the tensor that is named.
@Suite struct TensorErrorTests {
  @Test(arguments: [ModelFixture.vanilla, .expert, .token, .rater, .withTokenizer, .withWordPiece])
  func missingTensors(_ fixture: ModelFixture) throws {
    for tensor in fixture.tensors where tensor.name != "score.cdf" {
      var spoiled = fixture
      spoiled.remove(tensor.name)
      let error = try #require(failure(spoiled.bytes), "without \(tensor.name)")
      #expect(error.code == .missingTensor)
      #expect(error.message.contains(tensor.name))
    }
  }

  @Test func missingCopyOfARecursion() throws {
    var fixture = ModelFixture.expert
    fixture.change("block.0.mlp.up_proj.weight") { $0.name = "block.0.0.mlp.up_proj.weight" }
    let error = try #require(failure(fixture.bytes))
    #expect(error.code == .missingTensor)
    #expect(error.message.contains("block.1.0.mlp.up_proj.weight"))
  }

  @Test(arguments: [
    "block.1.mlp.up_proj.weight", "block.0.0.mlp.up_proj.weight", "lm_head.weight", "score.cdf",
    "norm.bias", "tokenizer.vocab", "embed_tokens.weight.scale", "", "a\nb",
  ])
  func unknownTensor(_ name: String) throws {
    var fixture = ModelFixture.vanilla
    fixture.tensors.append(TensorFixture(name, [4]))
    #expect(failure(fixture.bytes)?.code == .unknownTensor)
  }

  @Test func constantsOfTheGraphAreNobodysBusiness() {
    var fixture = ModelFixture.vanilla
    fixture.tensors.append(TensorFixture("graph.any", type: 7, extents: [2], payload: .int64s([1, 2])))
    #expect(failure(fixture.bytes) == nil)
  }

  @Test(arguments: ["embed_tokens.weight", "graph.x"])
  func duplicateTensor(_ name: String) throws {
    var fixture = ModelFixture.vanilla
    fixture.tensors += [TensorFixture(name, [8, 4]), TensorFixture(name, [8, 4])]
    let error = try #require(failure(fixture.bytes))
    #expect(error.code == .duplicateTensor)
    #expect(error.message.contains(name))
  }

  @Test(
    arguments: [
      [], [32], [4, 8], [8, 4, 1], [8, -4], [0, 4], [-8, -4], [Int64.max, Int64.max], [Int64.min, 4],
      [1 << 32, 1 << 32], Array(repeating: 1, count: 10_000),
    ] as [[Int64]])
  func shape(_ extents: [Int64]) throws {
    var fixture = ModelFixture.vanilla
    fixture.change("embed_tokens.weight") { $0.extents = extents }
    let error = try #require(failure(fixture.bytes))
    #expect(error.code == .invalidShape)
    #expect(error.message.contains("embed_tokens.weight"))
    #expect(error.expected == "[8, 4]")
  }

  @Test(arguments: [0, 2, 3, 6, 7, 8, 9, 11, 14, 17, 99, -1] as [Int64])
  func dataTypeOfAVector(_ type: Int64) throws {
    var fixture = ModelFixture.vanilla
    fixture.change("norm.weight") { $0.type = type }
    let error = try #require(failure(fixture.bytes))
    #expect(error.code == .invalidDataType)
    #expect(error.message.contains("norm.weight"))
  }

  @Test func scaleIsNeeded() throws {
    var fixture = ModelFixture.vanilla
    fixture.change("embed_tokens.weight") {
      $0.type = 3; $0.payload = .raw(Array(repeating: 1, count: 32))
    }
    #expect(failure(fixture.bytes)?.code == .missingTensor)
    let name = "embed_tokens.weight.scale"
    fixture.tensors.append(TensorFixture(name, [8], values: Array(repeating: .nan, count: 8)))
    #expect(failure(fixture.bytes)?.code == .notFinite)
    fixture.change(name) { $0 = TensorFixture(name, [4]) }
    #expect(failure(fixture.bytes)?.code == .invalidShape)
    fixture.change(name) { $0 = TensorFixture(name, type: 10, extents: [8], payload: .raw(Array(repeating: 0, count: 16))) }
    #expect(failure(fixture.bytes)?.code == .invalidDataType)
  }

  static let payloads: [(TensorFixture.Payload, RallyError.Code)] = [
    (.none, .truncatedData),
    (.raw([]), .truncatedData),
    (.raw(Array(repeating: 0, count: 15)), .truncatedData),
    (.raw(Array(repeating: 0, count: 17)), .truncatedData),
    (.floats([1, 2, 3], packed: true), .truncatedData),
    (.floats([1, 2, 3, 4, 5], packed: false), .truncatedData),
    (.int32s([1, 2, 3, 4]), .corruptFile),
    (.int64s([1, 2, 3, 4]), .corruptFile),
    (.strings(["a", "b", "c", "d"]), .corruptFile),
    (.several(Array(repeating: 0, count: 16), [1, 2, 3, 4]), .corruptFile),
    (.external([("location", "weights")]), .externalDataForbidden),
  ]

  @Test(arguments: payloads.indices)
  func data(_ index: Int) throws {
    let (payload, code) = Self.payloads[index]
    var fixture = ModelFixture.vanilla
    fixture.change("norm.weight") { $0.payload = payload }
    let error = try #require(failure(fixture.bytes))
    #expect(error.code == code)
    #expect(error.message.contains("norm.weight"))
  }

  @Test(arguments: [(10, [1, 2, 3, 65536]), (16, [-1, 2, 3, 4]), (10, [1, 2, 3, Int64.max])] as [(Int64, [Int64])])
  func numbersBeyondTheirType(type: Int64, values: [Int64]) {
    var fixture = ModelFixture.vanilla
    fixture.change("norm.weight") { $0 = TensorFixture($0.name, type: type, extents: [4], payload: .int32s(values)) }
    #expect(failure(fixture.bytes)?.code == .corruptFile)
  }

  @Test func quantiles() throws {
    var fixture = ModelFixture.rater
    fixture.change("score.cdf") { $0 = TensorFixture($0.name, [3], values: [0, 2, 1]) }
    #expect(failure(fixture.bytes)?.code == .invalidValue)
    fixture.change("score.cdf") { $0 = TensorFixture($0.name, [0], values: []) }
    #expect(failure(fixture.bytes)?.code == .invalidShape)
    fixture.change("score.cdf") { $0 = TensorFixture($0.name, [1], values: [.infinity]) }
    #expect(failure(fixture.bytes)?.code == .notFinite)
  }

  @Test(arguments: [
    ("tokenizer.vocab", TensorFixture.Payload.strings(["a"]), RallyError.Code.truncatedData),
    ("tokenizer.vocab", .none, .corruptFile),
    ("tokenizer.vocab", .raw([1]), .corruptFile),
    ("tokenizer.vocab", .strings(["<s>", "a", "a", "ab"]), .invalidTokenizer),
    ("tokenizer.merges", .strings(["ab"]), .invalidTokenizer),
    ("tokenizer.added", .int64s([4]), .invalidTokenizer),
    ("tokenizer.added", .int64s([-1]), .invalidTokenizer),
    ("tokenizer.added", .int64s([]), .truncatedData),
    ("tokenizer.special", .int64s([1]), .invalidTokenizer),
  ])
  func tokenizer(_ name: String, _ payload: TensorFixture.Payload, _ code: RallyError.Code) {
    var fixture = ModelFixture.withTokenizer
    fixture.change(name) { $0.payload = payload }
    #expect(failure(fixture.bytes)?.code == code)
  }

  @Test(arguments: [
    (["[UNK]", "[CLS]", "[SEP]", "a", "a"], "vocabulary entry 4"),
    (["[UNK]", "[CLS]", "[SEP]", "a", ""], "vocabulary entry 4"),
    (["[UNK]", "[CLS]"], "tokenizer.added"),
  ])
  func wordPieces(_ vocabulary: [String], _ named: String) {
    var fixture = ModelFixture.withWordPiece
    fixture.change("tokenizer.vocab") {
      $0.extents = [Int64(vocabulary.count)]
      $0.payload = .strings(vocabulary)
    }
    let error = failure(fixture.bytes)
    #expect(error?.code == .invalidTokenizer)
    #expect(error?.message.contains(named) == true, "\(error?.message ?? "")")
  }

  @Test func unknownTokenBehindTheVocabulary() {
    var fixture = ModelFixture.withWordPiece
    fixture["unk_token_id"] = "7"
    let error = failure(fixture.bytes)
    #expect(error?.code == .invalidTokenizer)
    #expect(error?.subject == "unknown token")
  }

  @Test func mergesBesideWordPieces() {
    var fixture = ModelFixture.withWordPiece
    fixture.tensors.append(TensorFixture("tokenizer.merges", type: 8, extents: [0], payload: .strings([])))
    #expect(failure(fixture.bytes)?.code == .unknownTensor)
  }

  @Test func vocabularyLargerThanTheModels() {
    var fixture = ModelFixture.withTokenizer
    fixture.change("tokenizer.vocab") {
      $0.extents = [9]
      $0.payload = .strings((0..<9).map { "t\($0)" })
    }
    #expect(failure(fixture.bytes)?.code == .invalidTokenizer)
  }
}
