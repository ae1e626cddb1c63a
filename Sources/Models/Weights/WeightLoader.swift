import Files
import Kernels
import Tensors

/// Packs the weights of a file. A tensor that several layers name is packed once and shared.
struct WeightLoader {
  let file: ModelFile
  let pool: WorkerPool
  /// What projections of layers are packed in; what decides (routers, heads of raters) stays f32.
  let dataType: DataType
  /// What other projections are packed in: four bits are too few for the head, which all else goes through.
  var outerDataType: DataType { dataType == .q4 ? .int8 : dataType }
  /// Called with the bytes of the file that are packed; false cancels.
  let progress: ((_ done: UInt64) -> Bool)?

  private var norms: [String: NormWeights] = [:]
  private var vectors: [String: FloatStorage] = [:]
  private var projections: [String: Projection] = [:]
  private var bytesDone: UInt64 = 0

  var description: ModelDescription { file.description }

  init(file: ModelFile, dataType: DataType, pool: WorkerPool, progress: ((_ done: UInt64) -> Bool)?) {
    self.file = file
    self.dataType = dataType
    self.pool = pool
    self.progress = progress
  }

  // MARK: Layers

  /// The layer whose tensors `name` finds by their suffix, such as `mlp.up_proj.weight`.
  mutating func layer(
    _ layer: ModelDescription.Layer, _ name: (String) -> String
  ) throws(RallyError) -> LayerWeights {
    let (norms, attention, feedForward) = (description.norm, description.attention.biases, description.feedForward)
    let query = [("self_attn.q_proj", attention.contains(.query)), ("self_attn.k_proj", attention.contains(.key))]
    let gate = [("mlp.gate_proj", feedForward.biases.contains(.gate))]
    let up = [("mlp.up_proj", feedForward.biases.contains(.up))]
    return LayerWeights(
      layer: layer,
      inputNorm: norms.hasLayerNorms && layer.hasInputNorm ? try norm("input_layernorm", in: name) : nil,
      inputBranchNorm: norms.hasBranchNorms ? try norm("input_layernorm_2", in: name) : nil,
      attentionInput: try projection(query + [("self_attn.v_proj", attention.contains(.value))], in: name),
      headNorms: description.attention.headNorm == .head
        ? (try gain("self_attn.q_norm", in: name), try gain("self_attn.k_norm", in: name)) : nil,
      distances: try distances(in: name),
      attentionOutput: try projection([("self_attn.o_proj", attention.contains(.output))], in: name),
      postNorm: norms.hasLayerNorms ? try norm("post_attention_layernorm", in: name) : nil,
      postBranchNorm: norms.hasBranchNorms ? try norm("post_attention_layernorm_2", in: name) : nil,
      feedForwardInput: try projection(feedForward.isGated ? gate + up : up, in: name),
      feedForwardOutput: try projection([("mlp.down_proj", feedForward.biases.contains(.down))], in: name))
  }

  private mutating func distances(
    in name: (String) -> String
  ) throws(RallyError) -> (keys: FloatStorage?, queries: FloatStorage?)? {
    guard case .disentangled(let distances) = description.positions else { return nil }
    return (
      distances.meetQueries ? try vector(name("self_attn.pos_k")) : nil,
      distances.meetKeys ? try vector(name("self_attn.pos_q")) : nil
    )
  }

  /// Gains of the norm of heads, [K].
  private mutating func gain(_ stem: String, in name: (String) -> String) throws(RallyError) -> FloatStorage {
    let full = name(stem + ".weight")
    if let known = vectors[full] { return known }
    let loaded = try vector(full)
    vectors[full] = loaded
    return loaded
  }

