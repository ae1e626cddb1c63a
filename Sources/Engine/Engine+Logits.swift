import Execution
import Scheduling
import Tensors

extension Engine {
  /// Lets the requests' own functions see and change their rows, all rows of one function in one call.
  ///
  /// - Parameters:
  ///   - range: places in `predicting`.
  ///   - logits: [range.count, V] f32, their rows.
  func processLogits(_ range: Range<Int>, _ logits: FloatRows) {
    guard predicting[range].contains(where: { $0.request.logitsProcessor != nil }) else { return }
    var done: Set<LogitsProcessor.Identity> = []
    for place in range {
      guard let processor = predicting[place].request.logitsProcessor, done.insert(processor.identity).inserted else { continue }
      let places = range.filter { predicting[$0].request.logitsProcessor?.identity == processor.identity }
      var rows: [LogitsProcessor.Row] = unsafe []
      unsafe rows.reserveCapacity(places.count)
      guard unsafe !call(processor, places[...], range.lowerBound, logits, &rows) else { continue }
      for place in places { predicting[place].pick.isRefused = true }
    }
  }

  /// Collects the rows, whose tokens stay in place until the function has returned.
  private func call(
    _ processor: LogitsProcessor, _ places: ArraySlice<Int>, _ first: Int, _ logits: FloatRows, _ rows: inout [LogitsProcessor.Row]
  ) -> Bool {
    guard let place = places.first else { return unsafe processor.body(rows) }
    let sequence = predicting[place]
    return unsafe sequence.scheduled.tokens.withUnsafeBufferPointer { tokens in
      unsafe rows.append(
        LogitsProcessor.Row(
          request: sequence.number, tag: sequence.request.tag,
          values: UnsafeMutableBufferPointer(start: logits.base + (place - first) * logits.stride, count: logits.width),
          tokens: tokens, promptCount: sequence.scheduled.promptCount, depth: sequence.pick.depth))
      return unsafe call(processor, places.dropFirst(), first, logits, &rows)
    }
  }
}
