public import Files

// The bytes of a distribution; numbers are little-endian.
//
//     0…7      "RALLYCDF"
//     8…15     format version
//     16…23    capacity
//     24…31    scores that were added, n
//     32…47    ranks may be too high by, too low by
//     48…55    least and greatest score, f32 each
//     56…63    bytes of the label
//     64…71    levels
//     72…      label · for each level: number of scores u64, scores f32
//     last 32  SHA-256 of all before
extension Distribution {
  private static let magic: [UInt8] = Array("RALLYCDF".utf8)
  private static let version: UInt64 = 1
  private static let headerByteCount = 72
  private static let digestByteCount = 32

  /// All of it, to be read by `init(bytes:)` on any machine. The same distribution gives the same bytes.
  public func bytes() -> [UInt8] {
    var bytes = Self.magic
    for word in [Self.version, UInt64(capacity), UInt64(count), excess, deficit] { bytes += littleEndian(word) }
    bytes += littleEndian(UInt64(minimum.bitPattern) | UInt64(maximum.bitPattern) << 32)
    for word in [UInt64(label.utf8.count), UInt64(levels.count)] { bytes += littleEndian(word) }
    bytes += label.utf8
    for scores in levels {
      bytes += littleEndian(UInt64(scores.count))
      for score in scores { bytes += littleEndian(UInt64(score.bitPattern))[..<4] }
    }
    return bytes + SHA256.digest(bytes)
  }

  /// - Throws: `corruptFile` for bytes that are no distribution, or were changed or cut; `unsupportedVersion`.
  public init(bytes: [UInt8]) throws(RallyError) {
    guard bytes.starts(with: Self.magic), bytes.count >= Self.headerByteCount + Self.digestByteCount else {
      throw .corruptDistribution("the bytes of a distribution", "other bytes")
    }
    var reader = ByteReader(bytes.dropLast(Self.digestByteCount).dropFirst(Self.magic.count))
    let version = try reader.word()
    guard version == Self.version else {
      throw RallyError(.unsupportedVersion, "distribution", expected: "version \(Self.version)", found: "\(version)")
    }
    guard bytes.suffix(Self.digestByteCount).elementsEqual(SHA256.digest(bytes.dropLast(Self.digestByteCount))) else {
      throw .corruptDistribution("the checksum that was saved", "another; the bytes have changed")
    }
    let (capacity, count) = (try reader.count(), try reader.count())
    let (excess, deficit) = (try reader.word(), try reader.word())
    let (minimum, maximum) = (try reader.float(), try reader.float())
    let (labelByteCount, levelCount) = (try reader.count(), try reader.count())
    guard let label = String(validating: try reader.take(labelByteCount), as: UTF8.self) else {
      throw .corruptDistribution("a label in UTF-8", "other bytes")
    }
    do throws(RallyError) { try self.init(label: label, capacity: capacity) } catch {
      throw .corruptDistribution("\(error.subject): \(error.expected)", error.found)
    }
    self.count = count
    (self.excess, self.deficit) = (excess, deficit)
    (self.minimum, self.maximum) = (minimum, maximum)
    levels = []
    guard 1...53 ~= levelCount else { throw .corruptDistribution("1 to 53 levels", "\(levelCount)") }
    for _ in 0..<levelCount { levels.append(try reader.floats()) }
    try checkConsistency(isAtEnd: reader.isAtEnd)
  }

  /// Whoever wrote the checksum may still have written nonsense.
  private func checkConsistency(isAtEnd: Bool) throws(RallyError) {
    guard isAtEnd else { throw .corruptDistribution("the end after the last level", "more bytes") }
    guard count <= 1 << 53, levels.allSatisfy({ $0.count <= capacity }) else {
      throw .corruptDistribution("levels of at most \(capacity) scores", "more")
    }
    // 53 levels of at most 2^20 scores: the sum stays below 2^73.
    let sum = levels.enumerated().reduce(Int128(0)) { $0 + Int128($1.element.count) << Int128($1.offset) }
    guard sum == Int128(count) else { throw .corruptDistribution("\(count) scores", "\(sum)") }
    guard max(excess, deficit) <= Self.errorLimit else { throw .corruptDistribution("errors of ranks", "larger numbers") }
    let isInside = levels.joined().allSatisfy { $0 >= minimum && $0 <= maximum }
    guard isInside, count > 0 || minimum.isNaN && maximum.isNaN else {
      throw .corruptDistribution("scores from \(minimum) to \(maximum)", "others")
    }
  }
}

/// Takes numbers from the front of bytes.
private struct ByteReader {
  private var bytes: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

  var isAtEnd: Bool { bytes.isEmpty }

  mutating func take(_ count: Int) throws(RallyError) -> ArraySlice<UInt8> {
    guard count <= bytes.count else { throw .corruptDistribution("\(count) bytes more", "\(bytes.count)") }
    defer { bytes = bytes.dropFirst(count) }
    return bytes.prefix(count)
  }

  mutating func word() throws(RallyError) -> UInt64 {
    try take(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  mutating func count() throws(RallyError) -> Int {
    let word = try word()
    guard let count = Int(exactly: word) else { throw .corruptDistribution("a count", "\(word)") }
    return count
  }

  mutating func float() throws(RallyError) -> Float {
    Float(bitPattern: try take(4).reversed().reduce(0) { $0 << 8 | UInt32($1) })
  }

  /// A number and as many floats.
  mutating func floats() throws(RallyError) -> [Float] {
    let count = try count()
    guard count <= bytes.count / 4 else { throw .corruptDistribution("\(count) scores more", "\(bytes.count) bytes") }
    var floats: [Float] = []
    for _ in 0..<count { floats.append(try float()) }
    return floats
  }
}

extension RallyError {
  fileprivate static func corruptDistribution(_ expected: String, _ found: String) -> RallyError {
    RallyError(.corruptFile, "distribution", expected: expected, found: found)
  }
}
