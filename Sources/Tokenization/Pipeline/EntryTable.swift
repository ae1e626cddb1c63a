import Files

/// The entries of a vocabulary by their ids, as text, and the ids of those that the model knows.
struct EntryTable: Sendable {
  private var bytes: [UInt8] = []
  private var ends: [Int] = []  // [V] of each entry in `bytes`
  private(set) var isInModel: [Bool] = []  // [V]
  private var ids: TextTable
  /// Special tokens of several characters: where special tokens are letters, the model does not make them.
  private(set) var isHidden: [Bool]  // [V]

  var count: Int { ends.count }

  /// - Parameters:
  ///   - entries: `[V]`; an empty one stands for an id that no token has.
  ///   - outsideModel: ids of added tokens that the model does not know.
  ///   - maximumByteCount: of an entry.
  /// - Throws: `invalidTokenizer`, naming the entry: too long, or one that stands twice.
  init(
    _ entries: [String], outsideModel: Set<Int32>, special: [Int32], maximumByteCount: Int, allowsRepeats: Bool
  ) throws(RallyError) {
    guard !entries.isEmpty, entries.count <= Int32.max else {
      throw RallyError(.invalidTokenizer, "vocabulary", expected: "1 to \(Int32.max) entries", found: "\(entries.count)")
    }
    isHidden = Array(repeating: false, count: entries.count)
    ids = TextTable(count: entries.count)
    for (place, entry) in entries.enumerated() {
      let id = Int32(place)
      guard entry.utf8.count <= maximumByteCount else {
        throw RallyError(
          .invalidTokenizer, "vocabulary entry \(id)", expected: "at most \(maximumByteCount) bytes", found: "\(entry.utf8.count)")
      }
      bytes += entry.utf8
      ends.append(bytes.count)
      let knows = !entry.isEmpty && !outsideModel.contains(id)
      isInModel.append(knows)
      guard knows else { continue }
      if let earlier = ids.insert(text(of: id).span, number: id), !allowsRepeats {
        throw RallyError(
          .invalidTokenizer, "vocabulary entry \(id) \(quoted(entry))", expected: "each entry once", found: "it at \(earlier) too")
      }
    }
    for id in special where entries[Int(id)].unicodeScalars.count > 1 { isHidden[Int(id)] = true }
  }

  /// The text of an entry; none after the last.
  func text(of id: Int32) -> ArraySlice<UInt8> {
    guard Int(id) < count else { return [] }
    return bytes[(id == 0 ? 0 : ends[Int(id) - 1])..<ends[Int(id)]]
  }

  /// The id that the model knows a text by.
  func id(of text: Span<UInt8>) -> Int32? { ids.number(of: text) }

  /// The id that the model knows a text by.
  func id(of text: ArraySlice<UInt8>) -> Int32? { id(of: text.span) }

  /// The ids that the model knows, ascending.
  var modelIDs: [Int32] { isInModel.indices.filter { isInModel[$0] }.map { Int32($0) } }

  /// The tokens `<0x00>` to `<0xFF>`, −1 where there is none.
  func byteTokens() -> [Int32] {
    (UInt8.min...UInt8.max).map { byte in
      let digits = String(byte, radix: 16, uppercase: true)
      return id(of: ArraySlice("<0x\(byte < 16 ? "0" : "")\(digits)>".utf8)) ?? -1
    }
  }

  func check(_ id: Int32, _ name: String) throws(RallyError) {
    guard id >= 0, Int(id) < count, isInModel[Int(id)] else {
      throw RallyError(.invalidTokenizer, name, expected: "an entry that the model knows, below \(count)", found: "\(id)")
    }
  }
}
