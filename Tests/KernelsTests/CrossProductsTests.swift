import Kernels
import Testing

@Suite struct CrossProductsTests {
  private func rows(_ count: Int, _ width: Int, seed: UInt64) throws -> DoubleRows {
    var random = Random(seed: seed)
    let result = try DoubleRows(rowCount: count, width: width)
    for row in 0..<count { unsafe result.set(row: row, column: 0, from: random.floats(width), count: width) }
    return result
  }

  /// Rows and widths around the tiles of 4 rows and the chunks of 256 values; the same bits with one thread and two.
  @Test(arguments: [1, 2, 3, 4, 5, 63, 66], [1, 7, 8, 9, 255, 256, 257, 600])
  func matchesTwin(rowCount: Int, width: Int) throws {
    let (a, b) = (try rows(rowCount, width, seed: 1), try rows(rowCount, width, seed: 2))
    let (one, two) = (try CrossProducts(rowCount: rowCount, partCount: 2), try CrossProducts(rowCount: rowCount, partCount: 2))
    for (products, threads) in [(one, 1), (two, 2)] {
      let pool = try WorkerPool(threadCount: threads)
      products.add(a, b, part: 0, pool: pool)
      products.add(b, b, part: 1, pool: pool)
    }
    for row in 0..<rowCount {
      for column in 0..<rowCount {
        let expected = (0..<width).reduce(0.0) { $0 + a[row, $1] * b[column, $1] }
        #expect(abs(one[row, column, 0] - expected) <= 1e-15 * Double(width))
        #expect(one[row, column, 0] == two[row, column, 0] && one[row, column, 1] == two[row, column, 1])
      }
    }
  }

  @Test(arguments: [1, 2, 3, 8], [1, 2, 5, 32])
  func tracesFollowThePermutation(partCount: Int, rowCount: Int) throws {
    let products = try CrossProducts(rowCount: rowCount, partCount: partCount)
    let pool = try WorkerPool(threadCount: 1)
    for part in 0..<partCount {
      products.add(try rows(rowCount, 9, seed: UInt64(part)), try rows(rowCount, 9, seed: 99), part: part, pool: pool)
    }
    let permutation = (0..<rowCount).map { Int32(rowCount - 1 - $0) }
    var traces = [Double](repeating: 7, count: partCount)
    products.traces(permutation, into: &traces)
    for part in 0..<partCount {
      let expected = (0..<rowCount).reduce(0.0) { $0 + products[$1, rowCount - 1 - $1, part] }
      #expect(abs(traces[part] - expected) <= 1e-13)
    }
  }

  @Test func rowsAreDividedByTheirLength() throws {
    let rows = try DoubleRows(rowCount: 3, width: 5)
    unsafe rows.set(row: 0, column: 1, from: [3, 4], count: 2)
    unsafe rows.set(row: 2, column: 0, from: [1e-30, 0, 0, 0, 0], count: 5)
    rows.normalize()
    #expect((0..<5).map { rows[0, $0] } == [0, 0.6, 0.8, 0, 0])
    #expect((0..<5).allSatisfy { rows[1, $0] == 0 } && rows[2, 0] == 1)
  }

  @Test func sizesThatDoNotFitAreRefused() {
    #expect(throws: (any Error).self) { try DoubleRows(rowCount: .max, width: 2) }
    #expect(throws: (any Error).self) { try DoubleRows(rowCount: 1 << 40, width: 1 << 40) }
    #expect(throws: (any Error).self) { try CrossProducts(rowCount: 1 << 40, partCount: 1) }
  }
}
