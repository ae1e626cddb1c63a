import Curation
import Files
import Models

/// Documents of any lengths, and the windows that a rater is to score of each.
///
/// A document that begins with the token that the tokenizer puts first, or ends with the one that it puts last, has it in
/// every window: a window is what the rater would get if it stood alone. So a document that fits one window is one row, as
/// it is.
public struct DocumentPlan: Sendable {
  public let documents: RowBatch
  /// Windows of document i are `windowOffsets[i] ..< windowOffsets[i + 1]`; [documents + 1], from 0.
  public let windowOffsets: [Int]
  private let cuts: [DocumentCut]
  private let join: DocumentOptions.Join

  /// A gigabyte of ids, which is days of work for a small processor.
  private static let tokenLimit = 1 << 28

  /// - Throws: `invalidArgument` for options that fit no window; `limitExceeded` where the windows have more tokens than a
  ///   call takes.
  init(
    _ documents: RowBatch, frame: TextFrame, contextLength: Int, reading: ModelDescription.Rater.Reading,
    options: DocumentOptions
  ) throws(RallyError) {
    let length = try options.windowLength(contextLength: contextLength, frame: frame, reading: reading)
    let part = options.reading ?? reading.part
    try options.checkWindows(part)
    self.documents = documents
    join = options.join ?? reading.join
    cuts = (0..<documents.rowCount).map { row in
      DocumentCut(
        documents.range(of: row), in: documents.tokens, frame: frame, length: length, part: part, options: options)
    }
    windowOffsets = cuts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.windows.count) }
    var tokenCount = 0
    for cut in cuts {
      let (sum, overflow) = tokenCount.addingReportingOverflow(cut.largestTokenCount)
      guard !overflow, sum <= Self.tokenLimit else {
        throw RallyError(
          .limitExceeded, "windows", expected: "at most \(Self.tokenLimit) tokens in all windows of a call", found: "more",
          remedy: "give fewer documents at once, or a larger stride")
      }
      tokenCount = sum
    }
  }

  /// One row per window, document after document.
  var windows: RowBatch {
    get throws(RallyError) {
      var tokens: [Int32] = []
      tokens.reserveCapacity(cuts.reduce(0) { $0 + $1.largestTokenCount })
      var offsets = [0]
      offsets.reserveCapacity(windowOffsets[cuts.count] + 1)
      for cut in cuts {
        for index in 0..<cut.windows.count {
          cut.append(window: index, of: documents.tokens, to: &tokens)
          offsets.append(tokens.count)
        }
      }
      return try RowBatch(tokens: tokens, offsets: offsets)
    }
  }

  /// What the scores of all windows, [windows], and their outputs, [windows, n], say about each document.
  func scores(_ windows: [Float], outputs: [Float] = []) -> DocumentScores {
    var result = DocumentScores(windows: windows, windowOffsets: windowOffsets)
    let outputCount = windows.isEmpty ? 0 : outputs.count / windows.count
    for (row, cut) in cuts.enumerated() {
      let range = windowOffsets[row]..<windowOffsets[row + 1]
      result.mean.append(cut.joined(windows[range], .mean))
      result.minimum.append(cut.joined(windows[range], .min))
      result.score.append(cut.joined(windows[range], join))
      result.coverage.append(cut.coverage)
      for output in 0..<outputCount {
        let column = range.map { outputs[$0 * outputCount + output] }
        result.outputs.append(cut.joined(column[...], join))
      }
    }
    return result
  }
}

/// What a tokenizer puts around every text.
struct TextFrame {
  var first: Int32?
  var last: Int32?

  var tokenCount: Int { (first == nil ? 0 : 1) + (last == nil ? 0 : 1) }
}

/// One document: what of its frame it carries, and the windows of the text between.
private struct DocumentCut {
  let first: Int32?
  let last: Int32?
  /// Of the text's first token among all tokens.
  let start: Int
  /// Tokens of the text, whether they are read or not.
  let tokenCount: Int
  let windows: DocumentWindows

  init(
    _ range: Range<Int>, in tokens: [Int32], frame: TextFrame, length: Int, part: DocumentOptions.Reading,
    options: DocumentOptions
  ) {
    let hasFirst = frame.first != nil && tokens[range].first == frame.first
    let hasLast = frame.last != nil && range.count > (hasFirst ? 1 : 0) && tokens[range].last == frame.last
    first = hasFirst ? frame.first : nil
    last = hasLast ? frame.last : nil
    let frameCount = (hasFirst ? 1 : 0) + (hasLast ? 1 : 0)
    start = range.lowerBound + (hasFirst ? 1 : 0)
    let room = length - frameCount
    tokenCount = range.count - frameCount
    windows =
      switch part {
      case .windows:
        DocumentWindows(
          tokenCount: tokenCount, length: room, stride: options.stride ?? room, limit: options.maximumWindowCount)
      case .first, .middle:
        DocumentWindows(tokenCount: min(tokenCount, room), length: room, stride: room)
      case .ends:
        // The second window begins where the last `room` tokens do.
        DocumentWindows(tokenCount: tokenCount, length: room, stride: max(1, tokenCount - room))
      }
  }

  /// Tokens of all windows if each were full.
  var largestTokenCount: Int {
    let window = min(windows.length, windows.tokenCount) + 2
    let (count, overflow) = windows.count.multipliedReportingOverflow(by: window)
    return overflow ? .max : count
  }

  var coverage: Float {
    let seen = windows.seenCount
    guard seen < tokenCount else { return 1 }
    return min(Float(Double(seen) / Double(tokenCount)), Float(1).nextDown)
  }

  func append(window index: Int, of tokens: [Int32], to result: inout [Int32]) {
    let window = windows[index]
    if let first { result.append(first) }
    result.append(contentsOf: tokens[start + window.lowerBound..<start + window.upperBound])
    if let last { result.append(last) }
  }

  /// What the windows' values make; a NaN among them remains.
  func joined(_ values: ArraySlice<Float>, _ join: DocumentOptions.Join) -> Float {
    switch join {
    case .mean: mean(values)
    case .min: values.reduce(Float.infinity) { $0.isNaN || $0 <= $1 ? $0 : $1 }
    case .max: values.reduce(-Float.infinity) { $0.isNaN || $0 >= $1 ? $0 : $1 }
    }
  }

  /// The very score where there is one window: its product with a token count is exact in double precision.
  private func mean(_ scores: ArraySlice<Float>) -> Float {
    var sum = 0.0
    var weight = 0.0
    for (index, score) in scores.enumerated() {
      let tokens = Double(max(1, windows[index].count))
      sum += Double(score) * tokens
      weight += tokens
    }
    return Float(sum / weight)
  }
}
