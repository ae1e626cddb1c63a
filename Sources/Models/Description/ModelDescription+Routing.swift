import Files

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
