public import Files

extension ModelDescription {
  /// Reads the `rally.` keys of a file.
  ///
  /// - Parameter metadata: all pairs, in the order of the file; other keys are skipped.
  /// - Throws: `notARallyModel` without any `rally.` key; `unsupportedVersion` for a newer format;
  ///   `missingKey`, `unknownKey`, `duplicateKey` and `invalidValue`, which name the key.
  public init(metadata: [MetadataPair]) throws(RallyError) {
    var reader = try MetadataReader(metadata)
    self = try Self(&reader)
    try reader.finish()
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
    attention = try Attention(&reader, kind: kind)
    positions = try Positions(&reader, headWidth: headWidth)
    embeddingScale = try reader.ifPresent("embed_scale") { reader throws(RallyError) in
      try reader.decimal("embed_scale", "a number") { Float($0).isFinite }
    }
    tokenizer = try Tokenizer.read(&reader, vocabularySize: vocabularySize, kind: kind)
    switch kind {
    case .languageModel:
      tiesEmbeddings = try reader.boolean("tie_word_embeddings")
      layers = try Layers(languageModel: &reader)
      routing = try Routing(&reader, layers: layers)
      loop = try Loop.read(&reader, layers: layers, routing: routing)
      furtherEndTokens = try Self.endTokens(&reader, below: vocabularySize)
      // For the hosts: the engine does not read it.
      _ = try reader.ifPresent("chat_template") { reader throws(RallyError) in try reader.text("chat_template") }
    case .rater:
      tiesEmbeddings = false
      layers = try Layers(rater: &reader)
      routing = .none
      rater = try Rater(&reader, vocabularySize: vocabularySize, contextLength: maximumTokenCount)
    }
    storedLayers = try Layer.list(&reader, count: layers.storedCount, norm: norm, positions: positions)
    try checkWindows(reader)
    try checkDistances(reader)
  }

  private static func endTokens(
    _ reader: inout MetadataReader, below vocabularySize: Int
  ) throws(RallyError) -> [Int32] {
    try reader.ifPresent("eos_token_ids") { reader throws(RallyError) in
      try reader.list("eos_token_ids") { (reader, text) throws(RallyError) -> Int32 in
        guard let number = MetadataReader.integer(text), number < vocabularySize, let token = Int32(exactly: number) else {
          throw reader.invalid("eos_token_ids", "token ids below \(vocabularySize)", text)
        }
        return token
      }
    } ?? []
  }
}

extension ModelDescription.Norm {
  fileprivate init(_ reader: inout MetadataReader, kind model: ModelDescription.Kind) throws(RallyError) {
    kind = try reader.choice("norm")
    epsilon = try reader.decimal("norm_eps", "a number above 0") { Float($0) > 0 && Float($0).isFinite }
    position = try reader.choice("norm_position")
    hasBias = try reader.boolean("norm_bias")
    // Format 1 knows two positions, the second for raters.
    guard reader.format > 1 || position == .pre || (position == .post && model == .rater) else {
      throw reader.invalid(
        "norm_position", model == .rater ? "pre, post" : "pre in a language model", position.rawValue)
    }
    guard !hasBias || kind == .layer else {
      throw reader.invalid("norm_bias", "false with \(kind.rawValue)", "true")
    }
  }
}

extension ModelDescription.Layers {
  fileprivate init(languageModel reader: inout MetadataReader) throws(RallyError) {
    sharing = try reader.choice("sharing")
    let hasEnds = sharing == .middleCycle || sharing == .middleSequence
    // Format 1 knows one layer at each end.
    let isFree = reader.format > 1 && sharing == .middleCycle
    firstCount = try reader.integer("num_first_layers", 0...(isFree ? Bound.layers : 1))
    lastCount = try reader.integer("num_last_layers", 0...(isFree ? Bound.layers : 1))
    for (key, count) in [("num_first_layers", firstCount), ("num_last_layers", lastCount)]
    where !isFree && count != (hasEnds ? 1 : 0) {
      throw reader.invalid(key, "\(hasEnds ? 1 : 0) with sharing \(sharing.rawValue)", "\(count)")
    }
    blockCount = try reader.integer("num_block_layers", 1...Bound.layers)
    let greatest = sharing == .none ? 1 : min(Bound.recursions, Bound.layers / blockCount)
    recursionCount = try reader.integer("num_recursion", 1...greatest)
  }

  fileprivate init(rater reader: inout MetadataReader) throws(RallyError) {
    sharing = .none
    (firstCount, lastCount, recursionCount) = (0, 0, 1)
    blockCount = try reader.integer("num_block_layers", 1...Bound.layers)
  }
}
