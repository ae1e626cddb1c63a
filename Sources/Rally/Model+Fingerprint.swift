extension Model {
  /// Placeholder until the loader hashes the weights.
  var fingerprint: UInt64 { UInt64(truncatingIfNeeded: info.parameterCount) }
}
