import ArgumentParser
import Curation

/// What is done with the scores.
struct SelectionArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Write the best share of the lines only, in (0, 1].", valueName: "share"))
  var keep: Double?

  @Option(
    help: ArgumentHelp(
      "Write a line with the probability that it is among the best K of B; the same lines every time.", valueName: "B,K"))
  var accept: BatchShare?

  @Flag(help: "Add \"weight\", the softmax of all scores.")
  var weights = false

  @Option(help: ArgumentHelp("Add \"quantile\", by a distribution that was saved.", valueName: "file"))
  var cdf: String?

  @Option(help: ArgumentHelp("Save the distribution of the scores.", valueName: "file"))
  var saveCdf: String?

  @Option(help: "With --accept: the member that names a line.")
  var id = "id"

  @Option(help: "With --accept: another seed decides again.")
  var seed: UInt64 = 0

  @Flag(help: "The lines have their scores already: nothing is rated.")
  var scored = false

  var needsScores: Bool { keep != nil || accept != nil || weights || cdf != nil || saveCdf != nil }

  func validate() throws {
    if let keep, !(keep > 0 && keep <= 1) { throw ValidationError("--keep: expected a share in (0, 1], found \(keep)") }
    let given = [(keep != nil, "--keep"), (accept != nil, "--accept"), (weights, "--weights")].filter(\.0).map(\.1)
    guard given.count < 2 else {
      throw ValidationError("\(given.joined(separator: " and ")): expected one way to select, found \(given.count)")
    }
  }
}

/// K of B points: `512,128`.
struct BatchShare: ExpressibleByArgument {
  var batchCount: Int
  var keepCount: Int

  init?(argument: String) {
    let numbers = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count == 2, let batch = numbers[0], let keep = numbers[1], 1...Acceptance.batchLimit ~= batch,
      0...batch ~= keep
    else { return nil }
    (batchCount, keepCount) = (batch, keep)
  }
}
