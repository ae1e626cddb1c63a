import Execution
import Files
import Kernels
import Models
import Scheduling
import Tokenization

/// One request on its way through an engine.
final class EngineSequence {
  let number: Int
  let request: GenerationRequest
  let scheduled: ScheduledRequest
  /// Tokens to generate.
  let limit: Int
  /// Monotonic nanoseconds at which its time is up; 0 without one.
  let deadline: UInt64
  /// Where the keys and values of `scheduled.blocks` are, from the first time that it runs.
  private(set) var cache: SequenceCache?
  /// Prompt tokens whose depths were reported.
  var reportedPromptCount = 0
  /// The prediction at hand.
  var pick = Pick()
  private var policy: DepthPolicy
  private let rule: ModelDescription.Exit.Rule?
  private let initialSteering: DepthSteering?
  private var steering: DepthSteering?
  /// nil where the model has no tokenizer.
  private(set) var text: GeneratedText?
  private(set) var history: TokenHistory?

  init(_ submission: Inbox.Submission, model: Model, pages: PagePool, layout: CacheLayout) throws(RallyError) {
    number = submission.number
    request = submission.request
    limit = submission.limit
    deadline = submission.deadline
    policy = DepthPolicy(limit: try model.info.depthLimit(request.maximumDepth))
    policy.exit = try model.info.exitPolicy(request.exit, limit: policy.limit)
    policy.exit?.firstPosition = request.exitFrom ?? request.tokens.count
    rule = model.info.exit?.rule
    initialSteering = try model.info.depthSteering(request.targetDepth, request.exit)
    steering = initialSteering
    let tokenLimit = request.tokens.count + limit
    scheduled = ScheduledRequest(
      id: UInt64(number), prompt: request.tokens, tokenLimit: tokenLimit, priority: request.priority,
      window: steering == nil ? 0 : DepthSteering.window, prefixKey: request.prefixKey(policy),
      exitFrom: policy.exit?.firstPosition ?? 0,
      blocks: BlockTable(
        layout: layout.limited(to: Int(policy.limit)), pool: pages.blocks, maximumTokenCount: tokenLimit - 1))
    text = model.tokenizer.map { GeneratedText(request, tokenizer: $0) }
    if request.penalties.isActive { history = TokenHistory(request.tokens, limit: limit) }
    pick.top.reserveCapacity(request.topTokenCount)
  }

  /// The cache, and how far the tokens of the next piece may go.
  /// - Throws: `outOfMemory`.
  func prepare(pages: PagePool) throws(RallyError) -> (SequenceCache, DepthPolicy) {
    catchUpSteering()
    let policy = policy.steered(by: steering, rule)
    if let cache { return (cache, policy) }
    let cache = try SequenceCache(
      blocks: scheduled.blocks, pool: pages, maximumTokenCount: scheduled.tokenLimit - 1)
    self.cache = cache
    return (cache, policy)
  }

  /// Lets the steering see the depths that it has not seen: those of the last piece, or of a prefix that was adopted.
  private func catchUpSteering() {
    guard let current = steering else { return }
    var next = current.count <= scheduled.depths.count ? current : initialSteering ?? current
    let first = policy.exit?.firstPosition ?? 0
    for depth in scheduled.depths[next.count...] { next.observe(Int32(depth), counts: next.count >= first) }
    steering = next
  }

  var layout: CacheLayout { scheduled.blocks.layout }

  /// What keys and values depend on besides the tokens.
  var savedKey: UInt64 {
    guard policy.exit != nil else { return scheduled.prefixKey }
    var digest = Digest()
    digest.absorb(Int(truncatingIfNeeded: scheduled.prefixKey))
    digest.absorb(scheduled.exitFrom)
    return digest.value
  }

  /// Takes in a generated token: the index of the stop string that it completes.
  func take(_ token: Int32) -> Int? {
    history?.append(token)
    return text?.push(token)
  }

  /// Takes in a token that was generated and reported before.
  func retake(_ token: Int32) {
    history?.append(token)
    text?.replay(token)
  }

  /// No token follows: the text has all that was held back.
  /// - Parameter withToken: whether the end is that of the last token's own event.
  func finishText(withToken: Bool) {
    if withToken { text?.finish() } else { text?.finishAlone() }
  }

  /// Why the text ends with the next token; nil when it goes on.
  func finishReason(after token: Int32, endTokens: [Int32], stopString: Int?) -> FinishReason? {
    if stopString != nil || request.stopTokens.contains(token) { return .stop }
    if request.stopsAtEndOfSequence, endTokens.contains(token) { return .stop }
    guard scheduled.generatedCount + 1 == limit else { return nil }
    return limit == request.maximumTokenCount ? .limit : .contextFull
  }
}

extension GenerationRequest {
  /// Requests with the same key have the same keys and values for the same tokens.
  ///
  /// Where the first token that may leave stands is not part of it: tokens before it are the same, whoever follows.
  fileprivate func prefixKey(_ policy: DepthPolicy) -> UInt64 {
    let budget = UInt64(policy.limit) << 32 | UInt64(Float(targetDepth ?? 0).bitPattern)
    guard let exit = policy.exit else { return budget }
    var digest = Digest()
    digest.absorb(Int(truncatingIfNeeded: budget))
    digest.absorb(Int(exit.threshold.bitPattern))
    digest.absorb(Int(exit.minimum))
    digest.absorb(exit.keyValues.rawValue)
    return digest.value
  }
}
