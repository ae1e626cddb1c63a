public import CRally
import Rally

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
      try unsafe wanted.check(windowCount: plan.windowOffsets[rowCount])
      unsafe wanted.fill(try runner.rate(plan, squash: squash, timeout: timeout))
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
  }

  private static func count(_ value: Int, _ name: String) throws(RallyError) -> Int? {
    let count = try natural(value, name)
    return count == 0 ? nil : count
  }
}

extension rally_document_scores {
  fileprivate func check(windowCount: Int) throws(RallyError) {
    _ = try unsafe (
      optional(mean, "mean"), optional(minimum, "minimum"), optional(coverage, "coverage"),
      optional(window_offsets, "window_offsets"))
    guard try unsafe optional(window_scores, "window_scores") != nil else { return }
    let capacity = unsafe window_capacity  // beyond 63 bits it is enough, too
    guard capacity < 0 || capacity >= windowCount else {
      throw RallyError(
        .bufferTooSmall, "window_scores", expected: "room for \(windowCount) windows", found: "\(capacity)",
        remedy: "rally_document_windows says how many there are")
    }
  }

  fileprivate func fill(_ result: DocumentScores) {
    unsafe mean?.update(from: result.mean, count: result.mean.count)
    unsafe minimum?.update(from: result.minimum, count: result.minimum.count)
    unsafe coverage?.update(from: result.coverage, count: result.coverage.count)
    unsafe window_scores?.update(from: result.windows, count: result.windows.count)
    unsafe window_offsets?.update(from: result.windowOffsets, count: result.windowOffsets.count)
  }
}
