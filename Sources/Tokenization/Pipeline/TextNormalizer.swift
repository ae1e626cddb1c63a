/// One step after the other.
struct TextNormalizer: Sendable {
  private let steps: [NormalizerStep]
  private let clusters = GraphemeClusters()

  init(_ steps: [NormalizerStep]) { self.steps = steps }

  var isEmpty: Bool { steps.isEmpty }

  /// - Returns: the text, and whether what stood at its beginning was dropped.
  /// - Complexity: each step is linear in the text, but for runs of combining marks, which are sorted.
  func normalize(_ text: [UInt8], _ matcher: inout ExpressionMatcher) -> (bytes: [UInt8], dropsStart: Bool) {
    var text = text
    var dropsStart = false
    for step in steps where !text.isEmpty {
      dropsStart = dropsStart || Self.dropsStart(step, of: text.span)
      text = apply(step, to: text, &matcher)
    }
    return (text, dropsStart)
  }

  private static func dropsStart(_ step: NormalizerStep, of text: Span<UInt8>) -> Bool {
    let (first, _) = text.scalar(at: 0)
    switch step {
    case .strip(let left, _): return left && BertTable.shared[first].kind == .space
    case .stripAccents: return UnicodeTable.shared.isMark(first)
    case .nmt: return nmt(first) == nil
    case .bert(let rules): return rules.cleansText && BertTable.shared[first].cleaning == .dropped
    default: return false
    }
  }

  private func apply(_ step: NormalizerStep, to text: [UInt8], _ matcher: inout ExpressionMatcher) -> [UInt8] {
    switch step {
    case .nfc: NormalForm.nfc.normalize(text)
    case .nfd: NormalForm.nfd.normalize(text)
    case .nfkc: NormalForm.nfkc.normalize(text)
    case .nfkd: NormalForm.nfkd.normalize(text)
    case .lowercase: Self.lowercased(text)
    case .stripAccents: Self.withoutMarks(text)
    case .bert(let rules):
      BertNormalizer(
        WordPieceRules(
          cleansText: rules.cleansText, separatesIdeographs: rules.separatesIdeographs, stripsAccents: rules.stripsAccents,
          lowercases: rules.lowercases, unknownToken: 0)
      ).normalize(text.span)
    case .precompiled(let map): map.normalize(text, clusters)
    case .strip(let left, let right): Self.stripped(text, left: left, right: right)
    case .prepend(let prefix): Array(prefix.utf8) + text
    case .replace(let pattern, let content): Self.replaced(pattern, by: Array(content.utf8), in: text, &matcher)
    case .nmt: Self.rewrite(text, keeps: { Self.nmt($0) == $0 }) { if let found = Self.nmt($0) { $1.append(scalar: found) } }
    }
  }

  /// The text with some of its scalars rewritten; what lies between them is copied as a whole, bytes that are part of none too.
  ///
  /// - Parameter body: appends what a scalar becomes that does not stay.
  @inline(__always)
  private static func rewrite(
    _ text: [UInt8], keeps: (UInt32) -> Bool, _ body: (UInt32, inout [UInt8]) -> Void
  ) -> [UInt8] {
    let span = text.span
    var output: [UInt8] = []
    var copied = 0
    var position = 0
    while position < span.count {
      guard case .scalar(let scalar, let byteCount) = span.symbol(at: position) else {
        position += 1
        continue
      }
      if !keeps(scalar) {
        if copied == 0 { output.reserveCapacity(text.count + 8) }
        output += text[copied..<position]
        body(scalar, &output)
        copied = position + byteCount
      }
      position += byteCount
    }
    if copied == 0 { return text }
    output += text[copied...]
    return output
  }

  private static func withoutMarks(_ text: [UInt8]) -> [UInt8] {
    let table = UnicodeTable.shared
    return rewrite(text, keeps: { $0 < 0x80 || !table.isMark($0) }, { _, _ in })
  }

  private static func lowercased(_ text: [UInt8]) -> [UInt8] {
    let table = BertTable.shared
    return rewrite(text, keeps: { !table[$0].lowercases }) { scalar, output in
      if scalar < 0x80 { return output.append(UInt8(scalar | 0x20)) }
      for small in table.lower[scalar] { output.append(scalar: small) }
    }
  }

  private static func stripped(_ text: [UInt8], left: Bool, right: Bool) -> [UInt8] {
    let span = text.span
    let start = left ? WhiteSpace.end(in: span, from: 0) : 0
    let end = right ? WhiteSpace.start(in: span, before: span.count, downTo: start) : span.count
    return Array(text[start..<end])
  }

  private static func replaced(
    _ pattern: TextPattern, by content: [UInt8], in text: [UInt8], _ matcher: inout ExpressionMatcher
  ) -> [UInt8] {
    var output: [UInt8] = []
    if case .text(let wanted) = pattern, let byte = wanted.utf8.first, wanted.utf8.count == 1 {
      output.append(text.span, replacing: byte, by: content)
      return output
    }
    var copied = 0
    pattern.forEachMatch(in: text.span, &matcher) { match in
      if output.isEmpty { output.reserveCapacity(text.count + 8) }
      output += text[copied..<match.lowerBound]
      output += content
      copied = match.upperBound
    }
    if copied == 0, output.isEmpty { return text }
    output += text[copied...]
    return output
  }

  private static func nmt(_ scalar: UInt32) -> UInt32? {
    switch scalar {
    case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: nil
    case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD: 0x20
    default: scalar
    }
  }
}
