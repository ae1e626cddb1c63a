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
  /// The text in this form; bytes that are not part of valid UTF-8 stay, and stop what is beside them from joining.
  ///
  /// O(n), but for runs of combining marks, which are sorted. Text that is in the form already is copied.
  func normalize(_ text: [UInt8], _ table: NormalizationTable = .shared) -> [UInt8] {
    guard let work = table.work[self] else { return text }
    let span = text.span
    var output: [UInt8] = []
    var copied = 0  // up to here the text is in the output
    var start: Int?  // of the last symbol, where it is kept as it is, and may be joined
    var position = 0
    while position < span.count {
      guard span[position] >= 0x80 else {
        start = position
        position += 1
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
      var buffer = NormalizationBuffer(self)
      position = first
      while position < span.count, case .scalar(let scalar, let byteCount) = span.symbol(at: position),
        position == first || work[scalar] != 0
      {
        buffer.append(scalar, table)
        position += byteCount
      }
      for scalar in buffer.finish(table) { output.append(scalar: scalar) }
      copied = position
      start = nil
    }
    if copied == 0 { return text }
    output += text[copied...]
    return output
  }
}

/// Scalars that are being normalised.
struct NormalizationBuffer {
  private let form: NormalForm
  private var scalars: [UInt32] = []
  private var classes: [UInt8] = []

  init(_ form: NormalForm) { self.form = form }

  mutating func append(_ scalar: UInt32, _ table: NormalizationTable) {
    if HangulSyllable.range.contains(scalar) {
      for jamo in HangulSyllable.jamos(of: scalar) { take(jamo, table) }
      return
    }
    var parts = form.isCompatible ? table.compatible[scalar] : []
    if parts.isEmpty { parts = table.canonical[scalar] }
    if parts.isEmpty { return take(scalar, table) }
    for part in parts { take(part, table) }
  }

  private mutating func take(_ scalar: UInt32, _ table: NormalizationTable) {
    scalars.append(scalar)
    classes.append(table.combiningClass(of: scalar))
  }

  /// The scalars in order, composed where the form composes.
  mutating func finish(_ table: NormalizationTable) -> [UInt32] {
    sort()
    if form.composes { compose(table) }
    return scalars
  }

  /// Marks by their classes, those of one class as they came.
  private mutating func sort() {
    var start = 0
    while start < scalars.count {
      var end = start + 1
      if classes[start] != 0 {
        while end < scalars.count, classes[end] != 0 { end += 1 }
        if end - start > 1 { sort(start..<end) }
      }
      start = end
    }
  }

  private mutating func sort(_ range: Range<Int>) {
    let marks = range.map { (order: classes[$0], place: $0, scalar: scalars[$0]) }
      .sorted { ($0.order, $0.place) < ($1.order, $1.place) }
    for (place, mark) in zip(range, marks) {
      scalars[place] = mark.scalar
      classes[place] = mark.order
    }
  }

  private mutating func compose(_ table: NormalizationTable) {
    var starter: Int?  // in the output
    var count = 0  // of the output
    var lastClass: UInt8 = 0  // of what stands between, 0 for nothing
    for index in scalars.indices {
      let (scalar, own) = (scalars[index], classes[index])
      if let place = starter, lastClass < own || lastClass == 0 && place == count - 1,
        let joined = table.composition(scalars[place], scalar)
      {
        scalars[place] = joined
        continue
      }
      scalars[count] = scalar
      classes[count] = own
      if own == 0 {
        starter = count
        lastClass = 0
      } else {
        lastClass = own
      }
      count += 1
    }
    scalars.removeSubrange(count...)
    classes.removeSubrange(count...)
  }
}
