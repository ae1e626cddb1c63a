public import Files
import Kernels
import Models

/// Whether two models come from one initialisation, from their weights alone.
///
/// Under independent initialisations the hidden units of a model are exchangeable, whatever it was trained on, also on the
/// other's outputs. Units of A and B at the same places then match no better than units paired at random. Sources: Zhu et
/// al. 2025, arXiv 2502.12292; why it matters: Cloud, Le et al. 2025, arXiv 2507.14805.
public enum Lineage {
  /// Units of a set that are compared, at most: spread evenly, the same of both models. Any fixed choice is valid.
  static let maximumUnitCount = 1024

  /// Compares two files: models of Rally, `.safetensors` files, or folders of Hugging Face's libraries.
  ///
  /// - Throws: what opening such files throws; `mismatch` for models of other shapes; `notFinite`, `invalidShape`,
  ///   `invalidValue` for weights without spread, `unsupported` for too few units, `invalidArgument` for too few
  ///   permutations, `outOfMemory`, `cancelled`.
  /// - Complexity: about 10 s for two models of 360M parameters on two cores.
  public static func compare(
    _ a: String, _ b: String, options: LineageOptions = LineageOptions()
  ) throws(RallyError) -> LineageReport {
    try InstructionSet.checkEnvironment()
    return try compare(UnitPairing(UnitModel.open(path: a), UnitModel.open(path: b), mergesCopies: true).pairs, options)
  }

  static func compare(_ pairs: [UnitPair], _ options: LineageOptions) throws(RallyError) -> LineageReport {
    try check(pairs, options)
    let pool = try WorkerPool(threadCount: options.threads == 0 ? nil : options.threads)
    var (tensors, sets, head): ([LineageEntry], [LineageEntry], LineageEntry?) = ([], [], nil)
    for (index, pair) in pairs.enumerated() {
      let permutations = RandomPermutations(seed: options.seed, stream: index)
      let (whole, parts) = try pair.compare(options.permutationCount, permutations, pool)
      if pair.kind == .head {
        head = whole
      } else {
        sets.append(whole)
        tensors += parts
      }
      if let progress = options.progress, !progress(UInt64(index + 1), UInt64(pairs.count)) {
        throw RallyError(.cancelled, "lineage", found: "the progress callback ended it")
      }
    }
    let p = FisherMethod.combine(sets.map(\.match.p))
    let effect = sets.reduce(0) { $0 + $1.match.effect * Double($1.unitCount) } / Double(sets.reduce(0) { $0 + $1.unitCount })
    return LineageReport(
      tensors: tensors, sets: sets, head: head, p: p, effect: effect, verdict: LineageVerdict(p: p, effect: effect),
      permutationCount: options.permutationCount, seed: options.seed)
  }

  // MARK: Checks

  private static func check(_ pairs: [UnitPair], _ options: LineageOptions) throws(RallyError) {
    let counts = pairs.filter { $0.kind != .head }.map(\.unitCount)
    let limit = 10_000_000
    guard 1...limit ~= options.permutationCount else {
      throw RallyError(.invalidArgument, "permutations", expected: "1…\(limit)", found: "\(options.permutationCount)")
    }
    guard !counts.isEmpty else {
      throw RallyError(.emptyInput, "lineage", expected: "matrices besides the head", found: "none")
    }
    guard smallestP(counts, limit) < LineageVerdict.significance else {
      throw RallyError(
        .unsupported, "units", expected: "enough for a p below \(LineageVerdict.significance), such as 8 in one matrix",
        found: counts.map(String.init).joined(separator: ", "))
    }
    guard smallestP(counts, options.permutationCount) < LineageVerdict.significance else {
      throw RallyError(
        .invalidArgument, "permutations", expected: "enough for a p below \(LineageVerdict.significance)",
        found: "\(options.permutationCount)")
    }
  }

  /// What p is expected to be where nothing but the true pairing, one of h!, reaches its trace.
  private static func smallestP(_ unitCounts: [Int], _ permutationCount: Int) -> Double {
    FisherMethod.combine(
      unitCounts.map { count in
        let pairings = (1...min(count, 20)).reduce(1.0) { $0 * Double($1) }
        return (1 + Double(permutationCount) / pairings) / (1 + Double(permutationCount))
      })
  }
}
