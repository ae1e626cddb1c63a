package import Files
package import Kernels
package import Tensors

extension ModelWeights {
  /// Packs the weights of an open file. The file is not needed afterwards.
  ///
  /// - Parameters:
  ///   - dataType: f32, bf16, int8 or q4, what products are computed in; nil for what the file's layers are stored in.
  ///   - pool: packs in parallel.
  ///   - progress: called with the bytes packed so far; false cancels.
  /// - Throws: `outOfMemory`, `cancelled`; `limitExceeded` for a matrix too wide for int8.
  package init(
    file: ModelFile, dataType: DataType? = nil, pool: WorkerPool, progress: ((_ done: UInt64) -> Bool)? = nil
  ) throws(RallyError) {
    let dataType = dataType ?? file.bestDataType
    var loader = WeightLoader(file: file, dataType: dataType, pool: pool, progress: progress)
    let description = file.description
    self.description = description
    self.dataType = dataType
    embedding = try loader.table("embed_tokens.weight")
    positions = description.positions == .learned ? try loader.table("embed_positions.weight") : nil
    embeddingNorm = description.rater?.normalizesEmbeddings == true ? try loader.norm("embed_norm") : nil
    ropeFrequencies = try loader.ropeFrequencies()
    let groups = description.storedGroups
    first = try loader.layers("first", groups.first)
    block = try loader.block(groups.block)
    last = try loader.layers("last", groups.last)
    finalNorm = description.hasFinalNorm ? try loader.norm("norm") : nil
    languageHead =
      description.kind == .languageModel
      ? try loader.projection(
        [(description.tiesEmbeddings ? "embed_tokens" : "lm_head", false)], dataType: loader.outerDataType) : nil
    (routers, auxiliaryRouters, routerBias) = try loader.routers()
    adapter = try loader.adapter()
    exitGates = try loader.exitGates()
    raterHead = if let rater = description.rater { try loader.head(rater) } else { nil }
  }

  /// Memory of all weights, each counted once however many layers share it.
  package var byteCount: Int {
    var seen: Set<ObjectIdentifier> = []
    var count = embedding.byteCount + (positions?.byteCount ?? 0)
    func add(_ matrix: PackedMatrix?) {
      guard let matrix, seen.insert(ObjectIdentifier(matrix)).inserted else { return }
      count += matrix.byteCount
    }
    for layer in first + block.joined() + last {
      add(layer.attentionInput.matrix)
      add(layer.attentionOutput.matrix)
      for table in [layer.distances?.keys, layer.distances?.queries] {
        count += (table?.count ?? 0) * MemoryLayout<Float>.stride
      }
      add(layer.feedForwardInput.matrix)
      add(layer.feedForwardOutput.matrix)
    }
    for router in routers + auxiliaryRouters { add(router.hidden?.matrix) }
    add(languageHead?.matrix)
    add(adapter?.matrix)
    add(raterHead?.hidden?.matrix)
    return count
  }
}

extension WeightLoader {
  /// A table's own copy of a tensor.
  func table(_ name: String) throws(RallyError) -> EmbeddingTable {
    let entry = try file.required(name)
    let table = try EmbeddingTable(entry)
    file.release(entry)
    return table
  }

  mutating func ropeFrequencies() throws(RallyError) -> [FloatStorage] {
    guard case .rope(let tables) = description.positions else { return [] }
    var list: [FloatStorage] = []
    for (index, table) in tables.enumerated() where table.frequencies == .stored {
      list.append(try vector("rope.\(index).inv_freq"))
    }
    return list
  }

  mutating func layers(
    _ place: String, _ described: ArraySlice<ModelDescription.Layer>
  ) throws(RallyError) -> [LayerWeights] {
    var layers: [LayerWeights] = []
    for (index, layer) in described.enumerated() {
      layers.append(try self.layer(layer) { "\(place).\(index).\($0)" })
    }
    return layers
  }

  /// The layers of each recursion; a tensor is shared by all of them or has a copy for each.
  mutating func block(_ described: ArraySlice<ModelDescription.Layer>) throws(RallyError) -> [[LayerWeights]] {
    var recursions: [[LayerWeights]] = []
    let file = file
    for recursion in 0..<(description.layers.recursionCount) {
      var layers: [LayerWeights] = []
      for (index, layer) in described.enumerated() {
        layers.append(
          try self.layer(layer) { suffix in
            file.blockTensor(recursion: recursion, layer: index, suffix: suffix)?.entry.name
              ?? "block.\(index).\(suffix)"
          })
      }
      recursions.append(layers)
    }
    return recursions
  }

  mutating func routers() throws(RallyError) -> (
    main: [RouterWeights], auxiliary: [RouterWeights], bias: [Float]
  ) {
    let recursionCount = description.layers.recursionCount
    switch description.routing {
    case .none: return ([], [], [])
    case .token(let routing):
      var bias: [Float] = []
      if routing.hasBias {
        let storage = try vector("router.bias")
        for index in 0..<storage.count { bias.append(storage[index]) }
      }
      return ([try router("router.0", routing.router, outputs: recursionCount)], [], bias)
    case .expert(let routing):
      var main: [RouterWeights] = []
      var auxiliary: [RouterWeights] = []
      for recursion in 0..<recursionCount {
        main.append(try router("router.\(recursion)", routing.router, outputs: 1))
        guard routing.hasAuxiliaryRouter else { continue }
        auxiliary.append(try router("aux_router.\(recursion)", routing.router, outputs: 1))
      }
      return (main, auxiliary, [])
    }
  }

  mutating func adapter() throws(RallyError) -> Projection? {
    guard case .concat(let hasBias, _) = description.loop?.injection else { return nil }
    return try projection([("adapter", hasBias)], dataType: outerDataType)
  }

  mutating func exitGates() throws(RallyError) -> [ExitGate] {
    var gates: [ExitGate] = []
    for name in description.loop?.exit?.gateNames ?? [] {
      gates.append(ExitGate(weight: try vector(name + ".weight"), bias: try scalar(name + ".bias")))
    }
    return gates
  }

  private mutating func router(
    _ stem: String, _ router: ModelDescription.Router, outputs: Int
  ) throws(RallyError) -> RouterWeights {
    switch router.kind {
    case .linear:
      return RouterWeights(hidden: nil, output: try vector(stem + ".weight"), outputCount: outputs)
    case .mlp:
      return RouterWeights(
        hidden: try projection([(stem + ".0", false)], dataType: .f32),
        output: try vector(stem + ".2.weight"), outputCount: outputs)
    }
  }

  mutating func head(_ rater: ModelDescription.Rater) throws(RallyError) -> RaterHeadWeights {
    switch rater.head {
    case .absent:
      return RaterHeadWeights(
        hidden: nil, norm: nil, output: try FloatStorage(count: 0), bias: try FloatStorage(count: 0))
    case .linear:
      return RaterHeadWeights(
        hidden: nil, norm: nil, output: try vector("head.weight"), bias: try vector("head.bias"))
    case .mlp:
      return RaterHeadWeights(
        hidden: try projection([("head.0", true)], dataType: .f32),
        norm: rater.headHasNorm ? try norm("head.norm") : nil, output: try vector("head.1.weight"),
        bias: try vector("head.1.bias"))
    }
  }
  private mutating func scalar(_ name: String) throws(RallyError) -> Float {
    try vector(name)[0]
  }
}
