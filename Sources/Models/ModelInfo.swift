public import Kernels
import Scheduling
public import Tensors

/// What there is to know about a model at a glance.
public struct ModelInfo: Sendable {
  public let name: String
  public let kind: ModelDescription.Kind
  public let routing: Routing
  /// Element type that products are computed in.
  public let dataType: DataType
  public let vocabularySize: Int
  public let hiddenSize: Int
  public let headCount: Int
  public let keyValueHeadCount: Int
  public let headWidth: Int
  public let feedForwardSize: Int
  /// Tokens of the longest row.
  public let contextLength: Int
  /// Layers in the file.
  public let layerCount: Int
  /// Layers that a token of full depth runs through.
  public let effectiveLayerCount: Int
  /// The greatest depth.
  public let recursionCount: Int
  public let beginningOfSequence: Int32?
  public let endOfSequence: Int32?
  /// All tokens that end a text, `endOfSequence` first.
  public let endTokens: [Int32]
  public let hasTokenizer: Bool
  /// Parameters in the file.
  public let parameterCount: Int
  /// The same with those of the block counted once per recursion.
  public let effectiveParameterCount: Int
  /// Packed weights in memory.
  public let weightByteCount: Int
  /// Layers, counted by recursion, that keep keys and values of a token of full depth; 0 for raters.
  private let keyedLayerCount: Int

  /// How tokens leave a looped model before its last recursion; nil for models without such a rule.
  public let exit: ModelDescription.Exit?
  /// Names of a rater's outputs, [n]; empty for language models.
  public let labels: [String]
  /// The score rule makes probabilities of a rater's outputs.
  public let hasProbabilities: Bool
  /// How one score comes from them; nil for language models.
  public let scoreRule: ModelDescription.Rater.ScoreRule?
  /// Bounds of the score that is reported as a whole number, too; nil without.
  public let integerScoreBounds: ClosedRange<Double>?
  /// Which part of a document a rater reads; nil for language models.
  public let reading: ModelDescription.Rater.Reading?

  /// Mean depth that the capacities stand for, or the file records; R where all tokens run all recursions.
  package let naturalDepth: Double
  /// Recursions have layers of their own, or parts of layers.
  package let hasUntiedLayers: Bool

  public enum Routing: Sendable { case none, expert, token }
}

extension ModelInfo {
  init(_ facts: ModelFacts, weights: ModelWeights) {
    let description = facts.description
    name = description.name
    kind = description.kind
    routing =
      switch description.routing {
      case .none: .none
      case .expert: .expert
      case .token: .token
      }
    exit = description.loop?.exit
    hasUntiedLayers = facts.hasUntiedLayers
    let middle = Double(description.layers.recursionCount + 1) / 2
    naturalDepth =
      switch description.routing {
      case .none: exit.map { $0.naturalDepth ?? middle } ?? Double(description.layers.recursionCount)
      case .expert(let routing): routing.capacities.reduce(0, +)
      case .token: middle
      }
    dataType = weights.dataType
    vocabularySize = description.vocabularySize
    hiddenSize = description.hiddenSize
    headCount = description.headCount
    keyValueHeadCount = description.keyValueHeadCount
    headWidth = description.headWidth
    feedForwardSize = description.feedForwardSize
    contextLength = description.maximumTokenCount
    layerCount = description.layers.storedCount
    effectiveLayerCount = description.layers.effectiveCount
    recursionCount = description.layers.recursionCount
    beginningOfSequence = description.tokenizer?.beginningOfSequence
    endOfSequence = description.tokenizer?.endOfSequence
    endTokens = (endOfSequence.map { [$0] } ?? []) + description.furtherEndTokens
    hasTokenizer = description.tokenizer != nil
    labels = description.rater?.labels ?? []
    hasProbabilities = description.rater?.hasProbabilities ?? false
    scoreRule = description.rater?.score
    integerScoreBounds = description.rater?.integerScore
    reading = description.rater?.reading
    parameterCount = facts.parameterCount
    effectiveParameterCount = facts.effectiveParameterCount
    weightByteCount = weights.byteCount
    keyedLayerCount = description.kind == .rater ? 0 : CacheLayout(description).layerSlotCount
  }

  /// Keys and values that a token of full depth stores; 0 for raters.
  public func keyValueByteCountPerToken(_ cacheType: CacheType = .f32) -> Int {
    let shape = AttentionShape(
      headCount: headCount, groupCount: keyValueHeadCount, headWidth: headWidth, cacheType: cacheType)
    return 2 * keyedLayerCount * shape.entryByteCount
  }
}
