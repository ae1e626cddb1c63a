public import CRally
import Rally

@c @implementation
public func rally_rate(
  _ runner: OpaquePointer?, _ tokens: UnsafePointer<Int32>?, _ rowOffsets: UnsafePointer<Int>?,
  _ rowCount: Int, _ options: UnsafePointer<rally_rate_options>?, _ scores: UnsafeMutablePointer<Float>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    try unsafe RunnerHandle.table.object(runner).use { (runner) throws(RallyError) in
      let read = try unsafe rally_rate_options.read(options, "options")
      let squash = try read.squash.choice("squash") ?? false
      let timeout = try seconds(read.timeout_seconds)
      let result = try unsafe required(scores, "scores")
      let batch = try unsafe rows(tokens, rowOffsets, rowCount)
      let rated = try runner.rate(batch, squash: squash, timeout: timeout)
      unsafe result.update(from: rated, count: rated.count)
    }
  }
}

@c @implementation
public func rally_rate_outputs(
  _ runner: OpaquePointer?, _ tokens: UnsafePointer<Int32>?, _ rowOffsets: UnsafePointer<Int>?,
  _ rowCount: Int, _ options: UnsafePointer<rally_rate_options>?, _ outputs: UnsafeMutablePointer<Float>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    try unsafe RunnerHandle.table.object(runner).use { (runner) throws(RallyError) in
      let read = try unsafe rally_rate_options.read(options, "options")
      let probabilities = try read.probabilities.choice("probabilities") ?? false
      let timeout = try seconds(read.timeout_seconds)
      let result = try unsafe required(outputs, "outputs")
      let batch = try unsafe rows(tokens, rowOffsets, rowCount)
      let rated = try runner.rateOutputs(batch, probabilities: probabilities, timeout: timeout)
      unsafe result.update(from: rated, count: rated.count)
    }
  }
}

@c @implementation
public func rally_pooled(
  _ runner: OpaquePointer?, _ tokens: UnsafePointer<Int32>?, _ rowOffsets: UnsafePointer<Int>?,
  _ rowCount: Int, _ options: UnsafePointer<rally_rate_options>?, _ states: UnsafeMutablePointer<Float>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    try unsafe RunnerHandle.table.object(runner).use { (runner) throws(RallyError) in
      let read = try unsafe rally_rate_options.read(options, "options")
      let normalize = try read.normalize.choice("normalize") ?? false
      let timeout = try seconds(read.timeout_seconds)
      let result = try unsafe required(states, "states")
      let batch = try unsafe rows(tokens, rowOffsets, rowCount)
      let pooled = try runner.pooled(batch, normalize: normalize, timeout: timeout)
      unsafe result.update(from: pooled, count: pooled.count)
    }
  }
}
