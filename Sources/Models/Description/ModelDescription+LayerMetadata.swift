import Files

// The keys of layers. Those that only format 2 has are asked for with `ifPresent`, and have a default.

extension ModelDescription.Attention {
  private enum Reach: String, CaseIterable { case causal, bidirectional }

  init(_ reader: inout MetadataReader, kind: ModelDescription.Kind) throws(RallyError) {
    biases = try reader.biases("attention_bias", ["q": .query, "k": .key, "v": .value, "o": .output])
    headNorm = try reader.ifPresent("qk_norm") { reader throws(RallyError) in try reader.choice("qk_norm") } ?? .none
    let reach = try reader.ifPresent("attention") { reader throws(RallyError) in
      try reader.choice("attention", of: Reach.self)
    }
    isCausal = reach.map { $0 == .causal } ?? (kind == .languageModel)
    guard isCausal || kind == .rater else {
      throw reader.invalid("attention", "causal in a language model", Reach.bidirectional.rawValue)
    }
  }
}

extension ModelDescription.FeedForward {
  private enum Form: String, CaseIterable { case gated, plain }

  init(_ reader: inout MetadataReader) throws(RallyError) {
    activation = try reader.choice("hidden_act")
    isGated = try reader.choice("mlp", of: Form.self) == .gated
    let names: KeyValuePairs<String, Biases> =
      isGated ? ["gate": .gate, "up": .up, "down": .down] : ["up": .up, "down": .down]
    biases = try reader.biases("mlp_bias", names)
  }
}

extension ModelDescription.Positions {
  private enum Name: String, CaseIterable { case rope, learned, none, disentangled }

  init(_ reader: inout MetadataReader, headWidth: Int) throws(RallyError) {
    switch try reader.choice("positions", of: Name.self) {
    case .learned: self = .learned
    case .none: self = .none
    case .disentangled: self = .disentangled(try .init(&reader))
    case .rope:
      guard headWidth % 2 == 0 else { throw reader.invalid("head_dim", "an even number with rope", "\(headWidth)") }
      self = .rope(try Self.tables(&reader))
    }
  }

  private static func tables(_ reader: inout MetadataReader) throws(RallyError) -> [ModelDescription.RotaryTable] {
    let count = try reader.ifPresent("rope_tables") { reader throws(RallyError) in
      try reader.integer("rope_tables", 1...Bound.layers)
    }
    // Says where the frequencies came from, for people.
    _ = try reader.ifPresent("rope_scaling") { reader throws(RallyError) in try reader.text("rope_scaling") }
    guard let count else {
      return [.init(frequencies: .theta(try reader.decimal("rope_theta", "a number above 0") { $0 > 0 }))]
    }
    let factors = try reader.ifPresent("rope_attention_factors") { reader throws(RallyError) in
      try reader.decimals("rope_attention_factors", count: count, per: "table", "a number above 0") {
        Float($0) > 0 && Float($0).isFinite
      }
    }
    return (0..<count).map { .init(frequencies: .stored, attentionFactor: factors?[$0] ?? 1) }
  }
}

extension ModelDescription.Layer {
  private enum Kind: String, CaseIterable {
    case full = "full_attention"
    case sliding = "sliding_attention"
  }

  /// All stored layers.
  static func list(
    _ reader: inout MetadataReader, count: Int, norm: ModelDescription.Norm, positions: ModelDescription.Positions
  ) throws(RallyError) -> [Self] {
    var layers = Array(repeating: Self(), count: count)
    for layer in try withoutInputNorm(&reader, count: count, norm: norm) { layers[layer].hasInputNorm = false }
    let window = try reader.ifPresent("sliding_window") { reader throws(RallyError) in
      try reader.integer("sliding_window", 1...Bound.tokens)
    }
    if let window {
      let kinds = try reader.list("layer_types", count: count, per: "stored layer") {
        (reader, text) throws(RallyError) -> Kind in
        guard let kind = Kind(rawValue: text) else {
          throw reader.invalid("layer_types", "each full_attention or sliding_attention", text)
        }
        return kind
      }
      for (layer, kind) in kinds.enumerated() where kind == .sliding { layers[layer].slidingWindow = window }
    }
    guard case .rope(let tables) = positions else { return layers }
    let rotations = try rotations(&reader, count: count, tables: tables.count)
    for (layer, table) in rotations.enumerated() { layers[layer].ropeTable = table }
    return layers
  }

  private static func withoutInputNorm(
    _ reader: inout MetadataReader, count: Int, norm: ModelDescription.Norm
  ) throws(RallyError) -> [Int] {
    let key = "layers_without_input_norm"
    let layers = try reader.ifPresent(key) { reader throws(RallyError) in
      try reader.list(key) { (reader, text) throws(RallyError) -> Int in
        guard let layer = MetadataReader.integer(text), layer < count else {
          throw reader.invalid(key, "stored layers below \(count)", text)
        }
        return layer
      }
    }
    guard let layers else { return [] }
    guard norm.position == .pre || norm.position == .sandwich else {
      throw reader.invalid(key, "no such key where nothing is normalised before the attention", layers.description)
    }
    return layers
  }

  private static func rotations(
    _ reader: inout MetadataReader, count: Int, tables: Int
  ) throws(RallyError) -> [Int?] {
    let rotations = try reader.ifPresent("rope_layers") { reader throws(RallyError) in
      try reader.list("rope_layers", count: count, per: "stored layer") { (reader, text) throws(RallyError) -> Int? in
        if text == "none" { return nil }
        guard let table = MetadataReader.integer(text), table < tables else {
          throw reader.invalid("rope_layers", "each a rotary table below \(tables), or none", text)
        }
        return table
      }
    }
    return rotations ?? Array(repeating: 0, count: count)
  }
}

extension ModelDescription {
  /// Under a router an entry of the cache is a rank among the tokens that were selected, so a window has no place there.
  func checkWindows(_ reader: MetadataReader) throws(RallyError) {
    guard routing != .none, let window = storedLayers.lazy.compactMap(\.slidingWindow).first else { return }
    throw reader.invalid("sliding_window", "no such key in a model with a router", "\(window)")
  }
}
