import Curation
import Files
import JSON
import Rally

/// All lines by a cheap rater, a sample and the band around the cut by the expensive one.
extension ScoreCommand {
  private static let sampleCount = 8192

  func runCascade(cheap path: String) throws {
    let keep = try checkCascade()
    let (cheap, main) = (try openRater(path), try openRater(model ?? ""))
    let template = try template([main, cheap])
    let scorer = DocumentScorer(runners: [try computing.makeRunner(cheap)], names: [""], squashes: false, windows: windows.options)
    scorer.byteCount = TextInput.size(of: files)
    var documents: [Document] = []
    var leftOutCount = 0
    for path in files.isEmpty ? [TextInput.standard] : files {
      var reader = DocumentReader(
        input: try TextInput(path: path), kind: kind(of: path), model: cheap, reading: windows.options, id: nil,
        members: ContentMembers(text: text, tokens: tokens), template: template)
      leftOutCount += try score(&reader, scorer) { (scored) throws(CommandFailure) in documents += scored }
    }
    var expensive = ExpensiveRater(
      model: main, runner: try computing.makeRunner(main), windows: windows.options,
      members: ContentMembers(text: text, tokens: tokens), template: template, sharesTokens: readAlike(cheap, main),
      count: documents.count)
    let output = StandardOutput()
    if !documents.isEmpty {
      let band = try decide(&documents, by: &expensive, keeping: keep)
      let count = try BatchFilter.keepCount(of: documents.count, keeping: keep)
      let kept = try BatchFilter.top(documents.map(\.score), keeping: count).map { documents[$0] }
      if sort { try writeSorted(kept, to: output) } else { try write(kept, to: output) }
      StandardError.line(StandardError.style.dim(note(band, documents)))
    }
    let kept = try BatchFilter.keepCount(of: documents.count, keeping: keep)
    StandardError.line(StandardError.style.dim(scorer.statistics(kept: kept, leftOut: leftOutCount)))
    if leftOutCount > 0 { throw CommandFailure(.partial) }
  }

  /// - Returns: the share that stays.
  private func checkCascade() throws(CommandFailure) -> Double {
    guard let keep = selection.keep, keep < 1 else {
      throw CommandFailure(.arguments, "--cascade: expected --keep with a share below 1, the cut that it is for")
    }
    let without = [
      (!also.isEmpty, "--also"), (selection.cdf != nil, "--cdf"), (selection.saveCdf != nil, "--save-cdf"),
      (selection.scored, "--scored"), (squash, "--squash"),
    ]
    if let other = without.first(where: \.0)?.1 {
      throw CommandFailure(.arguments, "--cascade: decides one cut by scores of two raters; leave \(other) out")
    }
    return keep
  }

  private func openRater(_ path: String) throws -> Model {
    let model = try computing.open(path)
    guard model.info.kind == .rater else {
      throw CommandFailure(.model, "score: expected a rater, found '\(model.info.name)', a language model; only raters score texts")
    }
    try model.requireScore("score")
    return model
  }

  /// Whether both read the same tokens of a text.
  private func readAlike(_ cheap: Model, _ main: Model) -> Bool {
    guard cheap.readsTokens(of: main) else { return false }
    let (one, other) = (cheap.info.reading ?? .init(), main.info.reading ?? .init())
    let counts = (windows.characters ?? one.characterCount, windows.characters ?? other.characterCount)
    return counts.0 == counts.1 && (counts.0 == nil || (windows.reading ?? one.part) == (windows.reading ?? other.part))
  }

