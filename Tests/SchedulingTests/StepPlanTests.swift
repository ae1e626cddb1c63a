import Testing

@testable import Scheduling

struct StepPlanTests {
  /// Seeded lengths, from one token to a few steps.
  private static func offsets(seed: UInt64) -> [Int] {
    var state = seed
    func next(_ bound: UInt64) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % bound)
    }
    var offsets = [0]
    for _ in 0..<1 + next(12) { offsets.append(offsets[offsets.count - 1] + 1 + next(70)) }
    return offsets
  }

  @Test(arguments: 0..<500 as Range<UInt64>, [false, true])
  func everyTokenRunsOnceInOrder(seed: UInt64, wholeRows: Bool) {
    let offsets = Self.offsets(seed: seed)
    for size in [1, 7, 32, 1000] {
      let plan = StepPlan(offsets: offsets, stepTokenCount: size, wholeRows: wholeRows)
      var next = 0
      for step in plan.steps {
        #expect(!step.isEmpty, "seed \(seed)")
        let count = step.reduce(0) { $0 + $1.tokens.count }
        #expect(count <= plan.largestStep)
        #expect(count <= size || (wholeRows && step.count == 1), "seed \(seed), size \(size)")
        #expect(Set(step.map(\.row)).count == step.count, "a row takes part once in a step")
        for piece in step {
          #expect(piece.tokens.lowerBound == next, "seed \(seed)")
          #expect(piece.tokens.lowerBound >= offsets[piece.row] && piece.tokens.upperBound <= offsets[piece.row + 1])
          #expect(piece.isLast == (piece.tokens.upperBound == offsets[piece.row + 1]))
          if wholeRows { #expect(piece.tokens == offsets[piece.row]..<offsets[piece.row + 1]) }
          next = piece.tokens.upperBound
        }
      }
      #expect(next == offsets[offsets.count - 1], "seed \(seed), size \(size)")
    }
  }

  @Test func nothingIsPlannedForNothing() {
    #expect(StepPlan(offsets: [0], stepTokenCount: 4, wholeRows: false).steps.isEmpty)
    #expect(StepPlan(offsets: [], stepTokenCount: 4, wholeRows: true).largestStep == 0)
  }

  @Test func rowsRunInTheOrderThatIsAskedFor() {
    let offsets = [0, 3, 10, 11, 14]
    #expect(StepPlan.longestFirst(offsets) == [1, 0, 3, 2])
    let plan = StepPlan(offsets: offsets, stepTokenCount: 6, wholeRows: true, order: StepPlan.longestFirst(offsets))
    #expect(plan.steps.map { $0.map(\.row) } == [[1], [0, 3], [2]])
    #expect(plan.largestStep == 7)
  }

  @Test func windowsAreStepsOfTheirOwn() {
    let plan = StepPlan(offsets: [0, 9, 12], stepTokenCount: 3, wholeRows: false, window: 4)
    #expect(plan.steps.map { $0.map(\.tokens) } == [[0..<3], [3..<4], [4..<7], [7..<8], [8..<9], [9..<12]])
  }

  @Test func aStepIsFilledBeforeTheNextBegins() {
    let plan = StepPlan(offsets: [0, 3, 10, 11], stepTokenCount: 4, wholeRows: false)
    #expect(plan.steps.map { $0.map(\.tokens) } == [[0..<3, 3..<4], [4..<8], [8..<10, 10..<11]])
  }
}
