public import CRally
import Rally

@c @implementation
public func rally_exposure(
  _ teacher: OpaquePointer?, _ base: OpaquePointer?, _ tokens: UnsafePointer<Int32>?,
  _ rowOffsets: UnsafePointer<Int>?, _ rowCount: Int, _ given: UnsafePointer<Int>?,
  _ scores: UnsafePointer<rally_exposure_scores>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let base = try unsafe RunnerHandle.table.object(base)
    try unsafe RunnerHandle.table.object(teacher).use { (teacher) throws(RallyError) in
      try base.use { (base) throws(RallyError) in
        let wanted = try unsafe rally_exposure_scores.read(required(scores, "scores"), "scores")
        try unsafe wanted.check()
        let batch = try unsafe rows(tokens, rowOffsets, rowCount)
        let counts = try unsafe given == nil ? nil : copied(given, rowCount, "given")
        unsafe wanted.fill(try Exposure.measure(teacher: teacher, base: base, rows: batch, givenCounts: counts))
      }
    }
  }
}

extension rally_exposure_scores {
  fileprivate func check() throws(RallyError) {
    _ = try unsafe (
      optional(jeffreys, "jeffreys"), optional(log_ratio, "log_ratio"), optional(token_counts, "token_counts")
    )
  }

  fileprivate func fill(_ result: ExposureScores) {
    unsafe jeffreys?.update(from: result.divergence, count: result.divergence.count)
    unsafe log_ratio?.update(from: result.logRatio, count: result.logRatio.count)
    unsafe token_counts?.update(from: result.tokenCounts, count: result.tokenCounts.count)
  }
}
