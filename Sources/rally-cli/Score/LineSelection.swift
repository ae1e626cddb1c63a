import Curation
import Files
import JSON
import Rally

/// Says of each line what its score means among the others, and leaves out those that are not kept.
struct LineSelection {
  private let arguments: SelectionArguments
  /// Decisions are drawn by it; nil where it is not known.
  private let fingerprint: String?
  /// Of the scores that pass.
  private var distribution: Distribution
  /// That of `--cdf`.
  private let given: ScoreRanks?
  private(set) var keptCount = 0

  /// Whether a line can be judged only when all have been seen.
  var needsAll: Bool { arguments.keep != nil || arguments.weights || (arguments.accept != nil && given == nil) }
  var selects: Bool { arguments.keep != nil || arguments.accept != nil }

  /// - Parameter label: of the scores, as a distribution has it; nil where the rater is not known.
  init(_ arguments: SelectionArguments, label: ScoreLabel?) throws(CommandFailure) {
    self.arguments = arguments
    do throws(RallyError) {
      let loaded = try Self.load(arguments.cdf)
      if let loaded, let label, !label.accepts(loaded.label) {
        throw RallyError(
          .mismatch, "--cdf \(arguments.cdf ?? "")", expected: "a distribution of '\(label.text)'", found: "'\(loaded.label)'",
          remedy: "scores of another rater, window or stride rank differently; make one with --save-cdf")
      }
      given = try loaded?.ranks()
      distribution = try Distribution(label: label?.text ?? loaded?.label ?? "")
      fingerprint = label?.fingerprint ?? loaded.map { ScoreLabel.fingerprint(in: $0.label) }
    } catch { throw CommandFailure(error) }
    guard fingerprint != nil || (arguments.accept == nil && arguments.saveCdf == nil) else {
      throw CommandFailure(.arguments, "--scored: expected --model or --cdf, to know whose scores they are, found neither")
    }
  }

  private static func load(_ path: String?) throws(RallyError) -> Distribution? {
    guard let path else { return nil }
    let file = try MappedFile(path: path, access: .copied)
    do throws(RallyError) { return try Distribution(bytes: unsafe Array(file.bytes)) } catch {
      throw RallyError(.io, path, expected: error.expected, found: error.found)
    }
  }

  /// Every line passes here once, before it is judged.
  mutating func see(_ documents: [Document]) throws(CommandFailure) {
    guard arguments.saveCdf != nil || (arguments.accept != nil && given == nil) else { return }
    do throws(RallyError) { try distribution.add(documents.map(\.score)) } catch { throw CommandFailure(error) }
  }

  /// The lines that stay, in order.
  mutating func judge(_ documents: [Document]) throws(CommandFailure) -> [Document] {
    guard !documents.isEmpty else { return [] }
    do throws(RallyError) {
      let kept = try judged(documents)
      keptCount += kept.count
      return kept
    } catch { throw CommandFailure(error) }
  }

  private func judged(_ documents: [Document]) throws(RallyError) -> [Document] {
    var documents = documents
    let scores = documents.map(\.score)
    if let keep = arguments.keep {
      let count = try BatchFilter.keepCount(of: scores.count, keeping: keep)
      let kept = try BatchFilter.top(scores, keeping: count).map { documents[$0] }
      return try given == nil ? kept : withQuantiles(kept)
    }
    if arguments.weights { Self.add("weight", try BatchFilter.softmaxWeights(scores).map(JSONValue.float), to: &documents) }
    guard given != nil || arguments.accept != nil else { return documents }
    return try accepted(withQuantiles(documents))
  }

  private func withQuantiles(_ documents: [Document]) throws(RallyError) -> [Document] {
    var documents = documents
    Self.add("quantile", try quantiles(documents).map(JSONValue.number), to: &documents)
    return documents
  }

  private func quantiles(_ documents: [Document]) throws(RallyError) -> [Double] {
    let ranks = if let given { given } else { try distribution.ranks() }
    return try ranks.cdf(documents.map(\.score))
  }

  private func accepted(_ documents: [Document]) throws(RallyError) -> [Document] {
    guard let accept = arguments.accept else { return documents }
    var documents = documents
    let probabilities = try Acceptance.probabilities(
      quantiles(documents), batch: accept.batchCount, keeping: accept.keepCount)
    let stays = try Acceptance.decide(
      ids: documents.map { $0.id[...] }, probabilities: probabilities, fingerprint: fingerprint ?? "", seed: arguments.seed)
    Self.add("acceptance", probabilities.map(JSONValue.number), to: &documents)
    return zip(documents, stays).filter(\.1).map(\.0)
  }

  private static func add(_ key: String, _ values: [JSONValue], to documents: inout [Document]) {
    for (index, value) in values.enumerated() { documents[index].additions.append((key, value)) }
  }

  /// Writes the file of `--save-cdf`.
  func save() throws(CommandFailure) {
    guard let path = arguments.saveCdf else { return }
    do throws(RallyError) {
      var file = try ReplacementFile(path: path)
      try file.write(distribution.bytes())
      try file.commit()
    } catch { throw CommandFailure(error) }
  }
}
