package import Kernels
package import Files
package import Tensors

/// The weights of a model, packed for computing; immutable and shared by all runners.
package struct ModelWeights: Sendable {
  package let description: ModelDescription
  /// Of projections. Norms, routers, heads of raters and the embedding are computed in f32.
  package let dataType: DataType
  package let embedding: EmbeddingTable
  /// [maximumPositionCount, D], with learned positions.
  package let positions: EmbeddingTable?
  /// ω [K/2] of each rotary table that the file holds; empty where theta gives them.
  package let ropeFrequencies: [FloatStorage]
  package let embeddingNorm: NormWeights?
  package let first: [LayerWeights]
  /// One list of layers per recursion. What the recursions share is the same object in each.
  package let block: [[LayerWeights]]
  package let last: [LayerWeights]
  package let finalNorm: NormWeights?
  /// [V, D]; language models.
  package let languageHead: Projection?
  /// Expert-choice: one per recursion. Token-choice: one.
  package let routers: [RouterWeights]
  package let auxiliaryRouters: [RouterWeights]
  /// [R], token-choice with loss-free balancing; empty without.
  package let routerBias: [Float]
  /// A [D, 2D] with its bias, of a looped model that takes in the first layers' state again.
  package let adapter: Projection?
  /// Of a looped model with the hazard rule: one, or one per recursion.
  package let exitGates: [ExitGate]
  package let raterHead: RaterHeadWeights?
  /// All of the above, as it is written to a prepared file.
  let pieces: [WeightPiece]
  /// The prepared file that they are part of; nil where they were packed in memory.
  package let mappedFile: MappedFile?

  /// Of all products.
  package var matrices: [PackedMatrix] {
    pieces.compactMap { piece in
      if case .matrix(let matrix) = piece.content { matrix } else { nil }
    }
  }
}

/// Gain and bias of a norm, [D] each.
package struct NormWeights: Sendable {
  package let kind: ModelDescription.Norm.Kind
  package let epsilon: Float
  package let gain: FloatStorage
  package let bias: FloatStorage?

  /// As kernels want it; valid while the weights are.
  package var parameters: Norm.Parameters {
    switch kind {
    case .rms: unsafe .rms(weight: gain.base, epsilon: epsilon)
    case .layer: unsafe .layer(weight: gain.base, bias: bias.map { unsafe UnsafePointer($0.base) }, epsilon: epsilon)
    }
  }
}

/// One or several linear maps of the same input, computed as one product.
package struct Projection: Sendable {
  /// The tensors of its parts.
  package let names: [String]
  /// The parts stacked as `matrix.sources`, [out₀ + out₁ + …, in].
  package let matrix: PackedMatrix
  /// [out₀ + out₁ + …].
  package let bias: FloatStorage?
}

/// One transformer layer.
package struct LayerWeights: Sendable {
  package let layer: ModelDescription.Layer
  /// Before the attention, or after its sum; nil where there is none.
  package let inputNorm: NormWeights?
  /// On what the attention adds.
  package let inputBranchNorm: NormWeights?
  /// Parts q [H·K, D], k and v [G·K, D].
  package let attentionInput: Projection
  /// Gains [K] of the heads of q and of k.
  package let headNorms: (query: FloatStorage, key: FloatStorage)?
  /// What the projections of keys and of queries make of distances, [2P, H·K] each; nil where there is none.
  package let distances: (keys: FloatStorage?, queries: FloatStorage?)?
  /// [D, H·K].
  package let attentionOutput: Projection
  /// Before the feed-forward, or after its sum.
  package let postNorm: NormWeights?
  /// On what the feed-forward adds.
  package let postBranchNorm: NormWeights?
  /// Parts gate and up [F, D], or up alone.
  package let feedForwardInput: Projection
  /// [D, F].
  package let feedForwardOutput: Projection
}

/// z = W x, or z = W₂ · gelu(W₁ x).
package struct RouterWeights: Sendable {
  /// W₁ [2D, D] of an MLP router.
  package let hidden: Projection?
  /// W [outputs, D] or W₂ [outputs, 2D], row-major.
  package let output: FloatStorage
  package let outputCount: Int
}

/// z = w · x + b.
package struct ExitGate: Sendable {
  /// [D]
  package let weight: FloatStorage
  package let bias: Float
}

/// z = W x + b, or W norm(act(V x + c)) + b; or nothing.
package struct RaterHeadWeights: Sendable {
  /// V [M, D] with bias, of an MLP head.
  package let hidden: Projection?
  /// After the activation, where the head has one.
  package let norm: NormWeights?
  /// W [n, D] or [n, M], row-major.
  package let output: FloatStorage
  /// b [n].
  package let bias: FloatStorage
}
