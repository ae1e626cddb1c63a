import Files

extension ModelDescription.Distances {
  /// The names of the kinds of score in `pos_att_type`.
  private enum Kind: String, CaseIterable { case c2p, p2c }

  init(_ reader: inout MetadataReader) throws(RallyError) {
    guard reader.format > 1 else { throw reader.invalid("positions", "rope, learned, none", "disentangled") }
    bucketCount = try reader.integer("position_buckets", 2...Bound.distances)
    longest = try reader.integer("max_relative_positions", 0...Bound.tokens)
    guard longest == 0 || longest > bucketCount / 2 + 1 else {
      throw reader.invalid("max_relative_positions", "0, or beyond \(bucketCount / 2 + 1)", "\(longest)")
    }
    let kinds = try reader.list("pos_att_type") { (reader, text) throws(RallyError) -> Kind in
      guard let kind = Kind(rawValue: text) else { throw reader.invalid("pos_att_type", "each c2p or p2c", text) }
      return kind
    }
    guard !kinds.isEmpty, Set(kinds).count == kinds.count else {
      throw reader.invalid("pos_att_type", "c2p, p2c or both", kinds.map(\.rawValue).joined(separator: ","))
    }
    meetQueries = kinds.contains(.c2p)
    meetKeys = kinds.contains(.p2c)
  }

  /// Kinds of score that are added up.
  package var kindCount: Int { 1 + (meetQueries ? 1 : 0) + (meetKeys ? 1 : 0) }
}

extension ModelDescription {
  /// Distances are those within a whole row, to both sides, of heads that share nothing.
  func checkDistances(_ reader: MetadataReader) throws(RallyError) {
    guard case .disentangled = positions else { return }
    let fits =
      kind == .rater && !attention.isCausal && attention.headNorm == .none && headCount == keyValueHeadCount
      && storedLayers.allSatisfy { $0.slidingWindow == nil }
    guard !fits else { return }
    throw reader.invalid(
      "positions",
      "rope, learned or none but in a rater that looks both ways, without windows and norms of heads, with as many key-value heads as heads",
      "disentangled")
  }
}
