import ArgumentParser
import Curation
import JSON
import Rally

struct ExposureCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "exposure",
    abstract: "Measures what samples would pass on from a teacher to a student of a base model.",
    discussion: """
      Reads lines of JSON with a member "text" or "tokens", or plain text, as score does. Both models read every row once. \
      "jeffreys" is the first-order pull of distilling the teacher on the row, "log ratio" how much likelier the teacher \
      finds it. log E sums the ratios: where the base itself wrote the rows, it ever reaches -log(alpha) with probability \
      alpha at most. A member "given" says how many tokens at the beginning were not sampled, such as a prompt's.
      """)

  @Argument(help: "Model file of the teacher.") var teacher: String
  @Argument(help: "Model file of the student's base, with the same tokenizer.") var base: String
  @Argument(help: "Files of lines; - is standard input. (default: -)") var files: [String] = []

  @OptionGroup var computing: ComputeArguments

  @Flag(help: "Lines are plain text.")
  var text = false

  @Option(help: "Probability of rejecting the base wrongly.")
  var alpha = 0.05

  @Flag(help: "Write lines of JSON, and the summary as the last.")
  var json = false

  func validate() throws {
    guard alpha > 0, alpha < 1 else { throw ValidationError("--alpha: expected between 0 and 1, found \(alpha)") }
  }

  func run() throws {
    let models = try [teacher, base].map(computing.open)
    let runners = try models.map(computing.makeRunner)
    let output = StandardOutput()
    let printer = ExposurePrinter(output: output, isJSON: json, alpha: alpha)
    var meter = ExposureMeter(teacher: runners[0], base: runners[1])
    try printer.begin()
    for path in files.isEmpty ? [TextInput.standard] : files {
      var reader = DocumentReader(
        input: try TextInput(path: path), kind: text || path.hasSuffix(".txt") ? .text : .object, model: models[0],
        id: nil)
      while let document = try reader.next() {
        try meter.add(document)
        if meter.isFull { try printer.write(try meter.flush()) }
      }
    }
    try printer.write(try meter.flush())
    try printer.end(meter)
    try output.flush()
  }
}

/// One row that was compared.
struct ExposedRow {
  var index: Int
  var tokenCount: Int
  var divergence: Double
  var logRatio: Double
  /// log E behind this row.
  var logE: Double
}

/// Collects rows and compares them together.
struct ExposureMeter {
  private let teacher: Runner
  private let base: Runner
  private var waiting: [[Int32]] = []
  private var given: [Int] = []
  private var waitingTokenCount = 0
  private(set) var evidence = EValue()
  private(set) var tokenCount = 0
  private(set) var divergence = 0.0

  init(teacher: Runner, base: Runner) {
    self.teacher = teacher
    self.base = base
    teacher.progress = { _, _ in !Interrupt.isRequested }
  }

  var isFull: Bool { waitingTokenCount >= 8 * Runner.defaultBatchTokenCount }

  mutating func add(_ document: Document) throws(CommandFailure) {
    given.append(try Self.givenCount(document))
    waiting.append(document.tokens)
    waitingTokenCount += document.tokens.count
  }

  private static func givenCount(_ document: Document) throws(CommandFailure) -> Int {
    guard let bytes = document.object["given"] else { return 1 }
    var scanner = JSONScanner(Array(bytes))
    do throws(JSONError) { return try scanner.integer() } catch {
      throw CommandFailure(.input, "\"given\": \(error.message)")
    }
  }

  /// - Returns: the rows since the last call.
  mutating func flush() throws(CommandFailure) -> [ExposedRow] {
    guard !waiting.isEmpty else { return [] }
    let (batch, counts, interruption) = (RowBatch(waiting), given, teacher.interruption)
    (waiting, given, waitingTokenCount) = ([], [], 0)
    let scores: ExposureScores
    do throws(RallyError) {
      let (teacher, base) = (teacher, base)
      scores = try Interrupt.during(stop: { interruption.cancel() }) { () throws(RallyError) in
        try Exposure.measure(teacher: teacher, base: base, rows: batch, givenCounts: counts)
      }
    } catch { throw CommandFailure(error) }
    return scores.divergence.indices.map { index in
      let row = ExposedRow(
        index: evidence.count, tokenCount: scores.tokenCounts[index], divergence: scores.divergence[index],
        logRatio: scores.logRatio[index], logE: evidence.logarithm + scores.logRatio[index])
      evidence.add(row.logRatio)
      tokenCount += row.tokenCount
      divergence += row.divergence
      return row
    }
  }
}