  mutating func norm(
    _ stem: String, in name: (String) -> String = { $0 }
  ) throws(RallyError) -> NormWeights {
    let gain = name(stem + ".weight")
    let bias = name(stem + ".bias")
    if let known = norms[gain + bias] { return known }
    let loaded = NormWeights(
      kind: description.norm.kind, epsilon: Float(description.norm.epsilon), gain: try vector(gain),
      bias: description.norm.hasBias ? try vector(bias) : nil)
    norms[gain + bias] = loaded
    return loaded
  }

  /// Stacks the matrices `stem.weight`, and their biases: zeros where only others have one.
  ///
  /// - Parameter dataType: what they are packed in; nil for the model's own.
  mutating func projection(
    _ parts: [(stem: String, hasBias: Bool)], dataType: DataType? = nil, in name: (String) -> String = { $0 }
  ) throws(RallyError) -> Projection {
    let wanted = dataType ?? self.dataType
    let names = parts.map { name($0.stem + ".weight") }
    let biasNames = parts.map { $0.hasBias ? name($0.stem + ".bias") : nil }
    let key = (names + biasNames.map { $0 ?? "" }).joined(separator: "|")
    if let known = projections[key] { return known }
    var entries: [TensorEntry] = []
    for name in names { entries.append(try file.required(name)) }
    let dataType = PackedMatrix.dataType(wanted, inputs: entries[0].shape.extents[1])
    // Parts that share their rows share a balance: where they do not, all are converted.
    let balance = entries[0].balance
    let isShared = dataType.hasScales && entries.allSatisfy { $0.dataType == dataType && $0.balance == balance }
    let factors = isShared ? balance : []
    let matrix = try PackedMatrix(
      inputs: entries[0].shape.extents[1], sources: entries.map { $0.rows(as: dataType, balance: factors) },
      dataType: dataType, factors: factors, pool: pool)
    let heights = entries.map { $0.shape.extents[0] }
    let loaded = Projection(names: names, matrix: matrix, bias: try stackedBiases(biasNames, heights))
    projections[key] = loaded
    try count(entries)
    return loaded
  }

  // MARK: Vectors

  /// All values of a tensor as f32, row-major.
  mutating func vector(_ name: String) throws(RallyError) -> FloatStorage { try stacked([name]) }

  /// The biases of stacked matrices, zeros for those without one; nil where none has.
  private mutating func stackedBiases(_ names: [String?], _ heights: [Int]) throws(RallyError) -> FloatStorage? {
    guard names.contains(where: { $0 != nil }) else { return nil }
    let storage = try FloatStorage(count: heights.reduce(0, +))
    var start = 0
    for (name, height) in zip(names, heights) {
      if let name {
        let entry = try file.required(name)
        unsafe entry.copyFloats(rows: 0..<height, into: storage.base + start)
        try count([entry])
      } else {
        unsafe (storage.base + start).update(repeating: 0, count: height)
      }
      start += height
    }
    return storage
  }

  private mutating func stacked(_ names: [String]) throws(RallyError) -> FloatStorage {
    var entries: [TensorEntry] = []
    for name in names { entries.append(try file.required(name)) }
    let storage = try FloatStorage(count: entries.reduce(0) { $0 + $1.shape.elementCount })
    var start = 0
    for entry in entries {
      unsafe entry.copyFloats(rows: 0..<entry.shape.extents[0], into: storage.base + start)
      start += entry.shape.elementCount
    }
    try count(entries)
    return storage
  }

  private mutating func count(_ entries: [TensorEntry]) throws(RallyError) {
    for entry in entries {
      unsafe bytesDone += UInt64(entry.data.count)
      file.release(entry)
    }
    guard let progress, !progress(bytesDone) else { return }
    throw RallyError(.cancelled, "opening", found: "the progress callback ended it")
  }
}

extension ModelFile {
  /// A tensor that the importer has already made sure of.
  func required(_ name: String) throws(RallyError) -> TensorEntry {
    guard let entry = tensor(named: name) else {
      throw RallyError(.missingTensor, name, expected: "a tensor of this name", found: "none")
    }
    return entry
  }
}
