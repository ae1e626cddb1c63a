import Files

extension ModelDescription {
  /// The tensors of a stored layer, in the order of `docs/format.md`.
  func requirements(of layer: Layer) -> [LayerRequirement] {
    let (width, inner) = (hiddenSize, feedForwardSize)
    let queries = headCount * headWidth
    let keys = keyValueHeadCount * headWidth
    var list: [LayerRequirement] = []
    func addNorm(_ name: String) {
      list.append(.init(suffix: "\(name).weight", extents: [width]))
      if norm.hasBias { list.append(.init(suffix: "\(name).bias", extents: [width])) }
    }
    func addLinear(_ name: String, _ out: Int, _ from: Int, bias: Bool) {
      list.append(.init(suffix: "\(name).weight", extents: [out, from]))
      if bias { list.append(.init(suffix: "\(name).bias", extents: [out])) }
    }
    if norm.hasLayerNorms, layer.hasInputNorm { addNorm("input_layernorm") }
    if norm.hasBranchNorms { addNorm("input_layernorm_2") }
    let biases = attention.biases
    addLinear("self_attn.q_proj", queries, width, bias: biases.contains(.query))
    addLinear("self_attn.k_proj", keys, width, bias: biases.contains(.key))
    addLinear("self_attn.v_proj", keys, width, bias: biases.contains(.value))
    if attention.headNorm == .head {
      list.append(.init(suffix: "self_attn.q_norm.weight", extents: [headWidth]))
      list.append(.init(suffix: "self_attn.k_norm.weight", extents: [headWidth]))
    }
    if case .disentangled(let distances) = positions {
      let extents = [2 * distances.bucketCount, queries]
      if distances.meetQueries { list.append(.init(suffix: "self_attn.pos_k", extents: extents)) }
      if distances.meetKeys { list.append(.init(suffix: "self_attn.pos_q", extents: extents)) }
    }
    addLinear("self_attn.o_proj", width, queries, bias: biases.contains(.output))
    if norm.hasLayerNorms { addNorm("post_attention_layernorm") }
    if norm.hasBranchNorms { addNorm("post_attention_layernorm_2") }
    let inside = feedForward.biases
    if feedForward.isGated { addLinear("mlp.gate_proj", inner, width, bias: inside.contains(.gate)) }
    addLinear("mlp.up_proj", inner, width, bias: inside.contains(.up))
    addLinear("mlp.down_proj", width, inner, bias: inside.contains(.down))
    return list
  }

  /// Whether recursions have layers of their own, or parts of layers, among the tensors that `contains` knows by name.
  func hasUntiedLayers(_ contains: (_ name: String) -> Bool) -> Bool {
    storedGroups.block.enumerated().contains { index, layer in
      requirements(of: layer).contains { contains("block.0.\(index).\($0.suffix)") }
    }
  }

  /// Goes through every weight that the model has, in the order of `docs/format.md`.
  ///
  /// - Parameters:
  ///   - contains: whether there is a tensor of that name.
  ///   - visit: looks at one and answers its extents.
  func visitWeights(
    where contains: (_ name: String) -> Bool, _ visit: (TensorRequirement) throws(RallyError) -> [Int]
  ) throws(RallyError) {
    func visitAll(_ list: [TensorRequirement]) throws(RallyError) { for tensor in list { _ = try visit(tensor) } }
    func visitLayers(_ group: String, _ layers: ArraySlice<Layer>) throws(RallyError) {
      for (index, layer) in layers.enumerated() {
        try visitAll(requirements(of: layer).map { .init(name: "\(group).\(index).\($0.suffix)", extents: $0.extents) })
      }
    }
    try visitAll(leadingRequirements)
    let groups = storedGroups
    try visitLayers("first", groups.first)
    for (index, layer) in groups.block.enumerated() {
      for tensor in requirements(of: layer) { try visitAll(blockRequirements(index, tensor, where: contains)) }
    }
    try visitLayers("last", groups.last)
    try visitAll(trailingRequirements)
    guard let rater, case .mlp = rater.head else { return }
    // The width of the hidden layer is the file's own choice, unless it is pooled.
    let width = rater.pooling == .late ? hiddenSize : nil
    let inner = try visit(.init(name: "head.0.weight", extents: [width, hiddenSize]))[0]
    guard inner >= 1, inner <= Bound.feedForward else {
      throw RallyError(
        .invalidShape, "head.0.weight", expected: "1 to \(Bound.feedForward) rows", found: "\(inner)")
    }
    try visitAll(headRequirements(rater, inner))
  }

  /// One tensor of a layer of the block: one for all recursions, or one for each.
  private func blockRequirements(
    _ index: Int, _ tensor: LayerRequirement, where contains: (_ name: String) -> Bool
  ) -> [TensorRequirement] {
    let shared = TensorRequirement(name: "block.\(index).\(tensor.suffix)", extents: tensor.extents)
    let copies = (0..<layers.recursionCount).map { recursion in
      TensorRequirement(name: "block.\(recursion).\(index).\(tensor.suffix)", extents: tensor.extents)
    }
    // A copy alongside the shared tensor is left over and found as unknown.
    return contains(shared.name) || !copies.contains { contains($0.name) } ? [shared] : copies
  }

