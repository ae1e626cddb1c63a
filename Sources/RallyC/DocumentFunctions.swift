public import CRally
import Rally

@c @implementation
public func rally_encode_document(
  _ model: OpaquePointer?, _ text: UnsafePointer<CChar>?, _ length: Int,
  _ options: UnsafePointer<rally_document_options>?, _ tokens: UnsafeMutablePointer<Int32>?,
  _ capacity: Int, _ tokenCount: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let model = try unsafe ModelHandle.table.object(model).model
    let options = try DocumentOptions(unsafe rally_document_options.read(options, "options"))
    let bytes = try unsafe buffer(text, length, "text")
    let encoded = try unsafe model.encodeDocument(bytes.map { UInt8(bitPattern: $0) }, options: options)
    try unsafe give(encoded, to: tokens, capacity, "tokens", count: tokenCount, "token_count")
  }
}

@c @implementation
public func rally_document_windows(
  _ model: OpaquePointer?, _ tokens: UnsafePointer<Int32>?, _ rowOffsets: UnsafePointer<Int>?, _ rowCount: Int,
  _ options: UnsafePointer<rally_document_options>?, _ windowOffsets: UnsafeMutablePointer<Int>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let model = try unsafe ModelHandle.table.object(model).model
    let options = try DocumentOptions(unsafe rally_document_options.read(options, "options"))
    let result = try unsafe required(windowOffsets, "window_offsets")
    let plan = try unsafe model.plan(rows(tokens, rowOffsets, rowCount), options: options)
    unsafe result.update(from: plan.windowOffsets, count: plan.windowOffsets.count)
  }
}

@c @implementation
public func rally_rate_documents(
  _ runner: OpaquePointer?, _ tokens: UnsafePointer<Int32>?, _ rowOffsets: UnsafePointer<Int>?, _ rowCount: Int,
  _ options: UnsafePointer<rally_document_options>?, _ scores: UnsafePointer<rally_document_scores>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    try unsafe RunnerHandle.table.object(runner).use { (runner) throws(RallyError) in
      let read = try unsafe rally_document_options.read(options, "options")
      let squash = try read.squash.choice("squash") ?? false
      let timeout = try seconds(read.timeout_seconds)
      let wanted = try unsafe rally_document_scores.read(required(scores, "scores"), "scores")
      let plan = try unsafe runner.model.plan(rows(tokens, rowOffsets, rowCount), options: DocumentOptions(read))
      try unsafe wanted.check(windowCount: plan.windowOffsets[rowCount], model: runner.model)
      let scores = try unsafe runner.rate(plan, squash: squash, outputs: wanted.outputs != nil, timeout: timeout)
      unsafe wanted.fill(scores, model: runner.model)
    }
  }
}

// MARK: Conversions

extension DocumentOptions {
  fileprivate init(_ options: rally_document_options) throws(RallyError) {
    self.init()
    windowTokenCount = try Self.count(options.window_tokens, "window_tokens")
    stride = try Self.count(options.stride_tokens, "stride_tokens")
    maximumWindowCount = try Self.count(options.max_windows, "max_windows")
    reading = try options.reading.part
    join = try options.join.choice
    characterCount = try Self.count(options.characters, "characters")
    parsesSpecialTokens = try options.parse_special.choice("parse_special") ?? TextSource.anybody.parsesSpecialTokens
  }

  private static func count(_ value: Int, _ name: String) throws(RallyError) -> Int? {
    let count = try natural(value, name)
    return count == 0 ? nil : count
  }
}

extension rally_reading {
  /// nil for what the file says.
  fileprivate var part: DocumentOptions.Reading? {
    get throws(RallyError) {
      switch self {
      case RALLY_READING_DEFAULT: return nil
      case RALLY_READING_WINDOWS: return .windows
      case RALLY_READING_FIRST: return .first
      case RALLY_READING_MIDDLE: return .middle
      case RALLY_READING_ENDS: return .ends
      default: throw RallyError(.invalidArgument, "reading", expected: "a rally_reading", found: "\(rawValue)")
      }
    }
  }
}

extension rally_join {
  /// nil for what the file says.
  fileprivate var choice: DocumentOptions.Join? {
    get throws(RallyError) {
      switch self {
      case RALLY_JOIN_DEFAULT: return nil
      case RALLY_JOIN_MEAN: return .mean
      case RALLY_JOIN_MAX: return .max
      case RALLY_JOIN_MIN: return .min
      default: throw RallyError(.invalidArgument, "join", expected: "a rally_join", found: "\(rawValue)")
      }
    }
  }
}

extension rally_document_scores {
  fileprivate func check(windowCount: Int, model: Model) throws(RallyError) {
    let scores = try unsafe (
      optional(mean, "mean"), optional(minimum, "minimum"), optional(window_scores, "window_scores"),
      optional(score, "score"), optional(int_score, "int_score")
    )
    if unsafe scores.0 != nil || scores.1 != nil || scores.2 != nil || scores.3 != nil || scores.4 != nil {
      try model.requireScore("rate_documents")
    }
    _ = try unsafe (
      optional(coverage, "coverage"), optional(window_offsets, "window_offsets"), optional(outputs, "outputs")
    )
    guard try unsafe optional(window_scores, "window_scores") != nil else { return }
    let capacity = unsafe window_capacity  // beyond 63 bits it is enough, too
    guard capacity < 0 || capacity >= windowCount else {
      throw RallyError(
        .bufferTooSmall, "window_scores", expected: "room for \(windowCount) windows", found: "\(capacity)",
        remedy: "rally_document_windows says how many there are")
    }
  }

  fileprivate func fill(_ result: DocumentScores, model: Model) {
    unsafe score?.update(from: result.score, count: result.score.count)
    if let integers = unsafe int_score {
      for (row, score) in result.score.enumerated() {
        unsafe integers[row] = model.integerScore(score).map { Int32(clamping: $0) } ?? .min
      }
    }
    unsafe outputs?.update(from: result.outputs, count: result.outputs.count)
    unsafe mean?.update(from: result.mean, count: result.mean.count)
    unsafe minimum?.update(from: result.minimum, count: result.minimum.count)
    unsafe coverage?.update(from: result.coverage, count: result.coverage.count)
    unsafe window_scores?.update(from: result.windows, count: result.windows.count)
    unsafe window_offsets?.update(from: result.windowOffsets, count: result.windowOffsets.count)
  }
}
