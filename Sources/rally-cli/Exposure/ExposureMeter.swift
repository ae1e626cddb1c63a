import Curation
import JSON
import Rally

/// One row that was compared.
struct ExposedRow {
  var index: Int
  var tokenCount: Int
  var divergence: Double
  var logRatio: Double
  /// log E after this row.
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
