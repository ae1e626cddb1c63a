import Models

/// What kind of units matrices share.
package enum UnitKind: Sendable, Equatable {
  /// Of a feed-forward layer: rows of gate and up, columns of down.
  case feedForward
  /// Whole groups of heads with their keys and values; where there is one group, its query heads.
  case heads
  /// Numbers of the residual stream: columns of the embedding.
  case residual
  /// Of the output head: judged apart, for heads are often made again.
  case head
}

/// What a tensor's name says about its units.
struct UnitRole {
  var kind: UnitKind
  var layout: UnitLayout
  /// What stands before the suffix, without the dot.
  var layer: Substring
  /// The same for the same tensor of every layer.
  var suffix: String

  /// Nil for tensors whose units cannot be told, such as norms and biases, and for rows of a vocabulary.
  ///
  /// - Parameter heads: nil leaves attention out.
  init?(name: String, heads: HeadGeometry?) {
    for (kind, suffixes, layout) in Self.table(heads) {
      guard let suffix = suffixes.first(where: { name == $0 || name.hasSuffix("." + $0) }) else { continue }
      guard let layout else { return nil }
      (self.kind, self.layout, self.suffix) = (kind, layout, suffix)
      layer = name.dropLast(suffix.count)
      if layer.last == "." { layer.removeLast() }
      return
    }
    return nil
  }

  /// Names of Rally and of Hugging Face's Llama-like and BERT-like models. A longer name stands before its own end.
  private static func table(_ heads: HeadGeometry?) -> [(UnitKind, [String], UnitLayout?)] {
    var (queries, keys): (Int?, Int?) = (nil, nil)
    if let heads {
      let isGrouped = heads.groupCount > 1
      queries = isGrouped ? heads.headCount / heads.groupCount * heads.width : heads.width
      keys = isGrouped ? heads.width : nil
    }
    return [
      (.heads, ["self_attn.q_proj.weight", "attention.self.query.weight"], queries.map { .rows(span: $0) }),
      (
        .heads,
        [
          "self_attn.k_proj.weight", "self_attn.v_proj.weight", "attention.self.key.weight",
          "attention.self.value.weight",
        ], keys.map { .rows(span: $0) }
      ),
      (.heads, ["self_attn.o_proj.weight", "attention.output.dense.weight"], queries.map { .columns(span: $0) }),
      (
        .feedForward, ["mlp.gate_proj.weight", "mlp.up_proj.weight", "intermediate.dense.weight"], .rows(span: 1)
      ),
      (.feedForward, ["mlp.down_proj.weight", "output.dense.weight"], .columns(span: 1)),
      (.residual, ["embed_tokens.weight", "word_embeddings.weight"], .columns(span: 1)),
      (.head, ["lm_head.weight"], .columns(span: 1)),
      (.head, ["head.0.weight"], .rows(span: 1)),
    ]
  }
}
