/// Makes plain words of a text, as `BertNormalizer` of the Hugging Face library does.
///
/// In this order: control characters go and white space becomes spaces; ideographs get spaces around them; characters are
/// taken apart and their accents go; letters become small. Each step is there or not. A byte that is not part of valid
/// UTF-8 counts as U+FFFD, which the first step drops.
struct BertNormalizer: Sendable {
  private let table = BertTable.shared
  private let rules: WordPieceRules

  init(_ rules: WordPieceRules) { self.rules = rules }

  /// The normalised text, valid UTF-8. O(n), but for a run of accents that stay, which is sorted.
  func normalize(_ text: Span<UInt8>) -> [UInt8] {
    var output = Output()
    output.bytes.reserveCapacity(text.count + 8)
    var position = 0
    while position < text.count {
      if case .scalar(let scalar, let byteCount) = text.symbol(at: position) {
        clean(scalar, into: &output)
        position += byteCount
      } else {
        clean(0xFFFD, into: &output)
        position += 1
      }
    }
    end(&output)
    return output.bytes
  }

  /// What was written, and the accents after it that are not in order yet.
  private struct Output {
    var bytes: [UInt8] = []
    var accents: [(order: UInt32, scalar: UInt32)] = []
  }

  private func clean(_ scalar: UInt32, into output: inout Output) {
    guard rules.cleansText else { return separate(scalar, into: &output) }
    switch table[scalar].cleaning {
    case .kept: separate(scalar, into: &output)
    case .space: separate(0x20, into: &output)
    case .dropped: break
    }
  }

  private func separate(_ scalar: UInt32, into output: inout Output) {
    guard rules.separatesIdeographs, BertTable.isIdeograph(scalar) else { return strip(scalar, into: &output) }
    strip(0x20, into: &output)
    strip(scalar, into: &output)
    strip(0x20, into: &output)
  }

  private func strip(_ scalar: UInt32, into output: inout Output) {
    guard rules.stripsAccents else { return lower(scalar, into: &output) }
    if scalar < 0x80 {
      end(&output)
      lower(scalar, into: &output)
    } else if HangulSyllable.range.contains(scalar) {
      end(&output)
      for jamo in HangulSyllable.jamos(of: scalar) { lower(jamo, into: &output) }
    } else if table[scalar].decomposes {
      for part in table.decomposed[scalar] { order(part, into: &output) }
    } else {
      order(scalar, into: &output)
    }
  }

  /// A scalar that cannot be taken apart further.
  private func order(_ scalar: UInt32, into output: inout Output) {
    switch table[scalar].mark {
    case .none:
      end(&output)
      lower(scalar, into: &output)
    case .dropped: break
    case .droppedStarter: end(&output)
    case .ordered: output.accents.append((table.order(of: scalar), scalar))
    }
  }

  /// Writes the accents that wait: by their classes, those of one class as they came.
  private func end(_ output: inout Output) {
    guard !output.accents.isEmpty else { return }
    let sorted = output.accents.enumerated().sorted {
      ($0.element.order, $0.offset) < ($1.element.order, $1.offset)
    }
    output.accents.removeAll(keepingCapacity: true)
    for accent in sorted { lower(accent.element.scalar, into: &output) }
  }

  private func lower(_ scalar: UInt32, into output: inout Output) {
    if rules.lowercases, table[scalar].lowercases {
      for small in table.lower[scalar] { output.bytes.append(scalar: small) }
    } else {
      output.bytes.append(scalar: scalar)
    }
  }
}
