import Files

// The keys of looped models, all of format 2.

extension ModelDescription.Loop {
  private enum InjectionName: String, CaseIterable { case none, concat }
  private enum StateName: String, CaseIterable { case embedding, zeros, seeded }

  /// Nil where a repetition just follows the one before.
  ///
  /// The keys belong to models that repeat a whole block and have no router; elsewhere they are unknown.
  static func read(
    _ reader: inout MetadataReader, layers: ModelDescription.Layers, routing: ModelDescription.Routing
  ) throws(RallyError) -> Self? {
    guard layers.repeatsWholeBlock, routing == .none else { return nil }
    let normalizes = try reader.ifPresent("loop_norm") { reader throws(RallyError) in try reader.boolean("loop_norm") }
    let loop = Self(
      normalizes: normalizes ?? false, injection: try injection(&reader),
      exit: try ModelDescription.Exit.read(&reader, recursionCount: layers.recursionCount))
    if loop.exit?.keyValues == .propagated, loop.injection != .none {
      throw reader.invalid("kv_cache", "full or last_exited with injection concat", "propagated")
    }
    return loop.normalizes || loop.injection != .none || loop.exit != nil ? loop : nil
  }

  private static func injection(_ reader: inout MetadataReader) throws(RallyError) -> Injection {
    let name = try reader.ifPresent("injection") { reader throws(RallyError) in
      try reader.choice("injection", of: InjectionName.self)
    }
    guard name == .concat else { return .none }
    let hasBias = try reader.ifPresent("injection_bias") { reader throws(RallyError) in
      try reader.boolean("injection_bias")
    }
    return .concat(hasBias: hasBias ?? false, initial: try initialState(&reader))
  }

  private static func initialState(
    _ reader: inout MetadataReader
  ) throws(RallyError) -> ModelDescription.Loop.InitialState {
    let name = try reader.ifPresent("initial_state") { reader throws(RallyError) in
      try reader.choice("initial_state", of: StateName.self)
    }
    switch name ?? .embedding {
    case .embedding: return .embedding
    case .zeros: return .zeros
    case .seeded:
      let deviation = try reader.decimal("initial_state_std", "a number above 0") { Float($0) > 0 && Float($0).isFinite }
      return .seeded(deviation: deviation, seed: UInt64(try reader.integer("initial_state_seed", 0...Int.max)))
    }
  }
}

extension ModelDescription.Exit {
  private enum Name: String, CaseIterable {
    case none, hazard
    case latentDifference = "latent_diff"
  }

  fileprivate static func read(
    _ reader: inout MetadataReader, recursionCount: Int
  ) throws(RallyError) -> Self? {
    let name = try reader.ifPresent("exit") { reader throws(RallyError) in try reader.choice("exit", of: Name.self) }
    guard let name, name != .none else { return nil }
    let threshold = try reader.decimal("exit_threshold", "a number of at least 0") { $0 >= 0 && Float($0).isFinite }
    let natural = try reader.ifPresent("natural_depth") { reader throws(RallyError) in
      try reader.decimal("natural_depth", "a mean depth in [1, \(recursionCount)]") {
        $0 >= 1 && $0 <= Double(recursionCount)
      }
    }
    let fixed = try reader.ifPresent("fixed_depth") { reader throws(RallyError) in
      try reader.integer("fixed_depth", 1...recursionCount)
    }
    let keyValues: ModelDescription.KeyValuePolicy? = try reader.ifPresent("kv_cache") { reader throws(RallyError) in
      try reader.choice("kv_cache")
    }
    return Self(
      rule: name == .hazard ? .hazard(gates: try gates(&reader, recursionCount: recursionCount)) : .latentDifference,
      threshold: threshold, naturalDepth: natural, fixedDepth: fixed, keyValues: keyValues ?? .lastExited)
  }

  private static func gates(_ reader: inout MetadataReader, recursionCount: Int) throws(RallyError) -> Int {
    try reader.ifPresent("exit_gates") { reader throws(RallyError) in
      let count = try reader.integer("exit_gates", 1...recursionCount)
      guard count == recursionCount else {
        throw reader.invalid("exit_gates", "\(recursionCount), one per recursion", "\(count)")
      }
      return count
    } ?? 1
  }
}

extension ModelDescription {
  /// Whether the policy of the keys and values suits the copies of the block that the file has.
  func check(untied: Bool) throws(RallyError) {
    guard let exit = loop?.exit, let problem = exit.keyValues.problem(untied: untied) else { return }
    throw RallyError(.invalidValue, "rally.kv_cache", expected: problem, found: exit.keyValues.rawValue)
  }
}

extension ModelDescription.KeyValuePolicy {
  /// What is expected instead; nil where the policy suits.
  package func problem(untied: Bool) -> String? {
    switch self {
    case .full: nil
    case .lastExited: untied ? "full or propagated where recursions have layers of their own" : nil
    case .propagated: untied ? nil : "full or last_exited where all recursions run the same layers"
    }
  }
}
