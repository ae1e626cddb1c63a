import Files
import Kernels
import Tensors

/// Draws the next tokens of sequences; one per worker.
package final class TokenSampler {
  private var sampler: Sampler
  /// Logits with penalties, [V].
  private let adjusted: FloatStorage

  /// - Throws: `outOfMemory`.
  init(vocabularySize: Int) throws(RallyError) {
    sampler = try Sampler(vocabularySize: vocabularySize)
    adjusted = try FloatStorage(count: vocabularySize)
  }

  package static func byteCount(vocabularySize: Int) -> Int {
    Sampler.byteCount(vocabularySize: vocabularySize) + vocabularySize * MemoryLayout<Float>.stride
  }

  /// Sets `sequence.pick` from the logits [1, V] of its last token.
  func draw(for sequence: EngineSequence, _ logits: FloatRows) {
    guard !sequence.pick.isRefused else { return }
    let request = sequence.request
    let base = unsafe UnsafePointer(logits.base)
    let normalizer = unsafe LogProbability.logSumExp(base, count: logits.width)
    sequence.pick.top.removeAll(keepingCapacity: true)
    if request.topTokenCount > 0 {
      unsafe sampler.forEachLargest(request.topTokenCount, of: base) { token in
        sequence.pick.top.append(
          TokenProbability(token: Int32(token), logProbability: unsafe base[token] - normalizer))
      }
    }
    let index = UInt64(sequence.scheduled.generatedCount)
    let scores = unsafe adjust(base, sequence) ?? base
    var token = unsafe sampler.token(from: scores, parameters: request.sampling, index: index)
    if unsafe !(scores[token] > -.infinity) {
      // None is left: the request's own function forbids all, or penalties take all others below all numbers, where a token
      // that is forbidden is no better: it is never drawn. A NaN counts as forbidden.
      if request.logitsProcessor != nil {
        sequence.pick.isExhausted = true
      } else if !request.logitBias.isEmpty {
        token = request.firstAllowedToken(orElse: token)
      }
    }
    sequence.pick.token = Int32(token)
    sequence.pick.logProbability = unsafe base[token] - normalizer
  }

  /// The logits with penalties and biases; nil where there are none.
  private func adjust(_ logits: UnsafePointer<Float>, _ sequence: EngineSequence) -> UnsafePointer<Float>? {
    let request = sequence.request
    guard sequence.history != nil || !request.logitBias.isEmpty else { return nil }
    unsafe adjusted.base.update(from: logits, count: adjusted.count)
    if let history = sequence.history {
      let penalties = request.penalties
      for (token, count) in history.counts {
        let logit = unsafe adjusted.base[Int(token)]
        var changed = logit > 0 ? logit / penalties.repetition : logit * penalties.repetition
        if count > 0 { changed -= penalties.presence + penalties.frequency * Float(count) }
        unsafe adjusted.base[Int(token)] = changed
      }
    }
    for (token, bias) in request.logitBias { unsafe adjusted.base[Int(token)] += bias }
    return unsafe UnsafePointer(adjusted.base)
  }
}
