import Files
import Kernels
import TestSupport
import Testing

@testable import Models

/// Files that are right, and what is read from them.
@Suite struct ModelFileTests {
  let folder = TemporaryFolder()

  func open(_ fixture: ModelFixture) throws -> ModelFile {
    try ModelFile.open(path: folder.write("model.onnx", fixture.bytes))
  }

  @Test(arguments: [ModelFixture.vanilla, .layered, .looped, .expert, .token, .rater, .severalOutputs, .withTokenizer, .withWordPiece])
  func everyKindOpens(_ fixture: ModelFixture) throws {
    #expect(failure(fixture.bytes) == nil)
  }

  @Test func checkerPasses() throws {
    var lines: [String] = []
    _ = try ModelFile.open(path: folder.write("model.onnx", ModelFixture.expert.bytes)) { lines.append($1) }
    #expect(lines == ["the ONNX checker and shape inference passed"])
  }

  @Test func descriptionOfExpert() throws {
    let description = try open(.expert).description
    #expect(description.kind == .languageModel)
    #expect(description.vocabularySize == 8)
    #expect(description.positions == .rope([.init(frequencies: .theta(10000))]))
    #expect(description.layers.effectiveCount == 4)
    #expect(description.layers.storedCount == 3)
    guard case .expert(let expert) = description.routing else { return #expect(Bool(false)) }
    #expect(expert.capacities == [1, 0.5])
    #expect(expert.router.alpha == 0.1)
    #expect(expert.router.keyValueCache == .recursion)
  }

  @Test func descriptionOfLayers() throws {
    let description = try open(.layered).description
    #expect(description.norm.position == .sandwich)
    #expect(description.attention.biases == [.query, .key, .value] && description.feedForward.biases == .down)
    #expect(description.attention.headNorm == .head && description.attention.isCausal)
    #expect(description.storedLayers.map(\.hasInputNorm) == [false, true])
    #expect(description.storedLayers.map(\.slidingWindow) == [nil, 3])
    #expect(description.storedLayers.map(\.ropeTable) == [nil, 1])
    #expect(
      description.positions
        == .rope([
          .init(frequencies: .stored, attentionFactor: 1), .init(frequencies: .stored, attentionFactor: 1.25),
        ]))
    #expect(description.embeddingScale == 2)
    let plain = try open(.vanilla).description
    #expect(plain.storedLayers == [.init(hasInputNorm: true, slidingWindow: nil, ropeTable: 0)])
  }

