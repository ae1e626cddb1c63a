import Rally
import Tokenization

/// A model in words and as JSON.
enum InspectReport {
  static func lines(_ model: Model, _ needs: MemoryNeeds, _ style: Style) -> [String] {
    let info = model.info
    let description = model.description
    var rows: [(String, String)] = [
      ("kind", kind(description)),
      ("layers", layers(description.layers)),
    ]
    if description.kind == .languageModel { rows.append(("sharing", description.layers.sharing.rawValue)) }
    rows += routing(description.routing)
    rows += [
      ("width", "\(info.hiddenSize), feed-forward \(info.feedForwardSize) (\(feedForward(description.feedForward)))"),
      (
        "attention",
        "\(counted(info.headCount, "head")) of \(info.headWidth), \(info.keyValueHeadCount) for keys and values"
          + attention(description)
      ),
      ("norm", norm(description.norm)),
      ("positions", positions(description.positions)),
      ("context", counted(info.contextLength, "token")),
      ("vocabulary", "\(info.vocabularySize) tokens" + (description.tiesEmbeddings ? ", the head is the embedding" : "")),
      ("tokenizer", tokenizer(model)),
    ]
    if let rater = description.rater { rows += self.rater(rater) }
    rows += [
      ("parameters", "\(short(info.parameterCount)) stored, \(short(info.effectiveParameterCount)) effective"),
      ("memory", memory(info, needs)),
    ]
    let width = rows.map(\.0.count).max() ?? 0
    let title = style.bold(info.name.isEmpty ? "(no name)" : info.name.clipped(to: 100))
    return [title] + rows.map { "  \(style.dim($0.0.padded(to: width, .left)))  \($0.1)" }
  }

  private static func kind(_ description: ModelDescription) -> String {
    guard description.kind == .languageModel else { return "rater" }
    return switch description.routing {
    case .none: description.layers.recursionCount > 1 ? "recursive language model" : "language model"
    case .expert, .token: "Mixture-of-Recursions language model"
    }
  }

  private static func layers(_ layers: ModelDescription.Layers) -> String {
    guard layers.recursionCount > 1 else { return "\(layers.storedCount)" }
    let block = "\(layers.blockCount) × \(layers.recursionCount) recursions"
    let parts = [layers.firstCount, nil, layers.lastCount].map { count in count.map { "\($0)" } ?? block }
    let sum = parts.filter { $0 != "0" }.joined(separator: " + ")
    return "\(sum) = \(layers.effectiveCount) effective, \(layers.storedCount) stored"
  }

  private static func routing(_ routing: ModelDescription.Routing) -> [(String, String)] {
    guard let router = routing.router else { return [] }
    var rows: [(String, String)] = []
    let gate = "alpha \(setting(router.alpha)), \(router.gating) gate, temperature \(setting(router.temperature))"
    switch routing {
    case .none: break
    case .expert(let expert):
      rows.append(("routing", "expert choice, \(router.kind) router, \(expert.function), \(gate)"))
      let capacities = expert.capacities.map(setting).joined(separator: ", ")
      rows.append(("capacity", capacities + (expert.hasAuxiliaryRouter ? "; auxiliary router" : "")))
    case .token(let token):
      let bias = token.hasBias ? ", with bias" : ""
      rows.append(("routing", "token choice, \(router.kind) router\(bias), \(token.function), \(gate)"))
    }
    rows.append(("KV cache", keyValueCache(router.keyValueCache)))
    return rows
  }

  private static func keyValueCache(_ cache: ModelDescription.Router.KeyValueCache) -> String {
    switch cache {
    case .recursion: "one per recursion"
    case .shared: "that of the first recursion, shared by all"
    case .hybrid: "that of the first recursion, shared by all, rows of the step replaced"
    }
  }

  private static func feedForward(_ feedForward: ModelDescription.FeedForward) -> String {
    "\(feedForward.activation.rawValue), \(feedForward.isGated ? "gated" : "plain")\(biases(feedForward.biases == (feedForward.isGated ? .all : [.up, .down]), feedForward.biases.isEmpty))"
  }

  private static func biases(_ all: Bool, _ none: Bool) -> String { all ? ", with biases" : none ? "" : ", with some biases" }

  /// What the attention has that a plain layer has not.
  private static func attention(_ description: ModelDescription) -> String {
    let attention = description.attention
    var text = biases(attention.biases == .all, attention.biases.isEmpty)
    if attention.headNorm == .head { text += ", q and k normalised" }
    if attention.isCausal != (description.kind == .languageModel) { text += attention.isCausal ? ", causal" : ", both ways" }
    let windows = description.storedLayers.compactMap(\.slidingWindow)
    if let window = windows.first {
      text += ", window of \(window) in \(windows.count) of \(counted(description.storedLayers.count, "layer"))"
    }
    return text
  }

  private static func norm(_ norm: ModelDescription.Norm) -> String {
    "\(norm.kind.rawValue), \(norm.position) layer, epsilon \(setting(norm.epsilon))"
  }

