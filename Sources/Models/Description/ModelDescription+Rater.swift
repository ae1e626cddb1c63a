public import Kernels

extension ModelDescription {
  /// What a rater makes of its residual streams: pooling, head, outputs, and one score.
  public struct Rater: Sendable, Equatable {
    public enum FinalNorm: String, Sendable, CaseIterable {
      case none
      /// Before pooling.
      case tokens
      /// After it.
      case pooled
    }
    public enum Pooling: String, Sendable, CaseIterable {
      case mean
      /// The first token.
      case first = "cls"
      case last
      /// The mean of what the first layer of an MLP head makes of each token.
      case late
    }
    public enum Head: Sendable, Equatable {
      /// There are no outputs: the pooled states are what the model gives.
      case absent
      case linear
      case mlp(Activation)
    }
    /// Never applied for ranking.
    public enum Squash: Sendable, Equatable {
      case none
      /// sigmoid(z / temperature)
      case sigmoid(temperature: Double)
      /// The same, then held within the bounds.
      case clamp(temperature: Double, minimum: Double, maximum: Double)
    }
    /// What one row was in training.
    public enum Packing: String, Sendable, CaseIterable {
      case document, packed
    }
    /// A norm follows the embeddings.
    public var normalizesEmbeddings: Bool
    public var finalNorm: FinalNorm
    public var pooling: Pooling
    /// `pooling` `last` reads the last token that is not this one.
    public var padToken: Int32?
    public var head: Head
    /// A norm follows the activation of an MLP head.
    public var headHasNorm: Bool
    /// One per output, n; none without a head.
    public var labels: [String]
    public var score: ScoreRule
    /// Bounds of the score that is reported as a whole number, too.
    public var integerScore: ClosedRange<Double>?
    public var squash: Squash
    public var reading: Reading
    /// What documents are made of, such as `{url}\n\n{text}`; for people and programs that read corpora.
    public var textTemplate: String?
    public var packing: Packing
    /// What made the scores, for people.
    public var scoreProvenance: String
    /// The recommended ρ, in [0, 1).
    public var discardFraction: Double?

    /// n
    public var outputCount: Int { labels.count }
  }
}

extension ModelDescription.Rater {
  /// How one score comes from the outputs z, [n].
  public enum ScoreRule: Sendable, Equatable {
    /// z of one label.
    case logit(Int)
    /// Σ values · softmax(z), [n].
    case expectation([Double])
    /// softmax(z) of one label; nil: probabilities that exclude each other, of which none is the score.
    case softmax(Int?)
    /// sigmoid(z) of one label; nil: probabilities of which none is the score.
    case sigmoid(Int?)
    /// The outputs are no probabilities and none of them is the score.
    case none

    public var name: String {
      switch self {
      case .logit: "logit"
      case .expectation: "expectation"
      case .softmax: "softmax"
      case .sigmoid: "sigmoid"
      case .none: "none"
      }
    }

    /// Whether there is one number to rank by.
    public var makesScore: Bool {
      switch self {
      case .logit, .expectation: true
      case .softmax(let index), .sigmoid(let index): index != nil
      case .none: false
      }
    }
  }

  /// Which part of a document is read.
  public struct Reading: Sendable, Equatable {
    public enum Part: String, Sendable, CaseIterable {
      /// All of it, window after window.
      case windows
      /// As many tokens of its beginning as a window has.
      case first
      /// The same of a stretch of characters around its middle.
      case middle
      /// The first and the last window.
      case ends
    }
    /// What several windows make.
    public enum Join: String, Sendable, CaseIterable {
      /// Their mean, weighted by their tokens.
      case mean
      case max, min
    }
    public var part = Part.windows
    /// Tokens of a window, those that the tokenizer adds included; nil for the longest row.
    public var tokenCount: Int?
    /// Unicode scalars that are read: of the beginning, to both sides of the middle, or of each end; nil for all.
    public var characterCount: Int?
    public var join = Join.mean

    public init() {}
  }
}

extension ModelDescription.Rater {
  /// The outputs are made probabilities: the rule has some.
  package var hasProbabilities: Bool {
    switch score {
    case .softmax, .expectation, .sigmoid: true
    case .logit, .none: false
    }
  }
}
