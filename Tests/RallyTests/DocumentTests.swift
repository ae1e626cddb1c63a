import TestSupport
import Testing

@testable import Rally

struct DocumentTests {
  private static let frame = TextFrame(first: 90, last: 91)

  private func plan(
    _ rows: [[Int32]], frame: TextFrame = DocumentTests.frame, _ change: (inout DocumentOptions) -> Void = { _ in }
  ) throws(RallyError) -> DocumentPlan {
    var options = DocumentOptions()
    change(&options)
    return try DocumentPlan(
      RowBatch(rows), frame: frame, contextLength: 6, reading: .init(), options: options)
  }

  private func windows(_ plan: DocumentPlan) throws -> [[Int32]] {
    let rows = try plan.windows
    return (0..<rows.rowCount).map { Array(rows.tokens[rows.range(of: $0)]) }
  }

  @Test func whatATextCarriesIsInEveryWindow() throws {
    let text: [Int32] = [1, 2, 3, 4, 5, 6]
    let both = try plan([[90] + text + [91], [90, 1, 91]])
    #expect(try windows(both) == [[90, 1, 2, 3, 4, 91], [90, 5, 6, 91], [90, 1, 91]])
    #expect(both.windowOffsets == [0, 2, 3])
    #expect(try windows(plan([[90] + text])) == [[90, 1, 2, 3, 4, 5], [90, 6]])
    #expect(try windows(plan([text + [91]])) == [[1, 2, 3, 4, 5, 91], [6, 91]])
    #expect(try windows(plan([text + [1]])) == [text, [1]])
    #expect(try windows(plan([[90], [91], [90, 91]])) == [[90], [91], [90, 91]])
    #expect(try windows(plan([[90, 90]], frame: TextFrame(first: 90, last: 90))) == [[90, 90]])
    #expect(try windows(plan([[90] + text + [91]], frame: TextFrame())) == [[90] + text.dropLast(), [6, 91]])
  }

  @Test func strideAndLimitCountTheTextAlone() throws {
    let text: [Int32] = [90, 1, 2, 3, 4, 5, 6, 7, 91]
    #expect(try windows(plan([text]) { $0.stride = 2 }) == [[90, 1, 2, 3, 4, 91], [90, 3, 4, 5, 6, 91], [90, 5, 6, 7, 91]])
    #expect(
      try windows(
        plan([text]) {
          $0.windowTokenCount = 3; $0.maximumWindowCount = 1
        }) == [[90, 4, 91]])
  }

  @Test func scoresOfWindowsBecomeThoseOfDocuments() throws {
    let plan = try plan([[1, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8], [90, 91]]) { $0.windowTokenCount = 6 }
    let scores = plan.scores([0.1, 2, -1, 5])
    #expect(scores.mean == [0.1, 1.25, 5])
    #expect(scores.minimum == [0.1, -1, 5])
    #expect(scores.coverage == [1, 1, 1])
    #expect(plan.scores([1, .nan, 2, 3]).minimum[1].isNaN && plan.scores([1, 2, .nan, 3]).mean[1].isNaN)
    let part = try self.plan([Array(1...8)]) {
      $0.windowTokenCount = 3; $0.maximumWindowCount = 2
    }
    #expect(part.scores([1, 2]).coverage == [5 / 8])
  }

  @Test(arguments: [(0, nil, nil), (2, nil, nil), (7, nil, nil), (nil, 0, nil), (nil, nil, -1)] as [(Int?, Int?, Int?)])
  func optionsThatFitNoWindowAreNamed(window: Int?, stride: Int?, limit: Int?) {
    #expect {
      try plan([[1]]) {
        $0.windowTokenCount = window
        $0.stride = stride
        $0.maximumWindowCount = limit
      }
    } throws: { ($0 as? RallyError)?.code == .invalidArgument }
  }

  @Test(arguments: [(1, 2048), (2, 100)])
  func aDocumentIsTheSameBitsInAnyCompany(setting: (threads: Int, batchTokens: Int)) throws {
    let model = try Shipped.rater.get()
    let all = rows([1, 2000, 1025, 64, 1024, 130], vocabularySize: model.info.vocabularySize, seed: 5)
    let alone = try Runner(model: model, threads: 1)
    let runner = try Runner(model: model, threads: setting.threads, batchTokens: setting.batchTokens)
    let scores = try runner.rate(model.plan(RowBatch(all)))
    #expect(scores.windowOffsets == [0, 1, 3, 5, 6, 7, 8])
    for (index, row) in all.enumerated() {
      let one = try alone.rate(model.plan(RowBatch([row])))
      #expect(one.mean[0].bitPattern == scores.mean[index].bitPattern)
      let windows = scores.windows[scores.windowOffsets[index]..<scores.windowOffsets[index + 1]]
      #expect(one.windows == Array(windows))
      if row.count <= 1024 { #expect(try alone.rate(RowBatch([row])) == one.mean) }
    }
  }
}
