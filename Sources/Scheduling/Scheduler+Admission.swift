/// What enters the model in one step.
public struct Admission {
  /// Requests whose `piece` enters, in the order of admission.
  public internal(set) var entering: [ScheduledRequest] = []
  /// Blocks to copy before anything runs, in this order.
  public internal(set) var copies: [BlockTable.Copy] = []
  /// Requests that lost their blocks, and whatever of them was in flight.
  public internal(set) var preempted: [ScheduledRequest] = []

  public init() {}

  mutating func removeAll() {
    entering.removeAll(keepingCapacity: true)
    copies.removeAll(keepingCapacity: true)
    preempted.removeAll(keepingCapacity: true)
  }
}

extension Scheduler {
  /// Fills the places that are free: first the next tokens of those that run, oldest first, then the queue.
  public func admit(into admission: inout Admission) {
    admission.removeAll()
    let inFlight = running.reduce(0) { $0 + ($1.isInFlight ? $1.piece.count : 0) }
    if options.batching == .sequenceWise && inFlight > 0 { return }
    var room = options.stepTokenCount - inFlight
    continueRunning(&room, &admission)
    startWaiting(&room, &admission)
  }

  private func continueRunning(_ room: inout Int, _ admission: inout Admission) {
    // Preemption changes the list behind the loop's back; whoever lost its blocks is not ready any more.
    for request in running where request.state == .ready && room > 0 {
      let count = request.pieceCount(room: room)
      guard makeRoom(for: request, tokens: count, &admission) else { continue }
      enter(request, count, &room, &admission)
    }
  }

  private func startWaiting(_ room: inout Int, _ admission: inout Admission) {
    // Whoever has just lost its blocks waits for a step at least.
    guard admission.preempted.isEmpty else { return }
    while room > 0, running.count < options.sequenceLimit, let place = nextPlace() {
      let request = waiting[place]
      guard takeBlocks(request, &admission) else { return }
      waiting.remove(at: place)
      if hasPriorities { countPassOver(by: request) }
      running.append(request)
      let count = request.pieceCount(room: room)
      precondition(request.blocks.reserve(tokens: count), "takeBlocks made sure of it")
      enter(request, count, &room, &admission)
    }
  }

  private func enter(
    _ request: ScheduledRequest, _ count: Int, _ room: inout Int, _ admission: inout Admission
  ) {
    let start = request.blocks.tokenCount
    request.piece = start..<start + count
    request.state = .inBlock
    admission.entering.append(request)
    room -= count
  }

  // MARK: The queue

  /// The place in the queue of the request that is next.
  private func nextPlace() -> Int? {
    if hasPriorities, passOverCount >= Self.passOverLimit {
      return waiting.indices.min { waiting[$0].arrival < waiting[$1].arrival }
    }
    return waiting.isEmpty ? nil : 0
  }

  private func countPassOver(by request: ScheduledRequest) {
    let isOldest = !waiting.contains { $0.arrival < request.arrival }
    passOverCount = isOldest ? 0 : passOverCount + 1
  }

  // MARK: Blocks

  /// Whether there are blocks for all that is known of a request in the queue; it then holds those of its prefix.
  private func takeBlocks(_ request: ScheduledRequest, _ admission: inout Admission) -> Bool {
    adoptPrefix(request, &admission)
    let rest = request.tokens.count - request.blocks.tokenCount
    while request.blocks.missingBlockCount(tokens: rest) > pool.freeCount {
      if evictRetained() { continue }
      request.forgetComputed()
      admission.copies.removeAll { copy in pool.holderCount(copy.to) == 0 }
      return false
    }
    return true
  }

  /// Takes the blocks for the next tokens of a running request, from the youngest where there are none left.
  private func makeRoom(
    for request: ScheduledRequest, tokens count: Int, _ admission: inout Admission
  ) -> Bool {
    while !request.blocks.reserve(tokens: count) {
      if evictRetained() { continue }
      guard let victim = youngest() else { return false }
      preempt(victim, &admission)
      if victim === request { return false }
    }
    return true
  }

  func evictRetained() -> Bool {
    guard !retained.isEmpty else { return false }
    retained.removeFirst().forgetComputed()
    return true
  }

  /// The last to come of the lowest priority.
  private func youngest() -> ScheduledRequest? {
    running.max { ($1.priority, $0.arrival) < ($0.priority, $1.arrival) }
  }

  private func preempt(_ request: ScheduledRequest, _ admission: inout Admission) {
    running.removeAll { $0 === request }
    admission.entering.removeAll { $0 === request }
    request.forgetComputed()
    enqueue(request)
    admission.preempted.append(request)
    preemptionCount += 1
  }
}

// MARK: Prefixes

extension Scheduler {
  /// Lets a request hold the blocks of the longest beginning that a running or retained one has computed.
  ///
  /// At least one token is left to compute: its logits are wanted.
  private func adoptPrefix(_ request: ScheduledRequest, _ admission: inout Admission) {
    guard options.sharesPrefixes, !request.blocks.layout.hasScratchSlot else { return }
    var best: (donor: ScheduledRequest, count: Int)?
    for donor in [running, retained].joined() where donor.prefixKey == request.prefixKey {
      let count = Self.commonPrefix(donor, request)
      if count > best?.count ?? CacheLayout.entriesPerBlock - 1 { best = (donor, count) }
    }
    guard let best else { return }
    let depths = best.donor.depths[..<best.count]
    lengths.removeAll(keepingCapacity: true)
    lengths.append(contentsOf: repeatElement(0, count: request.blocks.layout.stageCount))
    request.blocks.layout.lengths(of: depths, into: &lengths)
    guard
      request.blocks.adopt(
        best.donor.blocks, tokenCount: best.count, lengths: lengths, copies: &admission.copies)
    else { return }
    request.adopt(depths: depths)
    sharedTokenCount += best.count
    if let place = retained.firstIndex(where: { $0 === best.donor }) { retained.append(retained.remove(at: place)) }
  }

  /// Tokens at the beginning that `donor` has computed and `request` starts with, its last one excluded.
  private static func commonPrefix(_ donor: ScheduledRequest, _ request: ScheduledRequest) -> Int {
    var most = min(donor.depths.count, request.tokens.count - 1)
    // From there on one of them may let tokens leave that run at full depth in the other.
    if donor.exitFrom != request.exitFrom { most = min(most, donor.exitFrom, request.exitFrom) }
    var count = 0
    while count < most, donor.tokens[count] == request.tokens[count] { count += 1 }
    return request.window > 0 ? count - count % request.window : count
  }
}