  @Test func descriptionOfLoops() throws {
    let file = try open(.looped)
    let loop = try #require(file.description.loop)
    #expect(loop.normalizes && loop.injection == .concat(hasBias: true, initial: .seeded(deviation: 0.02, seed: 7)))
    #expect(
      loop.exit
        == .init(
          rule: .hazard(gates: 3), threshold: 0.75, naturalDepth: 1.5, fixedDepth: 2, keyValues: .lastExited))
    #expect(file.description.furtherEndTokens == [1, 2])
    #expect(file.description.layers.effectiveCount == 5)
    #expect(try open(.expert).description.loop == nil)
  }

  /// Gates and adapters that are missing or of another shape are named.
  @Test(arguments: ["adapter.weight", "adapter.bias", "exit.1.weight", "exit.2.bias", "norm.weight"])
  func tensorsOfLoops(_ name: String) throws {
    var missing = ModelFixture.looped
    missing.remove(name)
    let error = try #require(failure(missing.bytes))
    #expect(error.code == .missingTensor && error.message.contains(name))
    var wrong = ModelFixture.looped
    wrong.change(name) { $0 = TensorFixture(name, [4, 4]) }
    #expect(failure(wrong.bytes)?.code == .invalidShape)
  }

  @Test func descriptionOfRater() throws {
    let file = try open(.rater)
    #expect(file.description.rater?.head == .mlp(try #require(Activation(rawValue: "tanh"))))
    #expect(file.description.rater?.squash == .clamp(temperature: 2, minimum: 0.05, maximum: 1))
    #expect(file.description.norm.position == .post)
    #expect(file.scoreQuantiles == [-1, 0, 2])
    #expect(file.tensor(named: "head.0.weight")?.shape.extents == [3, 4])
  }

  @Test func descriptionOfSeveralOutputs() throws {
    let file = try open(.severalOutputs)
    let rater = try #require(file.description.rater)
    #expect(rater.labels == ["a", "b c", "d"])
    #expect(rater.score == .softmax(2))
    #expect(rater.integerScore == 0...5)
    #expect(rater.headHasNorm && rater.padToken == 0)
    #expect(rater.reading.part == .ends && rater.reading.join == .max)
    #expect(rater.reading.tokenCount == 12 && rater.reading.characterCount == 100)
    #expect(file.tensor(named: "head.1.weight")?.shape.extents == [3, 3])
    var plain = ModelFixture.rater
    plain["format"] = "2"
    #expect(try open(plain).description.rater == open(.rater).description.rater)
  }

  /// The keys of several outputs belong to format 2, and each of them to what it is about.
  @Test(arguments: ["labels", "score", "score_index", "head_norm", "reading", "int_score"])
  func keysOfTheNewerFormat(_ key: String) throws {
    var older = ModelFixture.rater
    older[key] = ModelFixture.severalOutputs[key]
    #expect(failure(older.bytes)?.code == .unknownKey)
    var other = ModelFixture.severalOutputs
    other["score"] = "none"
    #expect(failure(other.bytes)?.code == .unknownKey)
  }

  /// Pairs, values, types and names count; where data lies does not.
  @Test func theDigestTellsContentsApart() throws {
    let fixture = ModelFixture.vanilla
    let digest = try open(fixture).digest
    #expect(try open(fixture).digest == digest)
    var other = fixture
    other["name"] = "another"
    #expect(try open(other).digest != digest)
    let values: [Float] = [1, 2, 3, 4]
    var inline = fixture
    inline.change("norm.weight") { $0 = TensorFixture("norm.weight", [4], values: values) }
    var changed = fixture
    changed.change("norm.weight") { $0 = TensorFixture("norm.weight", [4], values: [1, 2, 3, 4.0000005]) }
    #expect(try Set([digest, open(inline).digest, open(changed).digest]).count == 3)
    var external = inline
    _ = folder.write("w", TensorFixture.bytes(values))
    external.change("norm.weight") { $0.payload = .external([("location", "w")]) }
    #expect(try open(external).digest == open(inline).digest)
  }

  @Test func parameterCounts() throws {
    let layer = 4 + 16 + 8 + 8 + 16 + 4 + 24 * 3
    let file = try open(.expert)
    #expect(file.facts.parameterCount == 32 + 3 * layer + 4 + 8)
    #expect(file.facts.effectiveParameterCount == 32 + 4 * layer + 4 + 8)
  }

  @Test func sharedAndSeparateTensors() throws {
    var fixture = ModelFixture.expert
    let name = "self_attn.q_proj.weight"
    fixture.remove("block.0.\(name)")
    fixture.tensors += (0..<2).map {
      TensorFixture("block.\($0).0.\(name)", [4, 4], values: Array(repeating: Float($0), count: 16))
    }
    let file = try open(fixture)
    let second = try #require(file.blockTensor(recursion: 1, layer: 0, suffix: name))
    #expect(!second.isShared)
    #expect(second.entry.floats() == Array(repeating: 1, count: 16))
    let shared = try #require(file.blockTensor(recursion: 1, layer: 0, suffix: "mlp.up_proj.weight"))
    #expect(shared.isShared)
    #expect(file.layerTensor(.first, layer: 0, suffix: name)?.shape.extents == [4, 4])
  }

  @Test func tokenizer() throws {
    let tokenizer = try #require(try open(.withTokenizer).facts.makeTokenizer())
    #expect(try tokenizer.encode(Array("<s>abba".utf8)) == [0, 0, 3, 2, 1])
    let wordPiece = try #require(try open(.withWordPiece).facts.makeTokenizer())
    #expect(try wordPiece.encode("ÁB c") == [1, 3, 4, 0, 2])
  }

  @Test func foreignMetadataIsKept() throws {
    var fixture = ModelFixture.vanilla
    fixture.metadata.append(("author", "ä\nb"))
    let file = try open(fixture)
    #expect(file.metadata.last == MetadataPair(key: "author", value: "ä\nb"))
    #expect(file.metadata.count == fixture.metadata.count)
  }

  @Test func progressAndCancelling() throws {
    let path = folder.write("model.onnx", ModelFixture.vanilla.bytes)
    var steps: [UInt64] = []
    let file = try ModelFile.open(
      path: path,
      progress: { done, _ in
        steps.append(done); return true
      })
    #expect(steps == steps.sorted())
    #expect(steps.last == UInt64(file.facts.parameterCount * 4))
    let error = #expect(throws: RallyError.self) {
      try ModelFile.open(path: path, progress: { done, _ in done < 100 })
    }
    #expect(error?.code == .cancelled)
  }

  @Test func releasedPagesAreReadAgain() throws {
    var fixture = ModelFixture.vanilla
    fixture["vocab_size"] = "4096"
    fixture.change("embed_tokens.weight") { $0 = TensorFixture("embed_tokens.weight", [4096, 4]) }
    let file = try open(fixture)
    let entry = try #require(file.tensor(named: "embed_tokens.weight"))
    file.release(entry)
    #expect(entry.floats() == (0..<16384).map { Float($0) / 8 })
  }
}