  private func headRequirements(_ rater: Rater, _ inner: Int) -> [TensorRequirement] {
    var rest: [TensorRequirement] = [.init(name: "head.0.bias", extents: [inner])]
    if rater.headHasNorm {
      rest.append(.init(name: "head.norm.weight", extents: [inner]))
      if norm.hasBias { rest.append(.init(name: "head.norm.bias", extents: [inner])) }
    }
    return rest + [
      .init(name: "head.1.weight", extents: [rater.outputCount, inner]), .init(name: "head.1.bias", extents: [rater.outputCount]),
    ]
  }

  /// A norm follows the last layer, or the pooling.
  var hasFinalNorm: Bool { rater.map { $0.finalNorm != .none } ?? true }

  /// What comes before the layers.
  var leadingRequirements: [TensorRequirement] {
    var list = [TensorRequirement(name: "embed_tokens.weight", extents: [vocabularySize, hiddenSize])]
    if positions == .learned {
      list.append(.init(name: "embed_positions.weight", extents: [maximumTokenCount, hiddenSize]))
    }
    if case .rope(let tables) = positions {
      for (index, table) in tables.enumerated() where table.frequencies == .stored {
        list.append(.init(name: "rope.\(index).inv_freq", extents: [headWidth / 2]))
      }
    }
    if rater?.normalizesEmbeddings == true { list += normRequirements("embed_norm") }
    return list
  }

  /// What comes after the layers: norm, head, routers.
  var trailingRequirements: [TensorRequirement] {
    var list: [TensorRequirement] = []
    if hasFinalNorm { list += normRequirements("norm") }
    if kind == .languageModel, !tiesEmbeddings {
      list.append(.init(name: "lm_head.weight", extents: [vocabularySize, hiddenSize]))
    }
    list += routerRequirements + loopRequirements
    if let rater, rater.head == .linear {
      list.append(.init(name: "head.weight", extents: [rater.outputCount, hiddenSize]))
      list.append(.init(name: "head.bias", extents: [rater.outputCount]))
    }
    return list
  }

  private func normRequirements(_ name: String) -> [TensorRequirement] {
    let weight = TensorRequirement(name: "\(name).weight", extents: [hiddenSize])
    guard norm.hasBias else { return [weight] }
    return [weight, .init(name: "\(name).bias", extents: [hiddenSize])]
  }

  private var loopRequirements: [TensorRequirement] {
    guard let loop else { return [] }
    var list: [TensorRequirement] = []
    if case .concat(let hasBias, _) = loop.injection {
      list.append(.init(name: "adapter.weight", extents: [hiddenSize, 2 * hiddenSize]))
      if hasBias { list.append(.init(name: "adapter.bias", extents: [hiddenSize])) }
    }
    for name in loop.exit?.gateNames ?? [] {
      list.append(.init(name: "\(name).weight", extents: [1, hiddenSize]))
      list.append(.init(name: "\(name).bias", extents: [1]))
    }
    return list
  }

  private var routerRequirements: [TensorRequirement] {
    switch routing {
    case .none:
      return []
    case .expert(let expert):
      var list: [TensorRequirement] = []
      for prefix in expert.hasAuxiliaryRouter ? ["router", "aux_router"] : ["router"] {
        for recursion in 0..<layers.recursionCount {
          list += routerRequirements("\(prefix).\(recursion)", expert.router.kind, outputs: 1)
        }
      }
      return list
    case .token(let token):
      let list = routerRequirements("router.0", token.router.kind, outputs: layers.recursionCount)
      guard token.hasBias else { return list }
      return list + [.init(name: "router.bias", extents: [layers.recursionCount])]
    }
  }

  private func routerRequirements(_ name: String, _ kind: Router.Kind, outputs: Int) -> [TensorRequirement] {
    switch kind {
    case .linear:
      [.init(name: "\(name).weight", extents: [outputs, hiddenSize])]
    case .mlp:
      [
        .init(name: "\(name).0.weight", extents: [2 * hiddenSize, hiddenSize]),
        .init(name: "\(name).2.weight", extents: [outputs, 2 * hiddenSize]),
      ]
    }
  }
}

extension ModelDescription.Exit {
  /// Of the gates of the hazard rule: one for all recursions, or one for each.
  var gateNames: [String] {
    guard case .hazard(let gates) = rule else { return [] }
    return gates == 1 ? ["exit"] : (0..<gates).map { "exit.\($0)" }
  }
}

extension ModelDescription.Norm {
  /// `input_layernorm` and `post_attention_layernorm`, before a sublayer or after its sum.
  var hasLayerNorms: Bool { position != .branch }
  /// `input_layernorm_2` and `post_attention_layernorm_2`, on what a sublayer adds.
  var hasBranchNorms: Bool { position == .sandwich || position == .branch }
}