  private static func positions(_ positions: ModelDescription.Positions) -> String {
    switch positions {
    case .rope(let tables):
      tables.map { table in
        switch table.frequencies {
        case .theta(let theta): "rope, theta \(setting(theta))"
        case .stored: "rope, frequencies in the file"
        }
      }.joined(separator: "; ")
    case .learned: "learned"
    case .disentangled(let distances): "distances, \(distances.bucketCount) buckets to each side"
    case .none: "none"
    }
  }

  private static func tokenizer(_ model: Model) -> String {
    guard let tokenizer = model.tokenizer else { return "none" }
    var parts: [String]
    switch tokenizer {
    case .bytePair(let tokenizer): parts = ["byte-level BPE (\(tokenizer.configuration.preTokenizer.rawValue))"]
    case .wordPiece(let tokenizer): parts = [wordPiece(tokenizer.rules)]
    case .pipeline(let tokenizer): parts = [pipeline(tokenizer)]
    }
    let ends = [("begins with", model.info.beginningOfSequence), ("ends with", model.info.endOfSequence)]
    for case (let word, let token?) in ends {
      let text = String(decoding: (try? tokenizer.tokenBytes(token)) ?? [], as: UTF8.self)
      parts.append("\(word) \(token) \(text.clipped(to: 40))")
    }
    return parts.joined(separator: ", ")
  }

  private static func pipeline(_ tokenizer: PipelineTokenizer) -> String {
    let isByteLevel = if case .byteLevel = tokenizer.pipeline.decoder { true } else { false }
    let model =
      switch tokenizer.pipeline.model {
      case .bytePair(let rules):
        isByteLevel ? "byte-level BPE" : rules.fallsBackToBytes ? "BPE with byte fallback" : "BPE"
      case .unigram: "Unigram"
      case .wordPiece: "WordPiece"
      }
    return "\(model) (\(tokenizer.pipeline.normalizers.count) normalizers, \(tokenizer.pipeline.preTokenizers.count) pre-tokenizers)"
  }

  private static func wordPiece(_ rules: WordPieceRules) -> String {
    let steps = [
      (rules.cleansText, "clean"), (rules.separatesIdeographs, "ideographs apart"), (rules.stripsAccents, "no accents"),
      (rules.lowercases, "lower case"),
    ].filter(\.0).map(\.1)
    return "WordPiece (\(steps.isEmpty ? "as it is" : steps.joined(separator: ", ")))"
  }

  private static func rater(_ rater: ModelDescription.Rater) -> [(String, String)] {
    let head =
      switch rater.head {
      case .absent: "no"
      case .linear: "linear"
      case .mlp(let activation): "mlp (\(activation.rawValue))"
      }
    let squash =
      switch rater.squash {
      case .none: "none"
      case .sigmoid(let temperature): "sigmoid(z / \(setting(temperature)))"
      case .clamp(let temperature, let low, let high): "sigmoid(z / \(setting(temperature))) within \(setting(low))…\(setting(high))"
      }
    return [
      ("score", "\(rater.pooling.rawValue) pooling, \(head) head, squash \(squash)"),
      ("outputs", outputs(rater)),
      ("reading", reading(rater.reading)),
      ("rows", "a \(rater.packing.rawValue) each"),
      ("provenance", rater.scoreProvenance.isEmpty ? "not said" : rater.scoreProvenance.clipped(to: 100)),
      ("discard", rater.discardFraction.map { "the lowest \(decimal($0 * 100, 0)) %" } ?? "no recommendation"),
    ]
  }

  private static func outputs(_ rater: ModelDescription.Rater) -> String {
    if rater.head == .absent { return "pooled states alone, for embeddings" }
    let labels = rater.labels.map { $0.clipped(to: 24) }.joined(separator: ", ").clipped(to: 200)
    func label(_ index: Int?) -> String { index.map { " of \(rater.labels[$0].clipped(to: 24))" } ?? ", no score" }
    let rule =
      switch rater.score {
      case .logit(let index): "score: logit\(label(index))"
      case .softmax(let index): "softmax\(label(index))"
      case .sigmoid(let index): "sigmoid\(label(index))"
      case .expectation(let values): "score: expectation of \(values.map { setting($0) }.joined(separator: ", ").clipped(to: 80))"
      case .none: "no score"
      }
    return "\(rater.outputCount) (\(labels)), \(rule)"
  }

  private static func reading(_ reading: ModelDescription.Rater.Reading) -> String {
    let tokens = reading.tokenCount.map { "\($0) tokens" } ?? "the longest row"
    let characters = reading.characterCount.map { ", \($0) characters" } ?? ""
    let join = reading.part == .windows || reading.part == .ends ? ", \(reading.join.rawValue) of all" : ""
    return "\(reading.part.rawValue) of \(tokens)\(characters)\(join)"
  }

  private static func memory(_ info: ModelInfo, _ needs: MemoryNeeds) -> String {
    var parts = ["\(bytes(info.weightByteCount)) weights (\(info.dataType))"]
    if info.kind == .languageModel { parts.append("\(bytes(info.keyValueByteCountPerToken())) keys and values per token") }
    parts.append("\(bytes(needs.workspaceByteCount)) to run \(counted(needs.tokenCount, "token"))")
    return parts.joined(separator: ", ")
  }
}
