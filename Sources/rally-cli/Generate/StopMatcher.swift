/// Looks for stop texts in text that arrives in pieces.
///
/// Holds back what may be the beginning of one.
struct StopMatcher {
  private let texts: [[UInt8]]
  private var held: [UInt8] = []

  init(_ texts: [String]) { self.texts = texts.map { Array($0.utf8) } }

  /// - Returns: bytes that belong to no stop text, and whether one is complete: then nothing more comes.
  mutating func push(_ piece: [UInt8]) -> (text: [UInt8], stops: Bool) {
    guard !texts.isEmpty else { return (piece, false) }
    held += piece
    for start in held.indices {
      let rest = held[start...]
      if texts.contains(where: { rest.starts(with: $0) }) {
        defer { held = [] }
        return (Array(held[..<start]), true)
      }
      if texts.contains(where: { $0.starts(with: rest) }) {
        defer { held.removeSubrange(..<start) }
        return (Array(held[..<start]), false)
      }
    }
    defer { held = [] }
    return (held, false)
  }

  /// What was held back.
  mutating func finish() -> [UInt8] {
    defer { held = [] }
    return held
  }
}
