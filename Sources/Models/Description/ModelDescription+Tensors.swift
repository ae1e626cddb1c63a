extension ModelDescription {
  /// The tensors of one layer, in the order of `docs/format.md`.
  var layerRequirements: [LayerRequirement] {
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
    addNorm("input_layernorm")
    addLinear("self_attn.q_proj", queries, width, bias: attentionHasBias)
    addLinear("self_attn.k_proj", keys, width, bias: attentionHasBias)
    addLinear("self_attn.v_proj", keys, width, bias: attentionHasBias)
    addLinear("self_attn.o_proj", width, queries, bias: attentionHasBias)
    addNorm("post_attention_layernorm")
    if feedForward.isGated { addLinear("mlp.gate_proj", inner, width, bias: feedForward.hasBias) }
    addLinear("mlp.up_proj", inner, width, bias: feedForward.hasBias)
    addLinear("mlp.down_proj", width, inner, bias: feedForward.hasBias)
    return list
  }

  /// A norm follows the last layer, or the pooling.
  var hasFinalNorm: Bool { rater.map { $0.finalNorm != .none } ?? true }

  /// What comes before the layers.
  var leadingRequirements: [TensorRequirement] {
    var list = [TensorRequirement(name: "embed_tokens.weight", extents: [vocabularySize, hiddenSize])]
    if positions == .learned {
      list.append(.init(name: "embed_positions.weight", extents: [maximumTokenCount, hiddenSize]))
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
    list += routerRequirements
    if rater?.head == .linear {
      list.append(.init(name: "head.weight", extents: [1, hiddenSize]))
      list.append(.init(name: "head.bias", extents: [1]))
    }
    return list
  }

  private func normRequirements(_ name: String) -> [TensorRequirement] {
    let weight = TensorRequirement(name: "\(name).weight", extents: [hiddenSize])
    guard norm.hasBias else { return [weight] }
    return [weight, .init(name: "\(name).bias", extents: [hiddenSize])]
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
