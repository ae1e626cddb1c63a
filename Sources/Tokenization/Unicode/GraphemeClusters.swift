/// Extended grapheme clusters (Unicode Standard Annex 29), as the Hugging Face library cuts them.
struct GraphemeClusters: Sendable {
  private let table = UnicodeTable.shared

  /// The end of the cluster that starts at `start`. A byte that is not part of valid UTF-8 is a cluster of its own.
  func end(in text: Span<UInt8>, from start: Int) -> Int {
    guard case .scalar(let first, let byteCount) = text.symbol(at: start) else { return start + 1 }
    var state = State(first, table.cluster(of: first))
    var position = start + byteCount
    if first == 0x0D, position < text.count, text[position] == 0x0A { return position + 1 }
    if state.last.controls { return position }
    while position < text.count, case .scalar(let scalar, let byteCount) = text.symbol(at: position) {
      let next = table.cluster(of: scalar)
      guard !next.controls, state.joins(scalar, next) else { break }
      state.take(scalar, next)
      position += byteCount
    }
    return position
  }

  /// Whether nothing joins a scalar but what extends it, and it extends nothing: it need not be looked at together with
  /// others of its kind.
  func isAlone(_ scalar: UInt32) -> Bool {
    let own = table.cluster(of: scalar)
    guard !own.extends, !own.prepends, !own.controls, !State.isFlag(scalar) else { return false }
    switch Hangul(scalar) {
    case .none, .open, .closed: return true
    case .leading, .vowel, .trailing: return false
    }
  }

  /// What of a cluster decides whether it goes on.
  private struct State {
    var last: ClusterClass
    private var hangul: Hangul
    /// A picture, and nothing but Extend after it.
    private var isAfterPicture: Bool
    private var joinsPicture = false
    private var conjunct: Conjunct
    private var flagCount: Int

    private enum Conjunct { case none, consonant, linked }

    init(_ scalar: UInt32, _ first: ClusterClass) {
      last = first
      hangul = Hangul(scalar)
      isAfterPicture = first.isPicture
      conjunct = first.isConsonant ? .consonant : .none
      flagCount = Self.isFlag(scalar) ? 1 : 0
    }

    func joins(_ scalar: UInt32, _ next: ClusterClass) -> Bool {
      last.prepends || next.extends || hangul.joins(Hangul(scalar)) || (joinsPicture && next.isPicture)
        || (conjunct == .linked && next.isConsonant) || (flagCount % 2 == 1 && Self.isFlag(scalar))
    }

    mutating func take(_ scalar: UInt32, _ next: ClusterClass) {
      joinsPicture = isAfterPicture && scalar == 0x200D
      isAfterPicture = next.isPicture || (isAfterPicture && next.extendsPicture)
      if next.isConsonant {
        conjunct = .consonant
      } else if next.isLinker {
        if conjunct != .none { conjunct = .linked }
      } else if !next.extendsConjunct {
        conjunct = .none
      }
      flagCount = Self.isFlag(scalar) ? flagCount + 1 : 0
      hangul = Hangul(scalar)
      last = next
    }

    /// Regional_Indicator: two make a flag.
    static func isFlag(_ scalar: UInt32) -> Bool { (0x1F1E6...0x1F1FF).contains(scalar) }
  }

  /// The parts of Korean syllables.
  private enum Hangul {
    case none, leading, vowel, trailing, open, closed

    init(_ scalar: UInt32) {
      switch scalar {
      case 0x1100...0x115F, 0xA960...0xA97C: self = .leading
      case 0x1160...0x11A7, 0xD7B0...0xD7C6: self = .vowel
      case 0x11A8...0x11FF, 0xD7CB...0xD7FB: self = .trailing
      case 0xAC00...0xD7A3: self = (scalar - 0xAC00) % 28 == 0 ? .open : .closed
      default: self = .none
      }
    }

    func joins(_ next: Hangul) -> Bool {
      switch (self, next) {
      case (.leading, .leading), (.leading, .vowel), (.leading, .open), (.leading, .closed): true
      case (.vowel, .vowel), (.vowel, .trailing), (.open, .vowel), (.open, .trailing): true
      case (.trailing, .trailing), (.closed, .trailing): true
      default: false
      }
    }
  }
}