  /// Puts the score of both, and who decides, into the documents.
  private func decide(
    _ documents: inout [Document], by expensive: inout ExpensiveRater, keeping keep: Double
  ) throws(CommandFailure) -> Cascade {
    let cheap = documents.map(\.score)
    let drawn = Self.sampled(documents.count, cascading.sample ?? Self.sampleCount)
    try expensive.read(drawn.sorted(), of: documents)
    do throws(RallyError) {
      let band = try Cascade.choose(
        cheap: drawn.map { cheap[$0] }, expensive: drawn.map { expensive.scores[$0] }, discard: 1 - keep,
        agreement: cascading.agreement ?? 0.99, confidence: cascading.confidence ?? 0.95)
      let inside = cheap.indices.filter { band.reads(cheap[$0]) && expensive.scores[$0].isNaN }
      do throws(CommandFailure) { try expensive.read(inside, of: documents) } catch {
        throw RallyError(.invalidArgument, error.message)
      }
      let scores = try band.scores(cheap: cheap, expensive: expensive.scores)
      for place in documents.indices {
        documents[place].scores = [scores[place]]
        documents[place].details = details(cheap[place], expensive.scores[place], band)
      }
      return band
    } catch { throw CommandFailure(error) }
  }

  private func details(_ cheap: Float, _ expensive: Float, _ band: Cascade) -> [(key: String, value: JSONValue)] {
    [("decided_by", .string(band.reads(cheap) ? "expensive" : "cheap")), ("score_cheap", .float(cheap))]
      + (expensive.isNaN ? [] : [("score_expensive", .float(expensive))])
  }

  /// Places in the order in which they are drawn: those whose digits have the smallest SHA-256, by it.
  private static func sampled(_ count: Int, _ sampleCount: Int) -> [Int] {
    let keys = (0..<count).map { (digest: SHA256.digest("\($0)".utf8), place: $0) }
    return keys.sorted { $0.digest.lexicographicallyPrecedes($1.digest) }.prefix(sampleCount).map(\.place)
  }

  private func note(_ band: Cascade, _ documents: [Document]) -> String {
    let read = documents.count { document in document.details.contains { $0.key == "score_expensive" } }
    return "cascade: \(counted(read, "line")) of \(documents.count) read by --model; "
      + "\(decimal(100 * band.observed, 2)) % of decisions as by it alone where \(band.sampleCount / 4) were checked; "
      + "with \(decimal(100 * band.confidence, 0)) % confidence at least \(decimal(100 * band.agreement, 2)) % of all"
  }
}

/// Reads some of the documents.
private struct ExpensiveRater {
  let model: Model
  let runner: Runner
  let windows: DocumentOptions
  let members: ContentMembers
  let template: TextTemplate?
  /// Whether the tokens of the documents are this rater's own.
  let sharesTokens: Bool
  /// [documents]; NaN where a document was not read.
  private(set) var scores: [Float]

  init(
    model: Model, runner: Runner, windows: DocumentOptions, members: ContentMembers, template: TextTemplate?,
    sharesTokens: Bool, count: Int
  ) {
    (self.model, self.runner, self.windows, self.members) = (model, runner, windows, members)
    (self.template, self.sharesTokens) = (template, sharesTokens)
    scores = Array(repeating: .nan, count: count)
  }

  mutating func read(_ places: [Int], of documents: [Document]) throws(CommandFailure) {
    let scorer = DocumentScorer(runners: [runner], names: [""], squashes: false, windows: windows)
    var waiting: [Int] = []
    for place in places {
      scorer.add(try own(documents[place]))
      waiting.append(place)
      if scorer.isFull { try take(scorer, &waiting) }
    }
    try take(scorer, &waiting)
  }

  private mutating func take(_ scorer: DocumentScorer, _ waiting: inout [Int]) throws(CommandFailure) {
    for (place, document) in zip(waiting, try scorer.flush()) {
      guard document.score.isFinite else {
        throw CommandFailure(.model, "'\(model.info.name)': expected a finite score of document \(place), found none")
      }
      scores[place] = document.score
    }
    waiting = []
  }

  /// The document in this rater's tokens.
  private func own(_ document: Document) throws(CommandFailure) -> Document {
    if sharesTokens {
      var own = document
      (own.scores, own.details) = ([], [])
      return own
    }
    guard document.object[members.tokens] == nil else {
      throw CommandFailure(.input, "tokens: mean one rater only, and those of a cascade have different tokenizers; give texts")
    }
    let parser = DocumentParser(model: model, reading: windows, members: members, template: template)
    let line = JSONValue.object(document.object.members).text
    do throws(LineError) { return try parser.object(line) } catch { throw CommandFailure(.input, error.message) }
  }
}
