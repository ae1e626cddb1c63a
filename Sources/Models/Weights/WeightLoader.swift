import Files
import Kernels
import Tensors

/// Puts the weights of a source together. A tensor that several layers name is packed once and shared.
struct WeightLoader {
  private(set) var source: any WeightSource
  /// What projections of layers are packed in; what decides (routers, heads of raters) stays f32.
  let dataType: DataType
  /// What other projections are packed in: four bits are too few for the head, which all else goes through.
  var outerDataType: DataType { dataType == .q4 ? .int8 : dataType }
  /// All that the source gave, in the order in which it was asked.
  private(set) var pieces: [WeightPiece] = []

  private var norms: [String: NormWeights] = [:]
  private var vectors: [String: FloatStorage] = [:]
  private var projections: [String: Projection] = [:]

  var description: ModelDescription { source.facts.description }

  init(_ source: any WeightSource, dataType: DataType) {
    self.source = source
    self.dataType = dataType
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
    try vector(name(stem + ".weight"))
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
    var tensors: [TensorInfo] = []
    for name in names { tensors.append(try tensor(name)) }
    let dataType = PackedMatrix.dataType(wanted, inputs: tensors[0].shape[1])
    let matrix = try source.matrix(tensors, dataType)
    pieces.append(WeightPiece(key: WeightPiece.key(matrix: tensors, dataType), content: .matrix(matrix)))
    let loaded = Projection(names: names, matrix: matrix, bias: try stackedBiases(biasNames, tensors.map { $0.shape[0] }))
    projections[key] = loaded
    return loaded
  }

  // MARK: Tables and vectors

  mutating func table(_ name: String) throws(RallyError) -> EmbeddingTable {
    let tensor = try tensor(name)
    let table = try source.table(tensor)
    pieces.append(WeightPiece(key: WeightPiece.key(table: tensor), content: .table(table)))
    return table
  }

  /// All values of a tensor as f32, row-major.
  mutating func vector(_ name: String) throws(RallyError) -> FloatStorage {
    let tensor = try tensor(name)
    return try floats([(tensor, tensor.elementCount)])
  }

  /// The biases of stacked matrices, zeros for those without one; nil where none has.
  private mutating func stackedBiases(_ names: [String?], _ heights: [Int]) throws(RallyError) -> FloatStorage? {
    guard names.contains(where: { $0 != nil }) else { return nil }
    var parts: [(TensorInfo?, Int)] = []
    for (name, height) in zip(names, heights) {
      if let name { parts.append((try tensor(name), height)) } else { parts.append((nil, height)) }
    }
    return try floats(parts)
  }

  private mutating func floats(_ parts: [(TensorInfo?, Int)]) throws(RallyError) -> FloatStorage {
    let parts = WeightParts(parts: parts)
    let key = WeightPiece.key(parts)
    if let known = vectors[key] { return known }
    let storage = try source.floats(parts)
    vectors[key] = storage
    pieces.append(WeightPiece(key: key, content: .floats(storage)))
    return storage
  }

  /// A tensor that whoever read the file has already made sure of.
  func tensor(_ name: String) throws(RallyError) -> TensorInfo {
    guard let tensor = source.facts.tensor(named: name) else {
      throw RallyError(.missingTensor, name, expected: "a tensor of this name", found: "none")
    }
    return tensor
  }
}
