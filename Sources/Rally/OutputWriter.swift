import Execution
import Files
import Scheduling
import Tensors

/// Turns the residual streams of a run's steps into the outputs that were asked for.
struct OutputWriter {
  private let batch: RowBatch
  private let outputs: RunOutputs
  private let head: LanguageHead
  /// The id whose log-probability is wanted after each token, −1 for none; empty when none is.
  private let targets: [Int32]
  /// Where each token's log-probability goes.
  private let logProbabilityPlaces: [Int]
  /// Places in logits and hidden, by the token they belong to.
  private let places: [(token: Int, place: Int)]
  private var nextPlace = 0

  init(_ batch: RowBatch, _ outputs: RunOutputs, head: LanguageHead) {
    self.batch = batch
    self.outputs = outputs
    self.head = head
    let wantsRows = unsafe outputs.logits != nil || outputs.hidden != nil
    if !wantsRows {
      places = []
    } else if let positions = outputs.positions {
      places = positions.enumerated().map { ($0.element, $0.offset) }.sorted { $0 < $1 }
    } else {
      places = (0..<batch.tokenCount).map { ($0, $0) }
    }
    let wantsLogProbabilities = unsafe outputs.logProbabilities != nil
    if !wantsLogProbabilities {
      targets = []
      logProbabilityPlaces = []
    } else if let explicit = outputs.targets {
      targets = explicit
      logProbabilityPlaces = Array(0..<batch.tokenCount)
    } else {
      (targets, logProbabilityPlaces) = Self.nextTokens(batch)
    }
  }

  /// The next token of the row as target; T − 1 places per row.
  private static func nextTokens(_ batch: RowBatch) -> (targets: [Int32], places: [Int]) {
    var targets: [Int32] = []
    var places: [Int] = []
    for row in 0..<batch.rowCount {
      for token in batch.offsets[row]..<batch.offsets[row + 1] {
        let isLast = token + 1 == batch.offsets[row + 1]
        targets.append(isLast ? -1 : batch.tokens[token + 1])
        places.append(token - row)
      }
    }
    return (targets, places)
  }

  /// Writes everything about the tokens of `pieces`, which `forward` has just run.
  mutating func write(
    _ pieces: [StepPlan.Piece], _ forward: ForwardPass
  ) throws(RallyError) {
    guard let first = pieces.first, let last = pieces.last else { return }
    let tokens = first.tokens.lowerBound..<last.tokens.upperBound
    writeDepths(tokens, forward.depths)
    writeMissingTargets(tokens)
    var rows: [Int32] = []
    var start = tokens.lowerBound
    while start < tokens.upperBound {
      // As many wanted tokens as one tile of the head takes.
      rows.removeAll(keepingCapacity: true)
      var end = start
      var place = nextPlace
      while end < tokens.upperBound && rows.count < LanguageHead.tileRowCount {
        if isWanted(end, &place) { rows.append(Int32(end - tokens.lowerBound)) }
        end += 1
      }
      try write(rows, from: tokens.lowerBound, forward)
      start = end
    }
  }

  /// Whether a token's head is needed; moves `place` after the places of that token.
  private func isWanted(_ token: Int, _ place: inout Int) -> Bool {
    var wanted = !targets.isEmpty && targets[token] >= 0
    while place < places.count && places[place].token == token {
      wanted = true
      place += 1
    }
    return wanted
  }

  private mutating func write(
    _ rows: [Int32], from firstToken: Int, _ forward: ForwardPass
  ) throws(RallyError) {
    guard !rows.isEmpty else { return }
    let needsLogits = unsafe outputs.logits != nil || !targets.isEmpty
    let hidden = head.normalized(forward.hidden, at: rows)
    let logits = needsLogits ? try head.logits(hidden) : nil
    for (index, row) in rows.enumerated() {
      let token = firstToken + Int(row)
      while nextPlace < places.count && places[nextPlace].token == token {
        unsafe copy(hidden, index, to: outputs.hidden, places[nextPlace].place)
        if let logits { unsafe copy(logits, index, to: outputs.logits, places[nextPlace].place) }
        nextPlace += 1
      }
      if let logits, !targets.isEmpty { writeLogProbability(logits, index, token) }
    }
  }

  private func writeDepths(_ tokens: Range<Int>, _ depths: [Int32]) {
    guard let output = unsafe outputs.depths else { return }
    for token in tokens { unsafe output[token] = depths[token - tokens.lowerBound] }
  }

  /// A NaN where the caller wanted no target.
  private func writeMissingTargets(_ tokens: Range<Int>) {
    guard outputs.targets != nil, let output = unsafe outputs.logProbabilities else { return }
    for token in tokens where targets[token] < 0 { unsafe output[token] = .nan }
  }

  private func writeLogProbability(_ logits: FloatRows, _ row: Int, _ token: Int) {
    guard targets[token] >= 0, let output = unsafe outputs.logProbabilities else { return }
    unsafe output[logProbabilityPlaces[token]] =
      head.logProbability(logits, row: row, of: targets[token])
  }

  private func copy(
    _ rows: FloatRows, _ row: Int, to output: UnsafeMutablePointer<Float>?, _ place: Int
  ) {
    guard let output = unsafe output else { return }
    unsafe (output + place * rows.width).update(from: rows.pointer(row: row), count: rows.width)
  }
}
