import Curation
import Files
import Testing

struct DistributionTests {
  private static func distribution(_ scores: [Float], label: String = "", capacity: Int = 4096) throws -> Distribution {
    var distribution = try Distribution(label: label, capacity: capacity)
    for start in stride(from: 0, to: scores.count, by: 10_007) {
      try distribution.add(Array(scores[start..<min(start + 10_007, scores.count)]))
    }
    return distribution
  }

  private static func midRanks(_ probes: [Float], _ scores: [Float]) -> [Double] {
    let sorted = scores.sorted()
    func before(_ isBefore: (Float) -> Bool) -> Int {
      var (low, high) = (0, sorted.count)
      while low < high {
        let middle = (low + high) / 2
        if isBefore(sorted[middle]) { low = middle + 1 } else { high = middle }
      }
      return low
    }
    return probes.map { probe in
      Double(before { $0 < probe } + before { $0 <= probe }) / Double(2 * sorted.count)
    }
  }

  /// The promise: no rank is wrong by more than `rankError`, and that stays below what the header states.
  private func expectTruth(_ distribution: Distribution, _ scores: [Float], atMost bound: Double) throws {
    let probes = Array(scores.sorted().enumerated().filter { $0.offset % 997 == 0 }.map(\.element)) + [-.infinity, .infinity]
    let found = try distribution.ranks().cdf(probes)
    let worst = zip(found, Self.midRanks(probes, scores)).map { abs($0 - $1) }.max() ?? 0
    #expect(worst <= distribution.rankError + 1e-15)
    #expect(distribution.rankError <= bound)
    #expect(distribution.count == scores.count)
    #expect(distribution.minimum == scores.min() && distribution.maximum == scores.max())
  }

  static let million = 1_000_000
  static let orders: [(String, @Sendable (Int) -> Float)] = [
    ("sorted", { Float($0) }), ("reversed", { Float(-$0) }), ("constant", { _ in 3 }),
    ("mixed", { Float($0 &* 7_919 % 1_000_003) }), ("waves", { Float($0 % 8192) }), ("two", { Float($0 & 1) }),
    ("outwards", { $0 & 1 == 0 ? Float($0) : Float(-$0) }),
  ]

  @Test(arguments: 0..<orders.count)
  func aMillionInAnyOrder(order: Int) throws {
    let scores = (0..<Self.million).map(Self.orders[order].1)
    let distribution = try Self.distribution(scores)
    try expectTruth(distribution, scores, atMost: 9 / 8192)
    let mean = try distribution.ranks().cdf(scores).reduce(0, +) / Double(scores.count)
    #expect(abs(mean - 0.5) <= distribution.rankError)
  }

  /// Leaves of many sizes, merged one by one, in pairs, and in an order of their own.
  @Test(arguments: ["chain", "pairs", "random"], [64, 4096])
  func anyTreeOfMerges(tree: String, capacity: Int) throws {
    var random = SplitMix(seed: 7)
    let scores = (0..<300_000).map { _ in Float(Int64(bitPattern: random.next()) >> 40) }
    var leaves: [Distribution] = []
    var start = 0
    while start < scores.count {
      let end = min(scores.count, start + 1 + Int(random.next() % 9000))
      leaves.append(try Self.distribution(Array(scores[start..<end]), capacity: capacity))
      start = end
    }
    while leaves.count > 1 {
      switch tree {
      case "chain": try leaves[0].merge(leaves.remove(at: 1))
      case "random":
        let other = leaves.remove(at: Int(random.next() % UInt64(leaves.count)))
        try leaves[Int(random.next() % UInt64(leaves.count))].merge(other)
      default:
        for left in stride(from: leaves.count - leaves.count % 2 - 2, through: 0, by: -2) {
          try leaves[left].merge(leaves.remove(at: left + 1))
        }
      }
    }
    let levels = capacity == 64 ? 13.2 : 7.2  // log2(300 000 / capacity) + 1
    try expectTruth(leaves[0], scores, atMost: levels / Double(capacity))
  }

