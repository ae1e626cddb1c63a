import Files
public import Models
import Tokenization

/// How documents are cut into windows that a rater's row has room for.
public struct DocumentOptions: Sendable {
  /// Which part of a document is read, and what its windows make together; nil for what the file says.
  public var reading: Reading?
  public var join: Join?
  /// Tokens of a window, those that the tokenizer adds included; nil for what the file says, or the rater's longest row.
  public var windowTokenCount: Int?
  /// Tokens from the beginning of a window to that of the next; nil for windows one after the other.
  public var stride: Int?
  /// Windows of a document at most, spread evenly over it; nil for all.
  public var maximumWindowCount: Int?

  /// `Model.encodeDocument`: Unicode scalars that are read of the beginning, to both sides of the middle, or of each end; nil for
  /// what the file says.
  public var characterCount: Int?
  /// `Model.encodeDocument`: reads special tokens in a text as such; else they are the characters that they are written with.
  public var parsesSpecialTokens = TextSource.anybody.parsesSpecialTokens

  public typealias Reading = ModelDescription.Rater.Reading.Part
  public typealias Join = ModelDescription.Rater.Reading.Join

  public init() {}
}

extension DocumentOptions {
  func windowLength(
    contextLength: Int, frame: TextFrame, reading: ModelDescription.Rater.Reading
  ) throws(RallyError) -> Int {
    let least = frame.tokenCount + 1
    let length = windowTokenCount ?? reading.tokenCount ?? contextLength
    guard length >= least, length <= contextLength else {
      throw RallyError(
        .invalidArgument, "window_tokens", expected: "\(least) to \(contextLength), the rater's longest row",
        found: "\(length)")
    }
    return length
  }

  /// - Throws: `invalidArgument` for numbers below 1, and for those of windows where a document is not read in windows.
  func checkWindows(_ part: Reading) throws(RallyError) {
    for (value, name) in [(stride, "stride_tokens"), (maximumWindowCount, "max_windows")] {
      try Self.checkPositive(value, name)
      guard let value, part != .windows else { continue }
      throw RallyError(
        .invalidArgument, name, expected: "0 where the reading is \(part.rawValue)", found: "\(value)",
        remedy: "ask for the reading windows")
    }
  }

  private static func checkPositive(_ value: Int?, _ name: String) throws(RallyError) {
    guard let value, value < 1 else { return }
    throw RallyError(.invalidArgument, name, expected: "1 or more", found: "\(value)")
  }
}
