/// The layers that stand outside the block.
package enum LayerGroup: String, Sendable {
  case first, last
}

/// A tensor that a model must have: its name and extents, nil where any will do.
struct TensorRequirement: Equatable {
  var name: String
  var extents: [Int?]
}

/// A tensor of a layer: what follows the layer's own name, such as `mlp.up_proj.weight`.
struct LayerRequirement: Equatable {
  var suffix: String
  var extents: [Int]
}