  @Test func fewScoresAreExact() throws {
    var random = SplitMix(seed: 1)
    let scores = (0..<4096).map { _ in Float(random.next() % 1000) }
    let distribution = try Self.distribution(scores)
    #expect(distribution.rankError == 0)
    #expect(try distribution.ranks().cdf(scores) == Self.midRanks(scores, scores))
    var halves = try Self.distribution(Array(scores[..<2000]))
    try halves.merge(Self.distribution(Array(scores[2000...])))
    #expect(try halves.rankError == 0 && halves.ranks().cdf(scores) == Self.midRanks(scores, scores))

    let sorted = scores.sorted()
    let shares = [0, 1e-9, 0.1, 0.25, 0.5, 0.999, 1]
    let expected = shares.map { sorted[max(0, Int(($0 * 4096).rounded(.up)) - 1)] }
    #expect(try distribution.ranks().quantiles(shares) == expected)
  }

  @Test func infinitiesAreScores() throws {
    let distribution = try Self.distribution([-.infinity, 0, .infinity, .infinity])
    #expect(try distribution.ranks().cdf([-.infinity, 0, .infinity]) == [0.125, 0.375, 0.75])
  }

  @Test func savedAndOpened() throws {
    var random = SplitMix(seed: 3)
    for count in [0, 1, 4096, 4097, 50_000] {
      let scores = (0..<count).map { _ in Float(random.next() % 100_000) }
      let distribution = try Self.distribution(scores, label: "räter:document")
      let bytes = distribution.bytes()
      var opened = try Distribution(bytes: bytes)
      #expect(opened.bytes() == bytes && opened.label == distribution.label && opened.rankError == distribution.rankError)
      var whole = distribution
      try whole.add([1, 2, 3])
      try opened.add([1, 2, 3])
      #expect(opened.bytes() == whole.bytes())
    }
  }

  @Test func brokenBytesAreRefused() throws {
    let bytes = try Self.distribution((0..<40).map(Float.init), label: "label", capacity: 8).bytes()
    for cut in 0..<bytes.count {
      #expect(code { _ = try Distribution(bytes: Array(bytes[..<cut])) } == .corruptFile)
    }
    for place in bytes.indices {
      var broken = bytes
      broken[place] ^= 0x10
      let isVersion = 8..<16 ~= place
      #expect(code { _ = try Distribution(bytes: broken) } == (isVersion ? .unsupportedVersion : .corruptFile))
    }
    #expect(code { _ = try Distribution(bytes: bytes + [0]) } == .corruptFile)
  }

  /// Numbers that lie under a right checksum.
  @Test func nonsenseUnderARightChecksumIsRefused() throws {
    let bytes = try Self.distribution((0..<40).map(Float.init), label: "label", capacity: 8).bytes()
    let end = bytes.count - 32
    var accepted = 0
    for place in 16..<end {
      for value in [UInt8](arrayLiteral: 0, 1, 0x7F, 0x80, 0xFF) where bytes[place] != value {
        var broken = Array(bytes[..<end])
        broken[place] = value
        let failure = code {
          let opened = try Distribution(bytes: broken + SHA256.digest(broken))
          accepted += 1
          var used = opened
          try used.add((0..<100).map(Float.init))
          for _ in 0..<8 { try used.merge(used) }
          #expect(try used.ranks().cdf([20]).allSatisfy { 0...1 ~= $0 })
        }
        #expect(failure == nil || failure == .corruptFile || failure == .limitExceeded)
      }
    }
    #expect(accepted > 0, "scores, label and errors may be any that fit together")
  }

  @Test func whatDoesNotBelongTogether() throws {
    var one = try Self.distribution([1, 2], label: "a:document")
    let before = one.bytes()
    #expect(code { try one.merge(Self.distribution([1], label: "a:packed")) } == .mismatch)
    #expect(code { try one.merge(Self.distribution([1], label: "a:document", capacity: 8)) } == .mismatch)
    #expect(code { try one.add([1, .nan]) } == .notFinite)
    #expect(one.bytes() == before)
    #expect(code { _ = try Distribution().ranks() } == .emptyInput)
    #expect(code { _ = try one.ranks().cdf([.nan]) } == .notFinite)
    #expect(code { _ = try one.ranks().quantiles([1.5]) } == .invalidArgument)
    for capacity in [-2, 0, 6, 9, 1 << 21] {
      #expect(code { _ = try Distribution(capacity: capacity) } == .invalidArgument)
    }
  }
}
