/// Decides which tokens enter the model, which leave it, and who waits: pure bookkeeping, without a clock, a kernel or
/// a random number, so the same submissions and depths give the same plans.
///
/// A step of the engine asks three things in turn: who leaves (`takeLeavers`), who enters (`admit`), and tells what the
/// pass of the block did (`leftBlock`).
public final class Scheduler {
  public enum Batching: Sendable {
    /// Rows of all depths run together; whoever leaves makes room at once.
    case depthWise
    /// All rows in flight finish their token before the next ones start: what engines for models of fixed depth do.
    case sequenceWise
  }

  public struct Options: Sendable {
    /// Tokens in flight, ≥ 1.
    public var stepTokenCount = 512
    /// Sequences that hold blocks, ≥ 1.
    public var sequenceLimit = 64
    public var batching = Batching.depthWise
    /// Bytes of weights that leaving and entering reads (first and last layers, head), over those of one pass of the block.
    public var edgeCost = 1.0
    /// Whether sequences share the blocks of equal beginnings.
    public var sharesPrefixes = true

    public init() {}
  }

  /// A leaver waits for company for so many passes at most.
  static let longestWait: UInt64 = 3
  /// Rows from which a pass is bound by arithmetic, so that waiting saves nothing.
  static let arithmeticBound = 64
  /// When so many requests in turn went ahead of an older one, the oldest of all goes first, whatever the priorities.
  static let passOverLimit = 64
  /// Finished sequences whose blocks are kept for others to share.
  package static let retainedLimit = 32

  public let options: Options
  let pool: BlockPool
  /// In the order of admission to come: priority, then arrival.
  public internal(set) var waiting: [ScheduledRequest] = []
  /// In the order of admission.
  public internal(set) var running: [ScheduledRequest] = []
  /// Oldest first.
  var retained: [ScheduledRequest] = []
  /// Passes of the block so far.
  private(set) var passCount: UInt64 = 0
  private var arrivalCount: UInt64 = 0
  var hasPriorities = false
  /// Requests that went ahead of an older one since the oldest of all went.
  var passOverCount = 0
  public internal(set) var preemptionCount = 0
  public internal(set) var sharedTokenCount = 0
  // Scratch of the prefix search.
  var lengths: [Int] = []

  public init(options: Options, pool: BlockPool) {
    precondition(options.stepTokenCount > 0 && options.sequenceLimit > 0)
    self.options = options
    self.pool = pool
    running.reserveCapacity(options.sequenceLimit)
    retained.reserveCapacity(Self.retainedLimit + 1)
  }

  public var isIdle: Bool { waiting.isEmpty && running.isEmpty }
  public var retainedCount: Int { retained.count }

  // MARK: Coming and going

  /// Puts a request into the queue. Its blocks for `tokenLimit` tokens must fit the pool when it is alone.
  public func submit(_ request: ScheduledRequest) {
    request.arrival = arrivalCount
    arrivalCount += 1
    enqueue(request)
  }

  /// Puts a request whose first tokens are computed already, with these depths, among the running ones; it then holds the
  /// blocks for their entries, which are to be filled. Returns false when there is no place or too few blocks.
  public func resume(_ request: ScheduledRequest, depths: [UInt8]) -> Bool {
    guard running.count < options.sequenceLimit else { return false }
    var lengths = Array(repeating: 0, count: request.blocks.layout.stageCount)
    request.blocks.layout.lengths(of: depths[...], into: &lengths)
    while !request.blocks.restore(tokenCount: depths.count, lengths: lengths) {
      guard evictRetained() else { return false }
    }
    request.arrival = arrivalCount
    arrivalCount += 1
    request.adopt(depths: depths[...])
    request.state = .ready
    running.append(request)
    return true
  }

  /// The token that follows the request's last one.
  public func append(_ token: Int32, to request: ScheduledRequest) { request.append(token) }

