import Scheduling
import Synchronization
import Tensors

/// What other threads want of an engine, until its driver takes it.
final class Inbox: Sendable {
  struct Submission: Sendable {
    let number: Int
    let request: GenerationRequest
    /// Tokens to generate.
    let limit: Int
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
  }

  private let model: Model
  private let layout: CacheLayout
  /// Blocks that one sequence may fill.
  private let blockCapacity: Int
  private let state = Mutex(State())

  init(model: Model, blockCapacity: Int) {
    self.model = model
    self.blockCapacity = blockCapacity
    layout = CacheLayout(model.description)
  }

  var isEmpty: Bool { state.withLock { $0.letters.isEmpty } }

  func submit(_ request: GenerationRequest) throws(RallyError) -> Int {
    // The number is not known yet, and only accepted requests have one.
    try request.check("request", model.info)
    let limit = try tokenLimit(request)
    return state.withLock { state in
      let number = state.nextNumber
      state.nextNumber += 1
      state.letters.submissions.append(Submission(number: number, request: request, limit: limit))
      return number
    }
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
    return Submission(number: number, request: request, limit: limit)
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
