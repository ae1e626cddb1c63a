public import Files

/// The map of SentencePiece's normalisers: a double-array trie of what is replaced, and what replaces it.
///
/// Source: `Precompiled` of the Hugging Face library, and darts-clone.
public struct Charsmap: Sendable, Equatable {
  private let units: [UInt32]
  private let replacements: [UInt8]  // each ends with a zero byte
  // 1 for each scalar that stays, and that only what extends it makes a cluster with.
  private var plain = ScalarTable.zeros

  /// Real ones have some 300 kB.
  private static let byteLimit = 16 << 20

  /// SentencePiece's own way: at each place the longest entry. Else as the library reads the map, by grapheme clusters.
  package var matchesLongest = false

  /// - Parameter bytes: the size of the trie in bytes, little-endian, the trie, and the replacements.
  /// - Throws: `invalidTokenizer` for a map with a path that leads out of it.
  public init(_ bytes: [UInt8]) throws(RallyError) {
    guard bytes.count >= 4, bytes.count <= Self.byteLimit else {
      throw Self.error("4 to \(Self.byteLimit) bytes", "\(bytes.count)")
    }
    let size = Int(Self.unit(bytes, at: 0))
    guard size % 4 == 0, size >= 4, size <= bytes.count - 4 else {
      throw Self.error("the size of its trie in the first four bytes", "\(size) in a map of \(bytes.count) bytes")
    }
    units = stride(from: 4, to: 4 + size, by: 4).map { Self.unit(bytes, at: $0) }
    replacements = Array(bytes[(4 + size)...])
    guard String(validating: replacements, as: UTF8.self) != nil else { throw Self.error("replacements in UTF-8", "other bytes") }
    try validate()
    plain = plainScalars()
  }