  /// Takes requests that are about to be finished out of the queue, all at once: one by one, those after them would move up
  /// as many times.
  public func withdraw(_ isWithdrawn: (ScheduledRequest) -> Bool) { waiting.removeAll(where: isWithdrawn) }

  /// Ends a request, wherever it stands, and frees or retains its blocks.
  public func finish(_ request: ScheduledRequest, keepsBlocks: Bool = true) {
    if case .waiting = request.state {
      let place = place(in: waiting, of: request)
      if place < waiting.count, waiting[place] === request { waiting.remove(at: place) }
    } else {
      running.removeAll { $0 === request }
    }
    let retains = keepsBlocks && options.sharesPrefixes && !request.isInFlight && request.blocks.tokenCount > 0
    request.state = .finished
    request.piece = 0..<0
    guard retains else { return request.forgetComputed() }
    retained.append(request)
    if retained.count > Self.retainedLimit { retained.removeFirst().forgetComputed() }
  }

  func enqueue(_ request: ScheduledRequest) {
    request.state = .waiting
    let place = place(in: waiting, of: request)
    hasPriorities = hasPriorities || request.priority != (waiting.first ?? running.first ?? request).priority
    waiting.insert(request, at: place)
  }

  /// Where a request stands, or would stand, in the queue. O(log n): thousands that wait are cancelled at once.
  private func place(in queue: [ScheduledRequest], of request: ScheduledRequest) -> Int {
    var (low, high) = (0, queue.count)
    while low < high {
      let middle = (low + high) / 2
      if goesBefore(queue[middle], request) { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private func goesBefore(_ one: ScheduledRequest, _ other: ScheduledRequest) -> Bool {
    (-one.priority, one.arrival) < (-other.priority, other.arrival)
  }

  /// Frees the blocks of the sequences that have finished.
  package func forgetRetained() {
    while let request = retained.popLast() { request.forgetComputed() }
  }

  /// Takes all blocks from all requests, and puts those that ran back into the queue: after a step that failed.
  public func startOver() {
    while let request = running.popLast() {
      request.forgetComputed()
      enqueue(request)
    }
    forgetRetained()
  }

  // MARK: After a pass

  /// A pass of the block has run.
  public func countPass() { passCount += 1 }

  /// All tokens of the request's piece are through the block.
  public func leftBlock(_ request: ScheduledRequest) { request.state = .leaving(since: passCount) }

  /// The request's piece has left the model, and `BlockTable.finish` has counted it; its tokens ran these recursions.
  public func leftModel(_ request: ScheduledRequest, depths: ArraySlice<Int32>) {
    request.finishPiece(depths: depths)
  }

  /// Appends the requests that go through the last layers now.
  ///
  /// Reading the weights of the edges (last layers, head, first layers) for a few rows is expensive, so leavers wait for others;
  /// but whoever waits leaves a place of the pass empty. With w waiting and a active rows a pass spent waiting costs
  /// w / (a + w) of the block's bytes, and going together saves about half of the edges'.
  public func takeLeavers(into leavers: inout [ScheduledRequest]) {
    var (waitingRows, activeRows, oldest) = (0, 0, passCount)
    for request in running {
      switch request.state {
      case .leaving(let since):
        waitingRows += request.piece.count
        oldest = min(oldest, since)
      case .inBlock: activeRows += request.piece.count
      default: break
      }
    }
    guard waitingRows > 0, leaversGo(waitingRows, activeRows, waited: passCount - oldest) else { return }
    for request in running {
      if case .leaving = request.state { leavers.append(request) }
    }
  }

  private func leaversGo(_ waitingRows: Int, _ activeRows: Int, waited: UInt64) -> Bool {
    if activeRows == 0 { return true }
    if options.batching == .sequenceWise { return false }
    if waitingRows >= Self.arithmeticBound || waited >= Self.longestWait { return true }
    return Double(waitingRows) >= 0.5 * options.edgeCost * Double(waitingRows + activeRows)
  }
}
