import Tensors

extension ModelDescription.Routing {
  private enum Name: String, CaseIterable { case none, expert, token }

  init(_ reader: inout MetadataReader, layers: ModelDescription.Layers) throws(RallyError) {
    let name = try reader.choice("routing", of: Name.self)
    if name != .none, layers.sharing != .cycle, layers.sharing != .middleCycle {
      throw reader.invalid("routing", "none with sharing \(layers.sharing.rawValue)", name.rawValue)
    }
    switch name {
    case .none: self = .none
    case .expert: self = .expert(try .init(&reader, recursionCount: layers.recursionCount))
    case .token: self = .token(try .init(&reader))
    }
  }
}

extension ModelDescription.Router {
  fileprivate init(_ reader: inout MetadataReader) throws(RallyError) {
    kind = try reader.choice("router_type")
    alpha = try reader.decimal("router_alpha", "a number") { Float($0).isFinite }
    temperature = try reader.decimal("router_temp", "a number above 0") { Float($0) > 0 && Float($0).isFinite }
    gating = try reader.choice("gating")
    keyValueCache = try reader.choice("kv_cache")
  }
}

extension ModelDescription.ExpertRouting {
  fileprivate init(_ reader: inout MetadataReader, recursionCount: Int) throws(RallyError) {
    router = try .init(&reader)
    function = try reader.choice("router_func")
    capacities = try reader.decimals("capacity", count: recursionCount, "in (0, 1]") { $0 > 0 && $0 <= 1 }
    hasAuxiliaryRouter = try reader.boolean("aux_router")
  }
}

extension ModelDescription.TokenRouting {
  fileprivate init(_ reader: inout MetadataReader) throws(RallyError) {
    router = try .init(&reader)
    function = try reader.choice("router_func")
    hasBias = try reader.boolean("router_bias")
  }
}

extension ModelDescription.Rater {
  private enum HeadName: String, CaseIterable { case linear, mlp }
  private enum SquashName: String, CaseIterable { case none, sigmoid, clamp }

  init(_ reader: inout MetadataReader) throws(RallyError) {
    normalizesEmbeddings = try reader.boolean("embed_norm")
    finalNorm = try reader.choice("final_norm")
    pooling = try reader.choice("pooling")
    head =
      switch try reader.choice("head", of: HeadName.self) {
      case .linear: .linear
      case .mlp: .mlp(try reader.choice("head_act"))
      }
    squash = try Self.squash(&reader)
    packing = try reader.choice("packing")
    scoreProvenance = try reader.text("score_provenance")
    discardFraction = try reader.optionalDecimal("discard_fraction", "a number in [0, 1)") { $0 >= 0 && $0 < 1 }
  }

  private static func squash(_ reader: inout MetadataReader) throws(RallyError) -> Squash {
    let name = try reader.choice("squash", of: SquashName.self)
    if name == .none { return .none }
    let temperature = try reader.decimal("squash_temperature", "a number above 0") {
      Float($0) > 0 && Float($0).isFinite
    }
    if name == .sigmoid { return .sigmoid(temperature: temperature) }
    let minimum = try reader.decimal("squash_min", "a number") { Float($0).isFinite }
    let maximum = try reader.decimal("squash_max", "a number not below squash_min") {
      $0 >= minimum && Float($0).isFinite
    }
    return .clamp(temperature: temperature, minimum: minimum, maximum: maximum)
  }
}
