import Files

/// Byte-pair encoding of pieces: of bytes in GPT-2's alphabet, or of characters.
struct BytePairModel: Sendable {
  private let options: BytePairRules
  private let entries: EntryTable
  /// Pieces are bytes; else they are text.
  let readsBytes: Bool
  private(set) var rules: MergeRules
  /// Without the merges that make special tokens; nil where there is none of them.
  private var letterRules: MergeRules?
  /// The token of a scalar.
  private var scalars = ScalarIndex()
  private let byteTokens: [Int32]  // [256] of `<0xNN>`
  /// Pieces may be cut where a word begins with this, after anything else: no merge crosses that place.
  private let wordMark: [UInt8]?
  /// Entries by the bytes that they spell, where pieces are bytes and may be taken whole.
  private let wholeWords: TextTable?

  /// - Parameters:
  ///   - merges: `left` and `right` each, the first to apply first.
  ///   - readsBytes: the last step spells bytes in GPT-2's alphabet.
  init(
    _ options: BytePairRules, merges: [(left: Int32, right: Int32)], entries: EntryTable, readsBytes: Bool
  ) throws(RallyError) {
    self.options = options
    self.entries = entries
    // A missing byte falls back to those of its character in the alphabet: that is for the text.
    self.readsBytes = readsBytes && !options.fallsBackToBytes
    if let unknown = options.unknownToken { try entries.check(unknown, "unknown token") }
    let found = try Self.resolve(merges, entries)
    rules = MergeRules(byteTokens: Self.alphabetTokens(entries), merges: found)
    let kept = found.filter { !entries.isHidden[Int($0.result)] }
    letterRules = kept.count == found.count ? nil : MergeRules(byteTokens: rules.byteTokens, merges: kept)
    byteTokens = entries.byteTokens()
    for id in entries.modelIDs {
      let text = Array(entries.text(of: id))
      if case .scalar(let scalar, let byteCount) = text.span.symbol(at: 0), byteCount == text.count {
        scalars[scalar] = id
      }
    }
    wholeWords = self.readsBytes && options.ignoresMerges ? Self.wholeWords(entries) : nil
    wordMark = self.readsBytes || options.ignoresMerges ? nil : Self.wordMark(found, entries)
    // Pieces are long where nothing cuts them.
    if !self.readsBytes, wordMark == nil {
      let symbols = Set(byteTokens + [options.unknownToken ?? -1])
      rules.findNeighbours(symbols: symbols)
      letterRules?.findNeighbours(symbols: symbols)
    }
  }

  private static func alphabetTokens(_ entries: EntryTable) -> [Int32] {
    (UInt8.min...UInt8.max).map { entries.id(of: ArraySlice(ByteAlphabet.text(of: [$0]).utf8)) ?? -1 }
  }

  /// An entry with a character outside of the alphabet spells no bytes.
  private static func wholeWords(_ entries: EntryTable) -> TextTable {
    var words = TextTable(count: entries.count)
    for id in entries.modelIDs {
      let scalars = String(decoding: entries.text(of: id), as: UTF8.self).unicodeScalars
      let bytes = scalars.compactMap { ByteAlphabet.byte(of: $0) }
      if bytes.count == scalars.count { _ = words.insert(bytes.span, number: id) }
    }
    return words
  }

  private static func resolve(
    _ merges: [(left: Int32, right: Int32)], _ entries: EntryTable
  ) throws(RallyError) -> [MergeRules.Merge] {
    var found: [MergeRules.Merge] = []
    found.reserveCapacity(merges.count)
    var seen = PairTable(count: merges.count)
    for (rank, merge) in merges.enumerated() {
      try entries.check(merge.left, "left side of merge \(rank)")
      try entries.check(merge.right, "right side of merge \(rank)")
      let text = entries.text(of: merge.left) + entries.text(of: merge.right)
      guard let result = entries.id(of: text[...]) else {
        throw RallyError(
          .invalidTokenizer, "merge \(rank)", expected: "a result in the vocabulary",
          found: quoted(String(decoding: text, as: UTF8.self)) + ", which is not")
      }
      guard seen.insert(merge.left, merge.right, number: 0) else {
        throw RallyError(.invalidTokenizer, "merge \(rank)", expected: "each pair once", found: "it earlier too")
      }
      found.append(MergeRules.Merge(left: merge.left, right: merge.right, result: result))
    }
    return found
  }

