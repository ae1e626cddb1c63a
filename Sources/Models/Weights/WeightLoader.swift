import Kernels
import Tensors

/// Packs the weights of a file. A tensor that several layers name is packed once and shared.
struct WeightLoader {
  let file: ModelFile
  let pool: WorkerPool
  /// What projections are packed in; what decides (routers, heads of raters) stays f32.
  let dataType: DataType
  /// Called with the bytes of the file that are packed; false cancels.
  let progress: ((_ done: UInt64) -> Bool)?

  private var norms: [String: NormWeights] = [:]
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
  mutating func layer(_ name: (String) -> String) throws(RallyError) -> LayerWeights {
    let isGated = description.feedForward.isGated
    let up = isGated ? ["mlp.gate_proj", "mlp.up_proj"] : ["mlp.up_proj"]
    let hasAttentionBias = description.attentionHasBias
    let hasMLPBias = description.feedForward.hasBias
    return LayerWeights(
      inputNorm: try norm("input_layernorm", in: name),
      attentionInput: try projection(
        ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"], hasBias: hasAttentionBias, in: name),
      attentionOutput: try projection(["self_attn.o_proj"], hasBias: hasAttentionBias, in: name),
      postNorm: try norm("post_attention_layernorm", in: name),
      feedForwardInput: try projection(up, hasBias: hasMLPBias, in: name),
      feedForwardOutput: try projection(["mlp.down_proj"], hasBias: hasMLPBias, in: name))
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

  /// Stacks the matrices `stem.weight`, and their biases.
  ///
  /// - Parameter dataType: what they are packed in; nil for the model's own.
  mutating func projection(
    _ stems: [String], hasBias: Bool, dataType: DataType? = nil, in name: (String) -> String = { $0 }
  ) throws(RallyError) -> Projection {
    let dataType = dataType ?? self.dataType
    let names = stems.map { name($0 + ".weight") }
    let biasNames = hasBias ? stems.map { name($0 + ".bias") } : []
    let key = (names + biasNames).joined(separator: "|")
    if let known = projections[key] { return known }
    var entries: [TensorEntry] = []
    for name in names { entries.append(try file.required(name)) }
    let matrix = try PackedMatrix(
      inputs: entries[0].shape.extents[1], sources: entries.map { $0.rows(as: dataType) }, dataType: dataType,
      pool: pool)
    let loaded = Projection(matrix: matrix, bias: hasBias ? try stacked(biasNames) : nil)
    projections[key] = loaded
    try count(entries)
    return loaded
  }

  // MARK: Vectors

  /// All values of a tensor as f32, row-major.
  mutating func vector(_ name: String) throws(RallyError) -> FloatStorage { try stacked([name]) }

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
