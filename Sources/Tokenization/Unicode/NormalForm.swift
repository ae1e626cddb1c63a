/// The four normal forms (Unicode Standard Annex 15).
enum NormalForm: String, Sendable, CaseIterable {
  case nfc = "NFC"
  case nfd = "NFD"
  case nfkc = "NFKC"
  case nfkd = "NFKD"

  var composes: Bool { self == .nfc || self == .nfkc }
  var isCompatible: Bool { self == .nfkc || self == .nfkd }
}

extension NormalForm {
  /// The text in this form; bytes that are not part of valid UTF-8 stay, and stop what is alongside them from joining.
  ///
  /// O(n), but for runs of combining marks, which are sorted. Text that is in the form already is copied.
  func normalize(_ text: [UInt8], _ table: NormalizationTable = .shared) -> [UInt8] {
    guard let work = table.work[self] else { return text }
    let span = text.span
    var output: [UInt8] = []
    var copied = 0  // up to here the text is in the output
    var start: Int?  // of the last symbol, where it is kept as it is, and may be joined
    var position = 0
    var buffer = NormalizationBuffer(self)
    while position < span.count {
      if span[position] < 0x80 {
        repeat { position += 1 } while position < span.count && span[position] < 0x80
        start = position - 1
        continue
      }
      guard case .scalar(let scalar, let byteCount) = span.symbol(at: position) else {
        start = nil
        position += 1
        continue
      }
      guard work[scalar] != 0 else {
        start = position
        position += byteCount
        continue
      }
      let first = start ?? position
      output += text[copied..<first]
      position = first
      while position < span.count, case .scalar(let scalar, let byteCount) = span.symbol(at: position),
        position == first || work[scalar] != 0
      {
        buffer.append(scalar, table)
        position += byteCount
      }
      for scalar in buffer.finish(table) { output.append(scalar: scalar) }
      buffer.removeAll()
      copied = position
      start = nil
    }
    if copied == 0 { return text }
    output += text[copied...]
    return output
  }
}
