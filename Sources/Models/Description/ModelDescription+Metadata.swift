public import Tensors

extension ModelDescription {
  /// Reads the `rally.` keys of a file.
  ///
  /// - Parameter metadata: all pairs, in the order of the file; other keys are skipped.
  /// - Throws: `notARallyModel` without any `rally.` key; `unsupportedVersion` for a newer format;
  ///   `missingKey`, `unknownKey`, `duplicateKey` and `invalidValue`, which name the key.
  public init(metadata: [MetadataPair]) throws(RallyError) {
    var reader = try MetadataReader(metadata)
    try Self.checkFormat(&reader)
    self = try Self(&reader)
    try reader.finish()
  }

  private static func checkFormat(_ reader: inout MetadataReader) throws(RallyError) {
    let format = try reader.text("format")
    guard format == "1" else {
      throw RallyError(
        .unsupportedVersion, "rally.format", expected: "1", found: format.quoted,
        remedy: "use a version of the library that is as new as the file")
    }
  }

  private init(_ reader: inout MetadataReader) throws(RallyError) {
    kind = try reader.choice("kind")
    name = try reader.text("name")
    vocabularySize = try reader.integer("vocab_size", 1...Bound.vocabulary)
    hiddenSize = try reader.integer("hidden_size", 1...Bound.width)
    headCount = try reader.integer("num_attention_heads", 1...Bound.heads)
    keyValueHeadCount = try reader.integer("num_key_value_heads", 1...headCount)
    guard headCount % keyValueHeadCount == 0 else {
      throw reader.invalid(
        "num_key_value_heads", "a divisor of the \(headCount) attention heads", "\(keyValueHeadCount)")
    }
    headWidth = try reader.integer("head_dim", 1...(Bound.heads / headCount))
    feedForwardSize = try reader.integer("intermediate_size", 1...Bound.feedForward)
    maximumTokenCount = try reader.integer("max_position_embeddings", 1...Bound.tokens)
    norm = try Norm(&reader, kind: kind)
    feedForward = try FeedForward(&reader)
    attentionHasBias = try reader.boolean("attention_bias")
    positions = try Positions(&reader, headWidth: headWidth)
    tokenizer = try Tokenizer.read(&reader, vocabularySize: vocabularySize, kind: kind)
    switch kind {
    case .languageModel:
      tiesEmbeddings = try reader.boolean("tie_word_embeddings")
      layers = try Layers(languageModel: &reader)
      routing = try Routing(&reader, layers: layers)
    case .rater:
      tiesEmbeddings = false
      layers = try Layers(rater: &reader)
      routing = .none
      rater = try Rater(&reader)
    }
  }
}

extension ModelDescription.Norm {
  fileprivate init(_ reader: inout MetadataReader, kind model: ModelDescription.Kind) throws(RallyError) {
    kind = try reader.choice("norm")
    epsilon = try reader.decimal("norm_eps", "a number above 0") { Float($0) > 0 && Float($0).isFinite }
    position = try reader.choice("norm_position")
    hasBias = try reader.boolean("norm_bias")
    guard position == .pre || model == .rater else {
      throw reader.invalid("norm_position", "pre in a language model", position.rawValue)
    }
    guard !hasBias || kind == .layer else {
      throw reader.invalid("norm_bias", "false with \(kind.rawValue)", "true")
    }
  }
}

extension ModelDescription.FeedForward {
  private enum Form: String, CaseIterable { case gated, plain }

  fileprivate init(_ reader: inout MetadataReader) throws(RallyError) {
    activation = try reader.choice("hidden_act")
    isGated = try reader.choice("mlp", of: Form.self) == .gated
    hasBias = try reader.boolean("mlp_bias")
  }
}

extension ModelDescription.Positions {
  private enum Name: String, CaseIterable { case rope, learned, none }

  fileprivate init(_ reader: inout MetadataReader, headWidth: Int) throws(RallyError) {
    switch try reader.choice("positions", of: Name.self) {
    case .learned: self = .learned
    case .none: self = .none
    case .rope:
      guard headWidth % 2 == 0 else { throw reader.invalid("head_dim", "an even number with rope", "\(headWidth)") }
      self = .rope(theta: try reader.decimal("rope_theta", "a number above 0") { $0 > 0 })
    }
  }
}

extension ModelDescription.Layers {
  fileprivate init(languageModel reader: inout MetadataReader) throws(RallyError) {
    sharing = try reader.choice("sharing")
    let hasEnds = sharing == .middleCycle || sharing == .middleSequence
    firstCount = try reader.integer("num_first_layers", 0...1)
    lastCount = try reader.integer("num_last_layers", 0...1)
    for (key, count) in [("num_first_layers", firstCount), ("num_last_layers", lastCount)]
    where count != (hasEnds ? 1 : 0) {
      throw reader.invalid(key, "\(hasEnds ? 1 : 0) with sharing \(sharing.rawValue)", "\(count)")
    }
    blockCount = try reader.integer("num_block_layers", 1...Bound.layers)
    let greatest = sharing == .none ? 1 : Bound.layers / blockCount
    recursionCount = try reader.integer("num_recursion", 1...greatest)
  }

  fileprivate init(rater reader: inout MetadataReader) throws(RallyError) {
    sharing = .none
    (firstCount, lastCount, recursionCount) = (0, 0, 1)
    blockCount = try reader.integer("num_block_layers", 1...Bound.layers)
  }
}
