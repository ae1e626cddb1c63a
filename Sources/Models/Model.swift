public import Files
import Kernels
package import Tensors
public import Tokenization

/// A model file that was opened: weights, configuration, tokenizer.
///
/// Immutable; any number of threads and runners share it.
public final class Model: Sendable {
  public let info: ModelInfo
  /// The pairs of the file, in its order.
  public let metadata: [MetadataPair]
  /// The weight tensors as they are stored, in the order of `docs/format.md`.
  public let tensors: [TensorInfo]
  public let tokenizer: TextTokenizer?

  /// Where the file was opened; nil from memory.
  package let path: String?
  package let externalLocations: [String]
  /// Of the whole file, once it was asked for.
  let knownContentDigest: ForkSafe<[UInt8]?>
  package let weights: ModelWeights
  /// Differs where the pairs, the weights or the type of the products differ: what one model computed must not go
  /// on in another. The same on every machine.
  public let fingerprint: UInt64
  package var description: ModelDescription { weights.description }
  /// Which runners and engines on it count against as well; nil for no limit.
  package let budget: MemoryBudget?
  /// What the budget holds of it besides storages.
  private let shares: [MemoryShare]

  /// Opens the file at `path`, checks all of it and packs its weights.
  /// - Throws: every way in which a file can be wrong has its own code; `outOfMemory`, `limitExceeded`, `cancelled`.
  public static func open(path: String, options: ModelOptions = ModelOptions()) throws(RallyError) -> Model {
    try options.check()
    return try MemoryBudget.during(options.budget) { () throws(RallyError) in
      let opened = try OpenedFile(path: path)
      if PreparedFile.isPrepared(opened) { return try Model(opened, options) }
      if let folder = options.cacheFolder { return try open(opened, cache: PreparedCache(folder: folder), options) }
      return try Model(
        ModelFile.open(opened, limits: options.limits, log: options.log, progress: options.checkProgress), options)
    }
  }

  /// Opens a model that is in memory. The bytes are not needed afterwards.
  public static func open(
    bytes: UnsafeRawBufferPointer, options: ModelOptions = ModelOptions()
  ) throws(RallyError) -> Model {
    try options.check()
    return try MemoryBudget.during(options.budget) { () throws(RallyError) in
      try unsafe Model(
        ModelFile.open(bytes: bytes, limits: options.limits, log: options.log, progress: options.checkProgress), options)
    }
  }

  /// Checks the file as `open` does and keeps nothing.
  public static func validate(path: String, options: ModelOptions = ModelOptions()) throws(RallyError) {
    try options.check()
    let progress: ModelFile.Progress? = options.progress.map { progress in { done, total in progress(done, total) } }
    let opened = try OpenedFile(path: path)
    if PreparedFile.isPrepared(opened) {
      _ = try Model(opened, options)
      return try PreparedFile.verify(opened, limits: options.limits, progress: progress)
    }
    let file = try ModelFile.open(opened, limits: options.limits, log: options.log, progress: progress)
    _ = try file.facts.makeTokenizer()
  }

  convenience init(_ file: ModelFile, _ options: ModelOptions) throws(RallyError) {
    let total = file.tensors.reduce(0) { unsafe $0 + UInt64($1.data.count) }
    let progress = options.progress
    let facts = file.facts
    let share = try facts.makeTokenizerShare()
    let tokenizer = try facts.makeTokenizer()
    let weights = try ModelWeights(
      file: file, dataType: options.dataType, pool: WorkerPool.shared(options.pool, threads: options.threads),
      progress: progress.map { progress in { done in progress(total + done, 2 * total) } })
    self.init(facts, weights, tokenizer, path: file.path, dataFiles: file.externalLocations, shares: [share])
  }

  init(
    _ facts: ModelFacts, _ weights: ModelWeights, _ tokenizer: TextTokenizer?, path: String?, dataFiles: [String],
    contentDigest: [UInt8]? = nil, shares: [MemoryShare]
  ) {
    budget = MemoryBudget.current
    self.shares = shares
    (self.weights, self.tokenizer, self.path) = (weights, tokenizer, path)
    (metadata, tensors) = (facts.metadata, facts.tensors)
    externalLocations = dataFiles
    knownContentDigest = ForkSafe(contentDigest)
    var digest = Digest()
    digest.absorb(Int(truncatingIfNeeded: facts.digest))
    digest.absorb(weights.dataType.description)
    fingerprint = digest.value
    info = ModelInfo(facts, weights: weights)
  }
}

extension Model {
  package func require(_ kind: ModelDescription.Kind, for operation: String) throws(RallyError) {
    guard description.kind != kind else { return }
    throw RallyError(
      .wrongKind, operation, expected: "a \(kind.noun)",
      found: "'\(description.name)', a \(description.kind.noun)",
      remedy: kind == .rater ? "only raters score rows" : "only language models predict tokens")
  }
}

extension ModelDescription.Kind {
  fileprivate var noun: String { self == .rater ? "rater" : "language model" }
}
