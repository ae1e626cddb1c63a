import Files

/// Reads what `PreparedBytesWriter` wrote, and believes nothing.
@safe
struct PreparedBytesReader {
  private let path: String
  @unsafe private let bytes: UnsafeRawBufferPointer
  private var place = 0

  /// - Parameter bytes: read as long as this is in use.
  @unsafe
  init(_ bytes: UnsafeRawBufferPointer, path: String) {
    unsafe self.bytes = bytes
    self.path = path
  }

  private var left: Int { unsafe bytes.count - place }
  /// Nothing but zeros up to the end.
  var isAtEnd: Bool { unsafe bytes[place...].allSatisfy { $0 == 0 } }

  mutating func bits() throws(RallyError) -> UInt64 {
    guard left >= 8 else { throw cut("a number") }
    defer { place += 8 }
    return unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
  }

  mutating func number() throws(RallyError) -> Int { Int(Int64(bitPattern: try bits())) }

  /// A number that is at least 0 and at most `limit`.
  mutating func number(_ what: String, upTo limit: Int) throws(RallyError) -> Int {
    let number = try number()
    guard number >= 0, number <= limit else { throw error("\(what) from 0 to \(limit)", "\(number)") }
    return number
  }

  mutating func list() throws(RallyError) -> [UInt8] {
    let count = try number("a length", upTo: left)
    defer { place += count }
    return unsafe Array(bytes[place..<place + count])
  }

  mutating func text() throws(RallyError) -> String {
    guard let text = String(validating: try list(), as: UTF8.self) else { throw error("text in UTF-8", "other bytes") }
    return text
  }

  /// - Parameter body: reads one element, which takes at least eight bytes.
  mutating func list<Element>(
    _ body: (inout PreparedBytesReader) throws(RallyError) -> Element
  ) throws(RallyError) -> [Element] {
    let count = try number("a count", upTo: left / 8)
    var list: [Element] = []
    list.reserveCapacity(count)
    for _ in 0..<count { list.append(try body(&self)) }
    return list
  }

  func error(_ expected: String, _ found: String) -> RallyError {
    RallyError(
      .corruptFile, path, expected: "\(expected) at byte \(place) of its description", found: found,
      remedy: "prepare it again from the original")
  }

  private func cut(_ what: String) -> RallyError { error(what, "the end") }
}
