import Engine
import Files
import Kernels
import Models
import Tensors
import Tokenization

extension Model {
  /// Tokens of a calibration text that are read: more change little.
  static let calibrationTokenLimit = 16_384
  /// Tokens of one row of it.
  private static let calibrationRowLength = 256

  /// Reads a text in f32 and notes what every matrix is given.
  ///
  /// - Parameter text: UTF-8. A language model reads it in rows of 256 tokens, a rater paragraph by paragraph.
  /// - Throws: as `open`; `unsupported` for a model without a tokenizer; `emptyInput` for a text without tokens.
  static func calibration(
    path: String, text: [UInt8], progress: ModelQuantizer.Progress?
  ) throws(RallyError) -> Calibration {
    var options = ModelOptions()
    options.dataType = .f32
    let model = try open(path: path, options: options)
    let rows = try model.calibrationRows(text)
    let runner = try Runner(model: model)
    let collector = InputCollector(pool: runner.forward.workers)
    runner.forward.observer = { (projection, input) throws(RallyError) in try collector.note(projection, input) }
    runner.progress = progress.map { progress in { _, _ in progress(0, 1) } }
    if model.description.kind == .rater {
      _ = try runner.pooled(RowBatch(rows))
    } else {
      var outputs = RunOutputs()
      let batch = RowBatch(rows)
      let logProbabilities = try FloatStorage(count: batch.tokenCount)
      unsafe outputs.logProbabilities = logProbabilities.base
      try runner.run(batch, outputs: outputs)
    }
    return collector.calibration
  }

  private func calibrationRows(_ text: [UInt8]) throws(RallyError) -> [[Int32]] {
    guard let tokenizer else {
      throw RallyError(
        .unsupported, "calibrating", expected: "a model with a tokenizer", found: "none",
        remedy: "quantize it without a text")
    }
    let length = min(Self.calibrationRowLength, info.contextLength)
    var rows: [[Int32]] = []
    var count = 0
    func add(_ row: [Int32]) {
      guard !row.isEmpty, count < Self.calibrationTokenLimit else { return }
      rows.append(row)
      count += row.count
    }
    if description.kind == .rater {
      for paragraph in Self.paragraphs(of: text) where count < Self.calibrationTokenLimit {
        add(Array(try tokenizer.encode(paragraph, options: EncodingOptions(of: .anybody)).prefix(length)))
      }
    } else {
      // A token has at least a byte; no more is encoded than could be read.
      let start = Array(text.prefix(Self.calibrationTokenLimit * 16))
      let tokens = try tokenizer.encode(start, options: EncodingOptions(of: .anybody))
      for start in stride(from: 0, to: tokens.count, by: length) {
        add(Array(tokens[start..<min(start + length, tokens.count)]))
      }
    }
    guard !rows.isEmpty else {
      throw RallyError(.emptyInput, "calibration text", expected: "text that makes tokens", found: "none")
    }
    return rows
  }

  /// What stands between blank lines.
  private static func paragraphs(of text: [UInt8]) -> [[UInt8]] {
    var paragraphs: [[UInt8]] = [[]]
    for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      if line.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\t") }) {
        if paragraphs.last?.isEmpty == false { paragraphs.append([]) }
      } else {
        paragraphs[paragraphs.count - 1] += line + [UInt8(ascii: "\n")]
      }
    }
    return paragraphs.filter { !$0.isEmpty }
  }
}

/// What the matrices of a model are given.
private final class InputCollector {
  private let pool: WorkerPool
  private var inputs: [String: (names: [String], statistics: InputStatistics)] = [:]

  init(pool: WorkerPool) { self.pool = pool }

  func note(_ projection: Projection, _ input: FloatRows) throws(RallyError) {
    let key = projection.names.joined(separator: " ")
    if inputs[key] == nil {
      inputs[key] = (projection.names, try InputStatistics(inputs: projection.matrix.inputs))
    }
    try inputs[key]?.statistics.note(input, pool: pool)
  }

  /// In the order of names, so that results do not depend on a hash. A matrix that stands in several products, as where
  /// recursions share some parts of a layer only, has no one balance and is left out.
  var calibration: Calibration {
    var uses: [String: Int] = [:]
    for (names, _) in inputs.values { for name in names { uses[name, default: 0] += 1 } }
    let single = inputs.sorted { $0.key < $1.key }.map(\.value).filter { $0.names.allSatisfy { uses[$0] == 1 } }
    return Calibration(inputs: single.map { Calibration.Input(names: $0.names, statistics: $0.statistics) })
  }
}
