import Rally

/// Runs the windows of a text and keeps what is known of every token.
struct Measurement {
  private let tokens: [Int32]
  private let windows: WindowPlan
  /// −log p of each scored token, in order.
  private var losses: [Double] = []
  private var depths: DepthHistogram

  init(tokens: [Int32], windows: WindowPlan, greatestDepth: Int) {
    self.tokens = tokens
    self.windows = windows
    depths = DepthHistogram(greatestDepth: greatestDepth)
  }

  mutating func run(_ runner: Runner, _ options: RunOptions) throws {
    let progress = ProgressLine("reading")
    defer { progress.clear() }
    // As many windows at once as one step of the runner takes.
    let batch = max(1, Runner.defaultBatchTokenCount / windows.length)
    var first = 0
    while first < windows.windows.count {
      let end = min(first + batch, windows.windows.count)
      try run(windows.windows[first..<end], runner, options)
      let fraction = Double(end) / Double(windows.windows.count)
      progress.update(fraction, "perplexity \(decimal(result(byteCount: 0).perplexity, 3))")
      first = end
    }
  }

  private mutating func run(_ part: ArraySlice<WindowPlan.Window>, _ runner: Runner, _ options: RunOptions) throws {
    let batch = RowBatch(part.map { Array(tokens[$0.tokens]) })
    var logProbabilities = [Float](repeating: 0, count: batch.tokenCount - batch.rowCount)
    var batchDepths = [Int32](repeating: 0, count: batch.tokenCount)
    let interruption = runner.interruption
    try Interrupt.during(stop: { interruption.cancel() }) {
      try unsafe logProbabilities.withUnsafeMutableBufferPointer { logProbabilities in
        try unsafe batchDepths.withUnsafeMutableBufferPointer { depths in
          var outputs = RunOutputs()
          unsafe outputs.logProbabilities = logProbabilities.baseAddress
          unsafe outputs.depths = depths.baseAddress
          try runner.run(batch, options: options, outputs: outputs)
        }
      }
    }
    if Interrupt.isRequested { throw CommandFailure.interrupted }
    for (row, window) in part.enumerated() {
      for token in window.new {
        let place = batch.offsets[row] + token - window.tokens.lowerBound
        depths.add(batchDepths[place])
        // A row of T tokens has T − 1 places; the text's first token is predicted from nothing.
        if token > window.tokens.lowerBound { losses.append(-Double(logProbabilities[place - row - 1])) }
      }
    }
  }

  /// - Parameter byteCount: bytes of text that the scored tokens stand for.
  func result(byteCount: Int) -> PerplexityResult {
    PerplexityResult(losses: losses, byteCount: byteCount, depths: depths)
  }
}
