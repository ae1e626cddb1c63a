import ArgumentParser
import JSON
import Rally

struct ScoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score",
    abstract: "Scores texts with a DataRater; higher is better.",
    discussion: """
      Reads lines of JSON with a member "text" or "tokens" from files or standard input, and writes each of them, in order, \
      with three members more: "score", "token_count" and "windows". Files named .txt, and everything with --plain, are \
      plain: one text a line. Blank lines are left out. Files packed by gzip or zstd are read as they are.

      Parquet files, folders, and everything with --out are handed over to python -m rally.score, which is also for a corpus \
      that takes hours: the interpreter is the one that the environment names by RALLY_PYTHON, or python3 of the PATH.

      A line is answered before the next one is waited for, so that the command can be the other end of a pipe.

      A text longer than the rater's context is scored in windows of that length; its score is their mean, weighted by \
      their tokens, and "windows" says how many there were. --window, --stride and --max-windows cut otherwise. A rater's \
      file may say that less is read, or more than the text; --reading, --join, --characters and --template come before it. \
      "[SEP]" in a text is these five letters, unless --parse-special is given.

      A rater of several outputs adds "label", the name of the greatest, and for each of them "p_LABEL", its probability, or \
      "logit_LABEL" where the outputs are none; "score" is there where its file says which number that is.

      Several raters with one tokenizer score the same tokens: --also b.onnx adds a member "score_b".

      --keep, --accept and --weights select by the first rater's scores, --cdf says which share of a corpus lies below each. \
      With --scored, lines that were scored before are cut again, without rating.

      --cascade CHEAP.onnx reads everything by a cheap rater, and by --model only what lies around the cut of --keep: the band \
      is chosen on a sample that both read, so that the lines that stay are those of --model alone but for 1 in 100. "score" \
      ranks all; "decided_by", "score_cheap" and "score_expensive" say whose it is.
      """)

  @Option(name: [.short, .long], help: "Model file (.onnx); with --scored not needed.")
  var model: String?

  @OptionGroup var computing: ComputeArguments

  @Option(help: ArgumentHelp("Another rater with the same tokenizer; may be repeated.", valueName: "model"))
  var also: [String] = []

  @OptionGroup var cascading: CascadeArguments

  @Argument(help: "Files of lines; - is standard input. (default: -)")
  var files: [String] = []

  @Option(help: ArgumentHelp("Name of the member with the text.", valueName: "member"))
  var text = "text"

  @Option(help: ArgumentHelp("Name of the member with the token ids, which counts where both are there.", valueName: "member"))
  var tokens = "tokens"

  @Option(
    help: ArgumentHelp(
      "Where python -m rally.score writes. (with Parquet and folders: the first one's name, and -scores)", valueName: "folder"))
  var out: String?

  @Flag(help: "Lines are plain text; so says --text without a name, too.")
  var plain = false

  @Flag(help: "Answer each line before the next is read, also where more are there already.")
  var lineBuffered = false

  @Option(help: "Name of the member that the score is written to; one that is there already is replaced.")
  var field = "score"

  @OptionGroup var windows: WindowArguments

  @OptionGroup var selection: SelectionArguments

  @Flag(help: "Apply the rater's squash. Without it scores rank without ties.")
  var squash = false

  @Flag(help: "Write a table from best to worst, when all are scored.")
  var sort = false

  @Flag(help: "With --sort: lines of JSON instead of a table.")
  var json = false

  @Flag(help: "Leave out lines that cannot be scored, say so, and end with exit code 1.")
  var keepGoing = false

  func validate() throws {
    guard model != nil || selection.scored else { throw ValidationError("Missing expected argument '--model <model>'") }
    if selection.scored, !also.isEmpty || plain {
      throw ValidationError("--scored: expected lines with scores, of which nothing is rated; leave out --also and --plain")
    }
    if ["token_count", "windows", "text", "tokens", text, tokens].contains(field) {
      throw ValidationError("--field: expected another name than '\(field)', which has a meaning of its own")
    }
  }

  func run() throws {
    if let corpus = CorpusHandover.first(of: files, isWanted: out != nil) { try handOver(corpus) }
    if let cheap = cascading.cascade { return try runCascade(cheap: cheap) }
    let models = try raters()
    try checkScore(models.first)
    let template = try template(models)
    let scorer = DocumentScorer(
      runners: selection.scored ? [] : try models.map(computing.makeRunner), names: names, squashes: squash,
      windows: windows.options)
    var selected = try LineSelection(selection, label: label(models.first, template))
    let output = StandardOutput()
    var waiting: [Document] = []
    var leftOutCount = 0
    scorer.byteCount = TextInput.size(of: files)
    for path in files.isEmpty ? [TextInput.standard] : files {
      var reader = DocumentReader(
        input: try TextInput(path: path), kind: kind(of: path), model: models.first, reading: windows.options,
        id: selection.accept == nil ? nil : selection.id, members: ContentMembers(text: text, tokens: tokens), template: template)
      leftOutCount += try score(&reader, scorer) { (documents) throws(CommandFailure) in
        try selected.see(documents)
        if sort || selected.needsAll { waiting += documents } else { try write(selected.judge(documents), to: output) }
      }
    }
    let kept = try selected.judge(waiting)
    if sort { try writeSorted(kept, to: output) } else { try write(kept, to: output) }
    try selected.save()
    let statistics = scorer.statistics(kept: selected.selects ? selected.keptCount : nil, leftOut: leftOutCount)
    StandardError.line(StandardError.style.dim(statistics))
    if leftOutCount > 0 { throw CommandFailure(.partial) }
  }

  /// What ranks or selects needs a score.
  private func checkScore(_ model: Model?) throws(CommandFailure) {
    guard let model, sort || selection.needsScores else { return }
    do throws(RallyError) { try model.requireScore("score") } catch { throw CommandFailure(error) }
  }

  func kind(of path: String) -> LineKind {
    if selection.scored { return .scored(field) }
    let names = [".txt", ".txt.gz", ".txt.zst"]
    return plain || names.contains { path.hasSuffix($0) } ? .text : .object
  }

  /// What a distribution of the first rater's scores is labelled with; nil where it is not needed, for it reads the whole file.
  func label(_ model: Model?, _ template: TextTemplate?) throws -> ScoreLabel? {
    guard let model, selection.cdf != nil || selection.saveCdf != nil || selection.accept != nil else { return nil }
    var reading = ScoreReading()
    reading.windowTokenCount = windows.window
    reading.stride = windows.stride
    reading.maximumWindowCount = windows.maxWindows
    reading.more = windows.label(model, template)
    do throws(RallyError) { return try model.scoreLabel(reading, squashes: squash) } catch { throw CommandFailure(error) }
  }

  /// The raters, of `--model` and `--also`, which read the same tokens.
  private func raters() throws -> [Model] {
    var models: [Model] = []
    for path in [model].compactMap(\.self) + also {
      let model = try computing.open(path)
      guard model.info.kind == .rater else {
        throw CommandFailure(
          .model, "score: expected a rater, found '\(model.info.name)', a language model; only raters score texts")
      }
      if let first = models.first, !first.readsTokens(of: model) {
        throw CommandFailure(
          .model,
          "--also: expected a rater with the tokenizer of '\(first.info.name)', found '\(model.info.name)' with another; score by each in a run of its own"
        )
      }
      models.append(model)
    }
    return models
  }

  /// What is read of a line besides its text, by all raters alike.
  func template(_ models: [Model]) throws(CommandFailure) -> TextTemplate? {
    guard let first = models.first, !selection.scored else { return nil }
    let found = try TextTemplate.of(first, asked: windows.template)
    for model in models.dropFirst() {
      guard try TextTemplate.of(model, asked: windows.template)?.text != found?.text else { continue }
      throw CommandFailure(
        .model,
        "--also: '\(model.info.name)' reads something else of a line than '\(first.info.name)'; --template says what both read")
    }
    return found
  }

  /// Ends this program; python -m rally.score goes on in its place.
  private func handOver(_ corpus: CorpusHandover) throws(CommandFailure) -> Never {
    let without: [(isGiven: Bool, name: String)] = [
      (selection.keep != nil, "--keep"), (selection.accept != nil, "--accept"), (selection.weights, "--weights"),
      (selection.cdf != nil, "--cdf"), (selection.saveCdf != nil, "--save-cdf"), (selection.scored, "--scored"),
      (squash, "--squash"), (sort, "--sort"), (plain, "--plain"), (lineBuffered, "--line-buffered"),
      (field != "score", "--field"),
    ]
    if let other = without.first(where: \.isGiven)?.name {
      throw CommandFailure(
        .arguments,
        "\(corpus.reason), which python -m rally.score reads, and that has no \(other); "
          + "its shards have score and quantile of each row, and --again OUT --write KEPT takes out the best")
    }
    var options = windows.arguments + (json ? ["--json"] : [])
    if let threads = computing.threads { options += ["--threads", "\(threads)"] }
    if computing.dtype != .auto { options += ["--dtype", computing.dtype.rawValue] }
    if text != "text" { options += ["--text", text] }
    if tokens != "tokens" { options += ["--tokens", tokens] }
    for path in also { options += ["--also", path] }
    options += cascading.arguments
    try corpus.handOver([model ?? ""] + files, out: out, options)
  }

  /// What is put after the names of the members that a rater adds: nothing for the first, "_" and the file for others.
  private var names: [String] {
    [""]
      + also.map { path in
        let name = path.split(separator: "/").last ?? ""
        return "_\(name.hasSuffix(".onnx") ? name.dropLast(5) : name)"
      }
  }

  /// Names of the members that scores are written to.
  private var fields: [String] { names.map { field + $0 } }

  /// - Returns: the number of lines that were left out.
  func score(
    _ reader: inout DocumentReader, _ scorer: DocumentScorer, emit: ([Document]) throws(CommandFailure) -> Void
  ) throws(CommandFailure) -> Int {
    var leftOutCount = 0
    let before = scorer.readCount
    while true {
      if lineBuffered || reader.isWaiting { try emit(scorer.flush()) }
      do throws(CommandFailure) {
        guard let document = try reader.next() else { break }
        scorer.add(document)
        scorer.readCount = before + reader.readCount
      } catch {
        // What came before is complete.
        try emit(scorer.flush())
        guard keepGoing, error.status == .input else { throw error }
        leftOutCount += 1
        error.report()
      }
      if scorer.isFull { try emit(scorer.flush()) }
    }
    try emit(scorer.flush())
    return leftOutCount
  }

  func write(_ documents: [Document], to output: StandardOutput) throws(CommandFailure) {
    for document in documents { try output.write(document.json(fields: fields).text + [0x0A]) }
    try output.flush()
  }

  /// Best first; equal ones in the order of the input.
  func writeSorted(_ documents: [Document], to output: StandardOutput) throws(CommandFailure) {
    let sorted = documents.enumerated().sorted {
      $0.element.score != $1.element.score ? $0.element.score > $1.element.score : $0.offset < $1.offset
    }.map(\.element)
    if json { return try write(sorted, to: output) }
    var table = Table([("rank", .right)] + fields.map { ($0, .right) } + [("tokens", .right), ("document", .left)])
    for (index, document) in sorted.enumerated() {
      let scores = document.scores.map { $0.map { decimal(Double($0), 4) } ?? "" }
      table.append(["\(index + 1)"] + scores + ["\(document.tokens.count)", document.label(width: 60)])
    }
    for line in table.lines(output.style) { try output.line(line) }
    try output.flush()
  }
}
