import Models

/// What a rater says about documents.
public struct DocumentScores: Sendable {
  /// Mean of the windows' scores, weighted by their tokens, [documents].
  public internal(set) var mean: [Float] = []
  /// The lowest score of a window, [documents].
  public internal(set) var minimum: [Float] = []
  /// What the reading policy makes of the windows: their mean, or the highest or lowest of them, [documents].
  public internal(set) var score: [Float] = []
  /// The same of each output, as probabilities where the rater's rule has some, [documents, n]; empty where not asked for.
  public internal(set) var outputs: [Float] = []
  /// Share of the tokens that were in a window, [documents]; 1 exactly where all were.
  public internal(set) var coverage: [Float] = []
  /// Of every window, document after document.
  public let windows: [Float]
  /// Windows of document i are `windowOffsets[i] ..< windowOffsets[i + 1]`.
  public let windowOffsets: [Int]

  init(windows: [Float], windowOffsets: [Int]) {
    self.windows = windows
    self.windowOffsets = windowOffsets
  }
}
