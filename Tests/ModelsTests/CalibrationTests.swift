import Kernels
import Tensors
import Testing

@testable import Models

/// Rounding for the inputs that a text brings, against the rule that knows of none.
@Suite struct CalibrationTests {
  let pool: WorkerPool

  init() throws { pool = try WorkerPool(threadCount: 1) }

  private func statistics(_ rows: [[Float]]) throws -> InputStatistics {
    let width = rows[0].count
    let statistics = try InputStatistics(inputs: width)
    let storage = try FloatStorage(count: rows.count * width)
    for (index, value) in rows.joined().enumerated() { unsafe storage.base[index] = value }
    try statistics.note(storage.rows(rows.count, width: width), pool: pool)
    return statistics
  }

  private func numbers(_ count: Int, seed: UInt64) -> [Float] {
    var state = seed
    return (0..<count).map { _ in
      state = state &* 6364136223846793005 &+ 1442695040888963407
      return Float(Int32(truncatingIfNeeded: state >> 32)) / Float(Int32.max)
    }
  }

  /// What the rounded weights are off by for some inputs, and the numbers they have.
  private func rounded(_ weights: [Float], _ statistics: InputStatistics?, for inputs: [[Float]]) -> (error: Double, [Int8]) {
    let groupCount = PackedMatrix.groupCount(inputs: weights.count)
    var (values, scales) = (weights, [Float](repeating: 0, count: groupCount))
    var out = [Int8](repeating: 0, count: weights.count)
    if let statistics {
      let balance = [Float](repeating: 1, count: weights.count)
      unsafe CalibratedRounding(statistics, balance: balance, dataType: .int8).round(&values, to: &out, scales: &scales)
    } else {
      unsafe Conversion.f32(values, toInt8: &out, scales: &scales, groupCount: groupCount, count: weights.count)
    }
    let width = weights.count / groupCount
    let error = inputs.reduce(0.0) { sum, x in
      let off = x.indices.reduce(0.0) { $0 + Double(x[$1]) * (Double(weights[$1]) - Double(out[$1]) * Double(scales[$1 / width])) }
      return sum + off * off
    }
    return (error, out)
  }

  /// Channels that move together let one make up for another, in one block and in several, in groups and without.
  @Test(arguments: [64, 50, 320])
  func inputsThatMoveTogetherLoseLess(width: Int) throws {
    let directions = (0..<4).map { numbers(width, seed: UInt64($0 + 1)) }
    let inputs = (0..<400).map { index -> [Float] in
      let parts = numbers(4, seed: UInt64(1000 + index))
      let noise = numbers(width, seed: UInt64(5000 + index))
      return (0..<width).map { channel in
        (0..<4).reduce(0.02 * noise[channel]) { $0 + parts[$1] * directions[$1][channel] }
      }
    }
    let statistics = try statistics(inputs)
    var (plain, calibrated) = (0.0, 0.0)
    for seed in 0..<8 as Range<UInt64> {
      let weights = numbers(width, seed: 77 + seed)
      plain += rounded(weights, nil, for: inputs).error
      calibrated += rounded(weights, statistics, for: inputs).error
    }
    #expect(calibrated < 0.2 * plain)
  }

  /// Without anything in common there is nothing to make up for: the rule of the format, number by number.
  @Test func inputsThatMoveAloneAreRoundedByTheRule() throws {
    let alone = (0..<64).map { channel in (0..<64).map { Float($0 == channel ? 1 : 0) } }
    let weights = numbers(64, seed: 5)
    #expect(try rounded(weights, statistics(alone), for: alone).1 == rounded(weights, nil, for: alone).1)
    let silent = [[Float](repeating: 0, count: 64)]
    #expect(try rounded(weights, statistics(silent), for: silent).1 == rounded(weights, nil, for: silent).1)
    let broken = [[Float](repeating: .nan, count: 64)]
    #expect(try rounded(weights, statistics(broken), for: silent).1 == rounded(weights, nil, for: silent).1)
  }

  @Test func statisticsAreThoseOfAllRows() throws {
    let rows = (0..<300).map { numbers(320, seed: UInt64($0)) }
    let statistics = try statistics(rows)
    #expect(statistics.maxima == (0..<320).map { channel in rows.map { abs($0[channel]) }.max() ?? 0 })
    #expect(statistics.blockCount == 2)
    let (width, values) = statistics.products(block: 1)
    for (i, j) in [(0, 0), (3, 5), (width - 1, 2)] {
      let expected = rows.reduce(0.0) {
        $0 + Double($1[statistics.blockWidth + i]) * Double($1[statistics.blockWidth + j])
      }
      #expect(abs(values[i * width + j] - expected) < 1e-9)
    }
  }

  @Test func aBalanceIsMadeOfPowersOfTwo() {
    let columns: [Float] = [1, 1, 1, 0, 1e-20]
    let balance = Balance.between(rows: [1, 100, 0, 1e-30, 5], columns: columns)
    #expect(balance.allSatisfy(Balance.isValid))
    #expect(balance[1] < balance[0])
    let extreme = Balance.between(rows: [1, .greatestFiniteMagnitude, 0, .leastNonzeroMagnitude, 5], columns: columns)
    #expect(extreme.allSatisfy(Balance.isValid))
    #expect(Balance.between(rows: [0, 0], columns: [0, 0]) == [1, 1])
    for value: Float in [0, -1, 3, .nan, .infinity, 0x1p25, 0x1p-25, .leastNonzeroMagnitude] {
      #expect(!Balance.isValid(value))
    }
  }
}
