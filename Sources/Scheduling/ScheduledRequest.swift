/// One sequence as the scheduler sees it: its tokens, its blocks, and where it stands.
public final class ScheduledRequest {
  public enum State: Sendable, Equatable {
    /// In the queue, without blocks.
    case waiting
    /// Its next tokens may enter the model.
    case ready
    /// Tokens of it are inside the block.
    case inBlock
    /// All of them are through the block, since the pass of this number.
    case leaving(since: UInt64)
    case finished
  }

  public let id: UInt64
  /// Higher goes first.
  public let priority: Int
  public let promptCount: Int
  /// Prompt and generated tokens at most.
  public let tokenLimit: Int
  /// Tokens enter in pieces that end at multiples of this; 0 for pieces of any size.
  public let window: Int
  /// Sequences may share a prefix when this is equal: everything but the tokens that keys and values depend on.
  public let prefixKey: UInt64
  /// Tokens before this one run at full depth, whatever the others do.
  public let exitFrom: Int
  public let blocks: BlockTable

  /// The prompt and what was generated.
  public private(set) var tokens: [Int32]
  /// Recursions that each token that left the model ran, [`blocks.tokenCount`].
  public private(set) var depths: [UInt8] = []
  public internal(set) var state = State.waiting
  /// Tokens that are on their way.
  public internal(set) var piece = 0..<0
  var arrival: UInt64 = 0

  /// - Parameters:
  ///   - prompt: at least one token.
  ///   - tokenLimit: at least as many; within it nothing is allocated.
  public init(
    id: UInt64, prompt: [Int32], tokenLimit: Int, priority: Int = 0, window: Int = 0, prefixKey: UInt64 = 0,
    exitFrom: Int = 0, blocks: BlockTable
  ) {
    precondition(!prompt.isEmpty && tokenLimit >= prompt.count)
    self.id = id
    self.priority = priority
    self.tokenLimit = tokenLimit
    self.window = window
    self.prefixKey = prefixKey
    self.exitFrom = exitFrom
    self.blocks = blocks
    promptCount = prompt.count
    tokens = prompt
    tokens.reserveCapacity(tokenLimit)
    depths.reserveCapacity(tokenLimit)
  }

  public var generatedCount: Int { tokens.count - promptCount }
  /// Whether a token follows once the piece has left: nothing that is known is left to compute.
  public var predicts: Bool { piece.upperBound == tokens.count }
  var isInFlight: Bool {
    switch state {
    case .inBlock, .leaving: true
    default: false
    }
  }

  /// Tokens of the next piece, at most `room`.
  func pieceCount(room: Int) -> Int {
    let start = blocks.tokenCount
    let rest = tokens.count - start
    let untilWindow = window > 0 ? window - start % window : rest
    return min(room, rest, untilWindow)
  }

  func finishPiece(depths newDepths: ArraySlice<Int32>) {
    precondition(newDepths.count == piece.count && blocks.tokenCount == depths.count + piece.count)
    for depth in newDepths { depths.append(UInt8(truncatingIfNeeded: depth)) }
    state = .ready
  }

  /// The next token, to be computed in a later piece.
  func append(_ token: Int32) { tokens.append(token) }

  /// Goes on after the first `count` tokens of `donor`, whose blocks it holds.
  func adopt(depths donorDepths: ArraySlice<UInt8>) {
    depths.removeAll(keepingCapacity: true)
    depths.append(contentsOf: donorDepths)
  }

  /// Forgets what was computed; the tokens stay.
  func forgetComputed() {
    blocks.clear()
    depths.removeAll(keepingCapacity: true)
    piece = 0..<0
  }
}
