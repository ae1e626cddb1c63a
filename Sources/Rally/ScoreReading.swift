import Files

/// How documents are read that become scores: what parts distributions that do not belong together.
public struct ScoreReading: Sendable, Equatable {
  /// Tokens of a packed row that is rated whole; nil: documents, window by window.
  public var rowTokenCount: Int?
  /// nil: the model's longest row.
  public var windowTokenCount: Int?
  /// nil: the window.
  public var stride: Int?
  /// nil: all.
  public var maximumWindowCount: Int?
  /// Whatever else parts scores, `key=value` by `key=value`, a space between.
  public var more = ""

  public init() {}

  func check() throws(RallyError) {
    for pair in more.split(separator: " ", omittingEmptySubsequences: false) where !more.isEmpty {
      let parts = pair.split(separator: "=", omittingEmptySubsequences: false)
      guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }), pair.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
        throw RallyError(
          .invalidArgument, "more", expected: "key=value pairs with one space between", found: "'\(more)'")
      }
    }
  }
}
