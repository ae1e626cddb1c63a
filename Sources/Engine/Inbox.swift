import Files
import Models
import Scheduling

/// What other threads want of an engine, until its driver takes it.
final class Inbox: Sendable {
  struct Submission: Sendable {
    let number: Int
    let request: GenerationRequest
    /// Tokens to generate.
    let limit: Int
    /// Monotonic nanoseconds; 0: none.
    let deadline: UInt64
  }
  struct Letters: Sendable {
    var submissions: [Submission] = []
    var cancellations: [Int] = []
    /// All requests with lower numbers are to end.
    var cancelledBelow = 0

    var isEmpty: Bool { submissions.isEmpty && cancellations.isEmpty && cancelledBelow == 0 }
  }
  private struct State: Sendable {
    var letters = Letters()
    var nextNumber = 0
    /// Requests that have not finished.
    var openCount = 0
    var isClosed = false
  }

  private let model: Model
  private let layout: CacheLayout
  /// Blocks that one sequence may fill.
  private let blockCapacity: Int
  /// Requests that may be unfinished at a time; nil for any number.
  private let capacity: Int?
  private let state = ForkSafe(State())
  private let bell = Bell()

  init(model: Model, blockCapacity: Int, capacity: Int?) {
    self.model = model
    self.blockCapacity = blockCapacity
    self.capacity = capacity
    layout = CacheLayout(model.description)
  }

  var isEmpty: Bool { state.withLock { $0.letters.isEmpty } }

  func submit(_ request: GenerationRequest) throws(RallyError) -> Int {
    // The number is not known yet, and only accepted requests have one.
    try request.check("request", model.info)
    let limit = try tokenLimit(request)
    let deadline = Interruption.deadline(after: request.timeout)
    let number = try state.withLock { (state) throws(RallyError) in
      if let capacity, state.openCount >= capacity {
        throw RallyError(
          .queueFull, "request", expected: "fewer than \(capacity) unfinished ones, max_sequences and max_queue",
          found: "\(state.openCount)", remedy: "submit again when some have finished")
      }
      let number = state.nextNumber
      state.nextNumber += 1
      state.openCount += 1
      state.letters.submissions.append(Submission(number: number, request: request, limit: limit, deadline: deadline))
      return number
    }
    bell.ring()
    return number
  }

  func countFinished() { state.withLock { $0.openCount -= 1 } }

  func countRestored() {
    state.withLock { $0.openCount += 1 }
    bell.ring()
  }

  /// Waits until a request is unfinished.
  /// - Throws: `deadlineExceeded`, `closed`.
  func wait(seconds: Double) throws(RallyError) {
    let (isClosed, hasWork) =
      bell.wait(until: Interruption.deadline(after: seconds)) {
        state.withLock { state in state.isClosed || state.openCount > 0 ? (state.isClosed, state.openCount > 0) : nil }
      } ?? (false, false)
    if isClosed { throw RallyError(.closed, "engine", expected: "an open engine", found: "one that was closed meanwhile") }
    if !hasWork { throw RallyError(.deadlineExceeded, "call", found: "timeout_seconds went by without work") }
  }

  func close() {
    state.withLock { $0.isClosed = true }
    bell.ring()
  }

  /// A submission for a saved sequence, with a number of its own.
  func continuation(of saved: SavedSequence, _ request: GenerationRequest) throws(RallyError) -> Submission {
    var request = request
    request.tokens = saved.tokens
    // Also the generated tokens must be the model's.
    try request.check("saved sequence", model.info)
    request.tokens = Array(saved.tokens[..<saved.promptCount])
    let limit = try tokenLimit(request)
    let generated = saved.tokens.count - saved.promptCount
    guard generated < limit else {
      throw RallyError(
        .invalidArgument, "request, max_tokens", expected: "more than the \(generated) that were generated before",
        found: "\(limit)")
    }
    let number = state.withLock { state in
      defer { state.nextNumber += 1 }
      return state.nextNumber
    }
    return Submission(
      number: number, request: request, limit: limit, deadline: Interruption.deadline(after: request.timeout))
  }

  /// Only what was submitted before is cancelled: a number that was not given out yet does nothing.
  func cancel(_ number: Int) {
    state.withLock { state in
      guard 0..<state.nextNumber ~= number else { return }
      state.letters.cancellations.append(number)
    }
  }

  func cancelAll() { state.withLock { $0.letters.cancelledBelow = $0.nextNumber } }

  func take() -> Letters {
    state.withLock { state in
      guard !state.letters.isEmpty else { return Letters() }
      defer { state.letters = Letters() }
      return state.letters
    }
  }

  /// Tokens that may be generated: as wanted, and as context and cache hold. The last one is never computed.
  private func tokenLimit(_ request: GenerationRequest) throws(RallyError) -> Int {
    let room = model.info.contextLength - request.tokens.count + 1
    let entries = blockCapacity / layout.slotCount * CacheLayout.entriesPerBlock
    let fitting = entries - request.tokens.count + 1
    let wanted = min(request.maximumTokenCount ?? .max, room)
    guard fitting >= (request.maximumTokenCount == nil ? 1 : wanted) else {
      throw RallyError(
        .limitExceeded, "request, cache",
        expected: "at most \(entries) tokens of prompt and text, what cache_bytes holds of one sequence",
        found: "\(request.tokens.count) + \(wanted - 1)", remedy: "raise cache_bytes or lower max_tokens")
    }
    return min(wanted, fitting)
  }
}
