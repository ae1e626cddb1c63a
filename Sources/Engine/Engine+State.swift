import Execution
public import Files
import Scheduling
import Tensors

// Saving and restoring what a sequence has computed.

extension Engine {
  /// Bytes that `save` writes for a request.
  /// - Throws: `invalidArgument` for a number that is unknown or finished.
  public func savedByteCount(_ request: Int) throws(RallyError) -> Int {
    let sequence = try unfinished(request)
    return byteCount(saved(sequence), sequence.layout)
  }

  /// Writes the tokens, depths, keys and values of an unfinished request, which goes on.
  /// - Parameters:
  ///   - request: its number.
  ///   - bytes: `savedByteCount` of them.
  public func save(_ request: Int, into bytes: UnsafeMutableRawBufferPointer) throws(RallyError) {
    let sequence = try unfinished(request)
    let saved = saved(sequence)
    let byteCount = byteCount(saved, sequence.layout)
    guard bytes.count == byteCount else {
      throw RallyError(
        .bufferTooSmall, "bytes", expected: "\(byteCount)", found: "\(bytes.count)")
    }
    unsafe saved.write(to: bytes)
    var offset = saved.byteCount
    forEachSlot(saved.depths, sequence.layout) { slot, entries in
      guard entries > 0, let cache = sequence.cache, let base = bytes.baseAddress else { return }
      unsafe cache.copyEntries(entries, slot: slot, shape: forward.attentionShape, to: base + offset)
      offset += SequenceCache.byteCount(entries: entries, shape: forward.attentionShape)
    }
    while offset % 8 != 0 {
      unsafe bytes[offset] = 0
      offset += 1
    }
    let checksum = unsafe SavedSequence.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<offset]))
    unsafe bytes.storeBytes(of: checksum.littleEndian, toByteOffset: offset, as: UInt64.self)
  }

  /// Continues a saved request as if it had never been interrupted.
  ///
  /// - Parameters:
  ///   - bytes: what `save` wrote, here or in another engine on the same model.
  ///   - request: how to go on. Its tokens must be empty; its limit counts what was generated before.
  /// - Returns: the request's number.
  /// - Throws: `corruptFile`, `unsupportedVersion`; `wrongModel` for another model, type, cache type or depth budget; `limitExceeded` when
  ///   its blocks or a place are not free now; what is wrong with the request.
  public func restore(_ bytes: UnsafeRawBufferPointer, _ request: GenerationRequest) throws(RallyError) -> Int {
    let saved = unsafe try SavedSequence(bytes)
    guard request.tokens.isEmpty else {
      throw RallyError(
        .invalidArgument, "request, tokens", expected: "none: they are in the saved sequence", found: "\(request.tokens.count)")
    }
    guard saved.fingerprint == model.fingerprint else {
      throw RallyError(
        .wrongModel, "saved sequence", expected: "one that this model computed, in the same type", found: "another's")
    }
    guard saved.cacheType == forward.attentionShape.cacheType else {
      throw RallyError(
        .wrongModel, "saved sequence", expected: "keys and values in \(forward.attentionShape.cacheType.rawValue), as this engine's",
        found: saved.cacheType.rawValue, remedy: "restore it in an engine with cache_dtype \(saved.cacheType.rawValue)")
    }
    // Where every recursion keeps every token, the size depends on the request's depth as well.
    if !forward.layout.keepsEveryToken { try check(saved, forward.layout, byteCount: bytes.count) }
    let submission = try inbox.continuation(of: saved, request)
    let sequence = try EngineSequence(submission, model: model, pages: pages, layout: forward.layout)
    guard sequence.savedKey == saved.prefixKey else {
      throw RallyError(
        .wrongModel, "saved sequence",
        expected: "the depths and, of a looped model, the exits that it was computed with", found: "others")
    }
    try check(saved, sequence.layout, byteCount: bytes.count)
    for token in saved.tokens[saved.promptCount...] {
      scheduler.append(token, to: sequence.scheduled)
      sequence.retake(token)
    }
    try unsafe fill(sequence, saved, bytes)
    sequences[submission.number] = sequence
    inbox.countRestored()
    tally.submittedCount += 1
    publishCounters()
    return submission.number
  }

  private func check(_ saved: SavedSequence, _ layout: CacheLayout, byteCount: Int) throws(RallyError) {
    guard saved.depths.allSatisfy({ Int($0) <= layout.recursionCount }), byteCount == self.byteCount(saved, layout) else {
      throw .corruptState("entries for \(saved.depths.count) tokens", "another number of bytes")
    }
  }

  private func fill(
    _ sequence: EngineSequence, _ saved: SavedSequence, _ bytes: UnsafeRawBufferPointer
  ) throws(RallyError) {
    guard scheduler.resume(sequence.scheduled, depths: saved.depths) else {
      throw RallyError(
        .limitExceeded, "engine", expected: "a free place and blocks for \(saved.depths.count) tokens", found: "none",
        remedy: "step until others have finished, then try again")
    }
    let cache: SequenceCache
    do throws(RallyError) {
      cache = try MemoryBudget.during(budget) { () throws(RallyError) in try sequence.prepare(pages: pages).0 }
    } catch {
      scheduler.finish(sequence.scheduled, keepsBlocks: false)
      throw error
    }
    cache.locate()
    var offset = saved.byteCount
    forEachSlot(saved.depths, sequence.layout) { slot, entries in
      guard entries > 0, let base = bytes.baseAddress else { return }
      unsafe cache.setEntries(entries, slot: slot, shape: forward.attentionShape, from: base + offset)
      offset += SequenceCache.byteCount(entries: entries, shape: forward.attentionShape)
    }
  }

  // MARK: Sizes

  private func unfinished(_ request: Int) throws(RallyError) -> EngineSequence {
    guard let sequence = sequences[request] else {
      throw RallyError(
        .invalidArgument, "id", expected: "the number of an unfinished request that a step has seen", found: "\(request)")
    }
    return sequence
  }

  private func saved(_ sequence: EngineSequence) -> SavedSequence {
    let scheduled = sequence.scheduled
    return SavedSequence(
      fingerprint: model.fingerprint, prefixKey: sequence.savedKey, promptCount: scheduled.promptCount,
      cacheType: forward.attentionShape.cacheType, tokens: scheduled.tokens, depths: scheduled.depths)
  }

  private func byteCount(_ saved: SavedSequence, _ layout: CacheLayout) -> Int {
    var entryCount = 0
    forEachSlot(saved.depths, layout) { _, entries in entryCount += entries }
    let bytes = SequenceCache.byteCount(entries: entryCount, shape: forward.attentionShape)
    // Whole words, for the checksum.
    return saved.byteCount + (bytes + 7) / 8 * 8 + 8
  }

  /// Calls `body` with every slot and the entries that tokens of these depths have there.
  private func forEachSlot(
    _ depths: [UInt8], _ layout: CacheLayout, _ body: (_ slot: Int, _ entries: Int) -> Void
  ) {
    var lengths = Array(repeating: 0, count: layout.stageCount)
    layout.lengths(of: depths[...], into: &lengths)
    for stage in 0..<layout.stageCount {
      for slot in layout.slots(of: stage) { body(slot, lengths[stage]) }
    }
  }
}
