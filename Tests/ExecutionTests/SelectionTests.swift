import Testing

@testable import Execution
@testable import Models

/// Rows of two sequences, 5 and 3 tokens.
private func twoSequences() -> RowSet {
  var rows = RowSet()
  for position in 0..<5 { rows.append(position: Int32(position), sequence: 0) }
  for position in 0..<3 { rows.append(position: Int32(position), sequence: 1) }
  return rows
}

struct SelectionTests {
  @Test func topKTakesTheCapacityOfTheWholeSequence() {
    let scores: [Float] = [0.1, 0.9, -1, 0.5, 0.4, 7, 8, 9]
    var keep: [Bool] = []
    selectTopK(capacity: 0.667, scores: scores, active: Array(0..<8), rows: twoSequences(), into: &keep)
    // k = Int(0.667 · 5) = 3 and Int(0.667 · 3) = 2.
    #expect(keep == [false, true, false, true, true, false, true, true])
  }

  @Test func tiesGoToTheEarlierToken() {
    var keep: [Bool] = []
    selectTopK(
      capacity: 0.4, scores: [1, 2, 2, 2, 1, 0, 0, 0], active: Array(0..<8), rows: twoSequences(), into: &keep)
    #expect(keep == [false, true, true, false, false, true, false, false])
  }

  @Test func atLeastOneTokenGoesOn() {
    var keep: [Bool] = []
    selectTopK(capacity: 0.01, scores: [3, 1, 2], active: [1, 3, 6], rows: twoSequences(), into: &keep)
    #expect(keep == [true, false, true])
  }

  @Test func onlyActiveTokensCompete() {
    var keep: [Bool] = []
    selectTopK(capacity: 0.2, scores: [1, 5], active: [0, 4], rows: twoSequences(), into: &keep)
    #expect(keep == [false, true])
  }

  @Test(arguments: [ModelDescription.ExpertRouting.Function.sigmoid, .tanh, .none])
  func thresholdIsHalf(function: ModelDescription.ExpertRouting.Function) {
    var keep: [Bool] = []
    selectByThreshold(function, capacity: 0.5, scores: [-0.5, 0, 0.5, .nan], into: &keep)
    #expect(keep == [false, true, true, false])
    selectByThreshold(function, capacity: 1, scores: [-9, .nan], into: &keep)
    #expect(keep == [true, true])
  }
}

struct RowSetTests {
  @Test func tilesStayWithinSequences() {
    var rows = RowSet()
    for position in 0..<40 { rows.append(position: Int32(position), sequence: position < 35 ? 0 : 1) }
    #expect(rows.runs.map(\.count) == [35, 5])
    #expect(rows.tiles.allSatisfy { $0.count <= RowSet.rowsPerTile })
    #expect(rows.tiles.reduce(0) { $0 + $1.count } == 40)
    for tile in rows.tiles {
      #expect(rows.sequences[tile.start..<tile.start + tile.count].allSatisfy { Int($0) == tile.sequence })
    }
  }

  @Test func aSubsetKeepsPositions() {
    var subset = RowSet()
    subset.assign(from: twoSequences(), at: [1, 4, 6])
    #expect(subset.positions == [1, 4, 1])
    #expect(subset.sequences == [0, 0, 1])
    subset.readByPosition()
    #expect(subset.visible == [2, 5, 2])
  }
}