  /// `▁`, where it is an entry and no merge puts it after another character.
  private static func wordMark(_ merges: [MergeRules.Merge], _ entries: EntryTable) -> [UInt8]? {
    let mark = Array("\u{2581}".utf8)
    guard entries.id(of: mark[...]) != nil else { return nil }
    for merge in merges {
      let left = entries.text(of: merge.left)
      if entries.text(of: merge.right).starts(with: mark), !left.suffix(mark.count).elementsEqual(mark) { return nil }
    }
    return mark
  }

  /// Appends the tokens of pieces in turn.
  ///
  /// - Parameter hidesSpecial: the model makes no special tokens.
  /// - Complexity: O(n log n) in the bytes of a word, which may be the whole piece.
  func append(
    _ pieces: [Range<Int>], of text: Span<UInt8>, hidesSpecial: Bool, _ cache: inout WordCache, _ merger: inout WordMerger,
    to tokens: inout [Int32]
  ) {
    for range in pieces {
      forEachWord(of: text.extracting(range)) { word in
        cache.append(word, variant: hidesSpecial, to: &tokens) { append(word, hidesSpecial, &merger, to: &$0) }
      }
    }
  }

  @inline(__always)
  private func forEachWord(of piece: Span<UInt8>, _ body: (Span<UInt8>) -> Void) {
    guard let wordMark else { return body(piece) }
    var start = 0
    var wasMark = true
    var position = 0
    while position < piece.count {
      let isMark = piece[position] == wordMark[0] && piece.holds(wordMark, at: position)
      if isMark, !wasMark {
        body(piece.extracting(start..<position))
        start = position
      }
      wasMark = isMark
      position += isMark ? wordMark.count : 1
    }
    body(piece.extracting(start..<piece.count))
  }

  private func append(_ word: Span<UInt8>, _ hidesSpecial: Bool, _ merger: inout WordMerger, to tokens: inout [Int32]) {
    if options.ignoresMerges, let whole = whole(word), !hidesSpecial || !entries.isHidden[Int(whole)] {
      tokens.append(whole)
      return
    }
    if hidesSpecial, let letterRules {
      merger.merge(with: letterRules, into: &tokens) { appendSymbols(of: word, to: &$0) }
    } else {
      merger.merge(with: rules, into: &tokens) { appendSymbols(of: word, to: &$0) }
    }
  }

  private func whole(_ word: Span<UInt8>) -> Int32? {
    if let wholeWords { wholeWords.number(of: word) } else { entries.id(of: word) }
  }

  private func appendSymbols(of word: Span<UInt8>, to tokens: inout [Int32]) {
    var isUnknownPending = false
    var position = 0
    while position < word.count {
      var byteCount = 1
      var token: Int32 = -1
      if readsBytes {
        token = rules.byteTokens[Int(word[position])]
      } else if case .scalar(let scalar, let count) = word.symbol(at: position) {
        byteCount = count
        token = scalars[scalar]
      }
      if token >= 0 {
        if isUnknownPending, let unknown = options.unknownToken { tokens.append(unknown) }
        isUnknownPending = false
        tokens.append(token)
      } else if !appendBytes(word.extracting(position..<position + byteCount), to: &tokens), let unknown = options.unknownToken {
        // As there: an unknown token waits for the next known one, and bytes pass it by.
        if isUnknownPending, !options.fusesUnknown { tokens.append(unknown) }
        isUnknownPending = true
      }
      position += byteCount
    }
    if isUnknownPending, let unknown = options.unknownToken { tokens.append(unknown) }
  }

  private func appendBytes(_ symbol: Span<UInt8>, to tokens: inout [Int32]) -> Bool {
    guard options.fallsBackToBytes else { return false }
    for index in 0..<symbol.count where byteTokens[Int(symbol[index])] < 0 { return false }
    for index in 0..<symbol.count { tokens.append(byteTokens[Int(symbol[index])]) }
    return true
  }
}

extension BytePairModel {
  static func == (one: BytePairModel, other: BytePairModel) -> Bool {
    one.options == other.options && one.rules.merges.elementsEqual(other.rules.merges) { $0.left == $1.left && $0.right == $1.right }
  }
}
