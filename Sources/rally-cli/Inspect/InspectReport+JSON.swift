import JSON
import Rally

extension InspectReport {
  /// Every `rally.` key of `docs/format.md` is in `metadata`; this has what follows from them.
  static func json(_ model: Model, _ needs: MemoryNeeds, metadata: Bool, tensors: Bool) -> JSONValue {
    let info = model.info
    let layers = model.description.layers
    var members: [(key: String, value: JSONValue)] = [
      ("name", .string(info.name)),
      ("kind", .string(model.description.kind.rawValue)),
      (
        "parameters",
        .object([
          ("stored", .integer(info.parameterCount)), ("effective", .integer(info.effectiveParameterCount)),
        ])
      ),
      (
        "layers",
        .object([
          ("first", .integer(layers.firstCount)), ("block", .integer(layers.blockCount)),
          ("last", .integer(layers.lastCount)), ("recursions", .integer(layers.recursionCount)),
          ("stored", .integer(layers.storedCount)), ("effective", .integer(layers.effectiveCount)),
          ("sharing", .string(layers.sharing.rawValue)),
        ])
      ),
      ("routing", routing(model.description.routing)),
      ("vocab_size", .integer(info.vocabularySize)),
      ("hidden_size", .integer(info.hiddenSize)),
      ("intermediate_size", .integer(info.feedForwardSize)),
      ("num_attention_heads", .integer(info.headCount)),
      ("num_key_value_heads", .integer(info.keyValueHeadCount)),
      ("head_dim", .integer(info.headWidth)),
      ("max_position_embeddings", .integer(info.contextLength)),
      ("bos_token_id", .optional(info.beginningOfSequence)),
      ("eos_token_id", .optional(info.endOfSequence)),
      ("has_tokenizer", .bool(info.hasTokenizer)),
      (
        "memory",
        .object([
          ("dtype", .string("\(info.dataType)")), ("weight_bytes", .integer(info.weightByteCount)),
          ("kv_bytes_per_token", .integer(info.keyValueByteCountPerToken())),
          ("prompt_tokens", .integer(needs.tokenCount)), ("workspace_bytes", .integer(needs.workspaceByteCount)),
        ])
      ),
    ]
    if metadata {
      members.append(("metadata", .object(model.metadata.map { ($0.key, .string($0.value)) })))
    }
    if tensors {
      members.append(("tensors", .array(model.tensors.map(tensor))))
    }
    return .object(members)
  }

  private static func routing(_ routing: ModelDescription.Routing) -> JSONValue {
    guard let router = routing.router else { return .null }
    var members: [(key: String, value: JSONValue)] = []
    switch routing {
    case .none: break
    case .expert(let expert):
      members = [
        ("type", .string("expert")), ("func", .string(expert.function.rawValue)),
        ("capacity", .array(expert.capacities.map { .number($0) })),
        ("aux_router", .bool(expert.hasAuxiliaryRouter)),
      ]
    case .token(let token):
      members = [
        ("type", .string("token")), ("func", .string(token.function.rawValue)), ("bias", .bool(token.hasBias)),
      ]
    }
    return .object(
      members + [
        ("router", .string(router.kind.rawValue)), ("alpha", .number(router.alpha)),
        ("temp", .number(router.temperature)), ("gating", .string(router.gating.rawValue)),
        ("kv_cache", .string(router.keyValueCache.rawValue)),
      ])
  }

  private static func tensor(_ tensor: TensorInfo) -> JSONValue {
    .object([
      ("name", .string(tensor.name)), ("dtype", .string("\(tensor.dataType)")),
      ("shape", .array(tensor.shape.map { .integer($0) })), ("bytes", .integer(tensor.byteCount)),
    ])
  }
}
