import Kernels
import Scheduling
import Testing

@testable import Execution
@testable import Models

struct SelectionTests {
  @Test func topKTakesTheLargest() {
    var keep = [true]
    selectTopK(3, [0.1, 0.9, -1, 0.5, 0.4][...], into: &keep)
    #expect(keep == [true, false, true, false, true, true], "after what is there already")
  }

  @Test func tiesGoToTheEarlierToken() {
    var keep: [Bool] = []
    selectTopK(2, [1, 2, 2, 2, 1][...], into: &keep)
    #expect(keep == [false, true, true, false, false])
  }

  @Test func onlyTheSliceCompetes() {
    var keep: [Bool] = []
    selectTopK(1, [9, 1, 5, 9][1..<3], into: &keep)
    #expect(keep == [false, true])
  }

  @Test(arguments: [ModelDescription.ExpertRouting.Function.sigmoid, .tanh, .none])
  func thresholdIsHalf(function: ModelDescription.ExpertRouting.Function) {
    var keep: [Bool] = []
    selectByThreshold(function, capacity: 0.5, [-0.5, 0, 0.5, .nan][...], into: &keep)
    #expect(keep == [false, true, true, false])
    keep = []
    selectByThreshold(function, capacity: 1, [-9, .nan][...], into: &keep)
    #expect(keep == [true, true])
  }

  @Test func steeringMovesTheThreshold() {
    var keep: [Bool] = []
    selectByThreshold(.sigmoid, capacity: 0.5, [0.5, 1.5][...], threshold: 1, into: &keep)
    selectByThreshold(.sigmoid, capacity: 0.5, [-0.5, -1.5][...], threshold: -1, into: &keep)
    #expect(keep == [false, true, true, false])
  }
}

struct RowSetTests {
  @Test func tilesStayWithinSequences() {
    var rows = RowSet()
    for position in 0..<40 { rows.append(position: Int32(position), sequence: position < 35 ? 0 : 1) }
    #expect(rows.runs.map(\.count) == [35, 5])
    #expect(rows.tiles.allSatisfy { $0.count <= RowSet.rowsPerTile })
    #expect(rows.tiles.reduce(0) { $0 + $1.count } == 40)
    for tile in rows.tiles { #expect((tile.start + tile.count <= 35) == (tile.sequence == 0)) }
  }

  /// One sequence at recursion 0 and one at recursion 1, under shared keys.
  @Test func rowsOfLaterRecursionsReadByPosition() throws {
    var layout = CacheLayout(
      firstLayerCount: 1, blockLayerCount: 2, lastLayerCount: 1, recursionCount: 3, sharesKeys: true,
      hasScratchSlot: false)
    let pool = PagePool(shape: AttentionShape(headCount: 1, groupCount: 1, headWidth: 4))
    var rows = RowSet()
    func caches() throws -> [SequenceCache] {
      try (0..<2).map { _ in
        let cache = try SequenceCache(layout: layout, pool: pool, maximumTokenCount: 40)
        try cache.reserve(tokens: 40)
        cache.blocks.extend(stage: 1, by: 7)
        return cache
      }
    }
    rows.append(position: 7, sequence: 0, recursion: 0)
    rows.append(position: 8, sequence: 0, recursion: 0)
    rows.append(position: 3, sequence: 1, recursion: 1)
    try rows.locate(in: caches(), .block)
    #expect(rows.entries == [7, 8, 3])
    #expect(rows.visible == [8, 9, 4])
    #expect(rows.storingCount(layout, .block) == 2)

    layout.sharesKeys = false
    try rows.locate(in: caches(), .block)
    #expect(rows.entries == [7, 8, 0], "recursion 1 has a stage of its own")
    #expect(rows.storingCount(layout, .block) == 3)
  }
}
