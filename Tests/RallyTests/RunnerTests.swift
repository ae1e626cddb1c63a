import Rally
import TestSupport
import Testing

struct RunnerTests {
  private static let lengths = [1, 33, 7, 150, 2, 64, 16, 65]

  /// The promise of the header: any company, any order, any cut, any number of threads.
  @Test(arguments: [Selection.threshold, .topK], [(1, 2048), (2, 1), (2, 40), (3, 100), (3, 4096)])
  func aRowIsTheSameBitsInAnyCompany(selection: Selection, setting: (threads: Int, batchTokens: Int)) throws {
    let model = try Shipped.language.get()
    let all = rows(Self.lengths, vocabularySize: model.info.vocabularySize, seed: 7)
    let alone = try Runner(model: model, threads: 1)
    let together = try Runner(model: model, threads: setting.threads, batchTokens: setting.batchTokens)
    let found = try together.result(all.reversed(), selection)
    var depths: [Int32] = []
    var logits: [UInt32] = []
    for row in all.reversed() {
      let one = try alone.result([row], selection)
      depths += one.depths
      logits += one.logits
    }
    #expect(found.depths == depths)
    #expect(found.logits == logits)
    #expect(Set(depths).count > 1, "all tokens ran equally deep: the test shows little")
  }

  /// What comes back as arrays is what is written into a caller's memory.
  @Test func arraysAreTheOutputs() throws {
    let model = try Shipped.language.get()
    let all = rows(Self.lengths, vocabularySize: model.info.vocabularySize, seed: 3)
    let runner = try Runner(model: model)
    let written = try runner.result(all, .threshold)
    let values = try runner.run(RowBatch(all), [.logits, .hidden, .logProbabilities, .depths])
    #expect(values.logits.map(\.bitPattern) == written.logits)
    #expect(values.logProbabilities.map(\.bitPattern) == written.logProbabilities)
    #expect(values.depths == written.depths)
    #expect(values.hidden.count == written.depths.count * model.info.hiddenSize)
    #expect(!values.hidden.contains { !$0.isFinite })

    let few = try runner.run(RowBatch(all), .logits, positions: [5, 0])
    let width = model.info.vocabularySize
    #expect(few.logits[..<width].map(\.bitPattern) == Array(written.logits[5 * width..<6 * width]))
    #expect(few.logits[width...].map(\.bitPattern) == Array(written.logits[..<width]))
    #expect(few.depths.isEmpty && few.hidden.isEmpty && few.logProbabilities.isEmpty)
  }

  @Test func topKRunsTheCapacities() throws {
    let model = try Shipped.language.get()
    let row = rows([300], vocabularySize: model.info.vocabularySize, seed: 1)
    let depths = try Runner(model: model).result(row, .topK).depths
    #expect(depths.filter { $0 >= 1 }.count == 300)
    #expect(depths.filter { $0 >= 2 }.count == 200)
    #expect(depths.filter { $0 >= 3 }.count == 100)
  }

  @Test func wrongInputIsNamed() throws {
    let model = try Shipped.language.get()
    let runner = try Runner(model: model)
    func code(_ rows: [[Int32]]) -> RallyError.Code? {
      do throws(RallyError) {
        try runner.run(RowBatch(rows), outputs: RunOutputs())
        return nil
      } catch { return error.code }
    }
    #expect(code([[1, 2]]) == nil)
    #expect(code([]) == .emptyInput)
    #expect(code([[1], []]) == .emptyInput)
    #expect(code([[-1]]) == .invalidToken)
    #expect(code([[Int32(model.info.vocabularySize)]]) == .invalidToken)
    #expect(code([Array(repeating: 1, count: model.info.contextLength + 1)]) == .contextExceeded)
    #expect(throws: RallyError.self) { try runner.rate(RowBatch([[1]])) }
  }

  @Test func aProgressCallbackCancels() throws {
    let model = try Shipped.language.get()
    let runner = try Runner(model: model, batchTokens: 10)
    var calls = 0
    runner.progress = { done, total in
      calls += 1
      #expect(done == 10 * calls && total == 100)
      return calls < 3
    }
    let row = rows([100], vocabularySize: model.info.vocabularySize, seed: 3)
    #expect { try runner.run(RowBatch(row), outputs: RunOutputs()) } throws: {
      ($0 as? RallyError)?.code == .cancelled
    }
    #expect(calls == 3)
  }

  @Test func memoryIsStatedBeforeItIsTaken() throws {
    let model = try Shipped.language.get()
    let runner = try Runner(model: model)
    let short = try runner.memory.byteCount(offsets: [0, 10], newTokens: 0)
    let long = try runner.memory.byteCount(offsets: [0, 400], newTokens: 0)
    let generating = try runner.memory.byteCount(offsets: [0, 10], newTokens: 390)
    #expect(short < long && short < generating)
    #expect { try runner.memory.byteCount(offsets: [0, .max], newTokens: 0) } throws: {
      ($0 as? RallyError)?.code == .contextExceeded
    }
  }
}

struct RatingTests {
  @Test func textsAreDocuments() throws {
    let runner = try Runner(model: Shipped.rater.get())
    let texts = ["A clear text about the sea.", "x", "buy now buy now buy now"]
    let documents = try texts.map { try runner.model.encodeDocument(Array($0.utf8)) }
    let scores = try runner.rate(runner.model.plan(RowBatch(documents))).score
    #expect(try runner.rate(texts: texts) == scores)
    let alone = try texts.map { try runner.rate(texts: [$0])[0] }
    #expect(try runner.rate(texts: texts) == alone)
    #expect(try runner.rate(texts: []).isEmpty)
    #expect { try runner.rate(texts: [""]) } throws: { ($0 as? RallyError)?.code == .emptyInput }
    #expect { try Runner(model: Shipped.language.get()).rate(texts: ["a"]) } throws: { ($0 as? RallyError)?.code == .wrongKind }
  }

  @Test(arguments: [(1, 2048), (2, 64), (3, 1)])
  func aScoreIsTheSameBitsInAnyCompany(setting: (threads: Int, batchTokens: Int)) throws {
    let model = try Shipped.rater.get()
    let all = rows([5, 300, 1, 64, 65, 128], vocabularySize: model.info.vocabularySize, seed: 11)
    let runner = try Runner(model: model, threads: setting.threads, batchTokens: setting.batchTokens)
    let scores = try runner.rate(RowBatch(all))
    for (row, score) in zip(all, scores) {
      #expect(try Runner(model: model, threads: 1).rate(RowBatch([row]))[0].bitPattern == score.bitPattern)
    }
    #expect(Set(scores).count == scores.count)
  }

  @Test func aRaterDoesNotGenerate() throws {
    let runner = try Runner(model: Shipped.rater.get())
    #expect { try runner.generate([GenerationRequest(tokens: [1])]) { _ in .goOn } } throws: {
      ($0 as? RallyError)?.code == .wrongKind
    }
  }
}