  /// As they were given to `init`.
  package var bytes: [UInt8] {
    func littleEndian(_ number: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> UInt32(8 * $0)) } }
    return littleEndian(UInt32(units.count * 4)) + units.flatMap(littleEndian) + replacements
  }

  private static func unit(_ bytes: [UInt8], at place: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(bytes[place + $1]) << UInt32(8 * $1) }
  }

  private static func error(_ expected: String, _ found: String) -> RallyError {
    RallyError(
      .invalidTokenizer, "precompiled charsmap", expected: expected, found: found,
      remedy: "convert the model again from its own tokenizer file")
  }

  private static func hasLeaf(_ unit: UInt32) -> Bool { unit >> 8 & 1 != 0 }
  private static func value(_ unit: UInt32) -> Int { Int(unit & 0x7FFF_FFFF) }
  private static func label(_ unit: UInt32) -> UInt32 { unit & 0x8000_00FF }
  private static func offset(_ unit: UInt32) -> Int { Int((unit >> 10) << (unit >> 6 & 8)) }

  /// Walks to every node: each leaf must have a value in the replacements.
  private func validate() throws(RallyError) {
    var seen = [Bool](repeating: false, count: units.count)
    var open = [Self.offset(units[0])]
    while let base = open.popLast() {
      for byte in 1...255 {
        let place = base ^ byte
        guard place < units.count, Self.label(units[place]) == UInt32(byte), !seen[place] else { continue }
        seen[place] = true
        let node = place ^ Self.offset(units[place])
        if Self.hasLeaf(units[place]) {
          guard node < units.count, Self.value(units[node]) < replacements.count,
            replacements[Self.value(units[node])] & 0xC0 != 0x80
          else { throw Self.error("a replacement for every entry", "one that leads out of the map") }
        }
        open.append(node)
      }
    }
  }

  private enum Choice { case first, longest }

  /// What an entry on the way through `text[range]` becomes, though bytes may remain, and where the text goes on; nil without one.
  private func entry(_ choice: Choice, on range: Range<Int>, of text: Span<UInt8>) -> (replacement: ArraySlice<UInt8>, end: Int)? {
    var found: (leaf: Int, end: Int)?
    var node = Self.offset(units[0])
    for index in range {
      let byte = text[index]
      node ^= Int(byte)
      guard byte != 0, node < units.count, Self.label(units[node]) == UInt32(byte) else { break }
      let unit = units[node]
      node ^= Self.offset(unit)
      guard Self.hasLeaf(unit), node < units.count else { continue }
      found = (node, index + 1)
      if choice == .first { break }
    }
    return found.map { (replacement(at: Self.value(units[$0.leaf])), $0.end) }
  }

  private func replacement(at place: Int) -> ArraySlice<UInt8> {
    let start = min(place, replacements.count)
    return replacements[start..<(replacements[start...].firstIndex(of: 0) ?? replacements.count)]
  }

  func replacement(for range: Range<Int>, in text: Span<UInt8>) -> ArraySlice<UInt8>? {
    entry(.first, on: range, of: text)?.replacement
  }

  /// The text with what the map replaces: a grapheme cluster of fewer than six bytes as a whole, else each character.
  func normalize(_ text: [UInt8], _ clusters: GraphemeClusters) -> [UInt8] {
    if matchesLongest { return withLongestReplaced(text) }
    let span = text.span
    var output: [UInt8] = []
    output.reserveCapacity(text.count + 8)
    var position = 0
    while position < span.count {
      let end = plainEnd(in: span, from: position, clusters)
      output += text[position..<end]
      if end < span.count { appendCluster(of: text, from: end, clusters, to: &output, &position) } else { position = end }
    }
    return output
  }

  /// - Complexity: linear in the text, times the map's longest entry.
  private func withLongestReplaced(_ text: [UInt8]) -> [UInt8] {
    let span = text.span
    var output: [UInt8] = []
    output.reserveCapacity(text.count + 8)
    var position = 0
    while position < span.count {
      if let found = entry(.longest, on: position..<span.count, of: span) {
        output += found.replacement
        position = found.end
        continue
      }
      var next = position + 1
      if case .scalar(_, let byteCount) = span.symbol(at: position) { next = position + byteCount }
      output += text[position..<next]
      position = next
    }
    return output
  }

  /// The end of characters that stay, each a cluster of its own.
  private func plainEnd(in text: Span<UInt8>, from start: Int, _ clusters: GraphemeClusters) -> Int {
    var last = start
    var position = start
    while position < text.count, case .scalar(let scalar, let byteCount) = text.symbol(at: position), plain[scalar] != 0 {
      last = position
      position += byteCount
    }
    // What follows may go on with the last cluster.
    return position > start && position < text.count && clusters.end(in: text, from: last) != position ? last : position
  }

  private func appendCluster(
    of text: [UInt8], from start: Int, _ clusters: GraphemeClusters, to output: inout [UInt8], _ position: inout Int
  ) {
    let span = text.span
    let end = clusters.end(in: span, from: start)
    position = end
    if end - start < 6, let found = replacement(for: start..<end, in: span) {
      output += found
      return
    }
    var place = start
    while place < end {
      var next = place + 1
      if case .scalar(_, let byteCount) = span.symbol(at: place) { next = place + byteCount }
      output += replacement(for: place..<next, in: span) ?? text[place..<next]
      place = next
    }
  }

  private func plainScalars() -> ScalarTable {
    var flat = [UInt8](repeating: 0, count: 0x110000)
    let clusters = GraphemeClusters()
    var bytes: [UInt8] = []
    for scalar in UInt32(0)...0x10FFFF where Unicode.Scalar(scalar) != nil && clusters.isAlone(scalar) {
      bytes.removeAll(keepingCapacity: true)
      bytes.append(scalar: scalar)
      if replacement(for: 0..<bytes.count, in: bytes.span) == nil { flat[Int(scalar)] = 1 }
    }
    return ScalarTable(flat)
  }

  public static func == (one: Charsmap, other: Charsmap) -> Bool {
    one.units == other.units && one.replacements == other.replacements && one.matchesLongest == other.matchesLongest
  }
}
