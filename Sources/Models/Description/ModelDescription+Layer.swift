// What a layer is made of. The sizes, the norms and the feed-forward are those of the whole model; what may differ from
// layer to layer stands in `Layer`.

extension ModelDescription {
  /// One stored layer.
  public struct Layer: Sendable, Equatable {
    /// The attention's input is normalised; without it, it sees the stream as it is.
    public var hasInputNorm = true
    /// Attention reaches so far; nil for all tokens. Causal: the last so many positions, its own
    /// included; both ways: half as many to either side.
    public var slidingWindow: Int?
    /// Index of the rotary table; nil for a layer that does not rotate.
    public var ropeTable: Int?
  }

  public struct Attention: Sendable, Equatable {
    /// Which of q, k, v and o have a bias.
    public struct Biases: OptionSet, Sendable {
      public let rawValue: UInt8
      public init(rawValue: UInt8) { self.rawValue = rawValue }
      public static let query = Self(rawValue: 1)
      public static let key = Self(rawValue: 2)
      public static let value = Self(rawValue: 4)
      public static let output = Self(rawValue: 8)
      public static let all: Self = [.query, .key, .value, .output]
    }
    public enum HeadNorm: String, Sendable, CaseIterable {
      case none
      /// RMSNorm of each head of q and k, before they are rotated; one gain [K] for all heads of q, one for those of k.
      case head
    }
    public var biases: Biases
    public var headNorm: HeadNorm
    /// A token sees those before it and itself; otherwise the whole row.
    public var isCausal: Bool
  }

  public enum Positions: Sendable, Equatable {
    /// Rotary embedding: what each table rotates by.
    case rope([RotaryTable])
    /// A table `embed_positions.weight`.
    case learned
    /// DeBERTa's: attention to distances, with tables in each layer; raters only.
    case disentangled(Distances)
    case none
  }

  /// Attention to distances: a layer holds what its projections make of a table of them.
  public struct Distances: Sendable, Equatable {
    /// P: the tables have 2P rows.
    public var bucketCount: Int
    /// M, up to which distances share rows by their logarithm; 0 where each has its own.
    public var longest: Int
    /// Queries meet distances, `self_attn.pos_k` [2P, H·K]: "c2p".
    public var meetQueries: Bool
    /// Keys meet distances, `self_attn.pos_q` [2P, H·K]: "p2c".
    public var meetKeys: Bool
  }

  public struct RotaryTable: Sendable, Equatable {
    public enum Frequencies: Sendable, Equatable {
      /// theta^(−2i/K)
      case theta(Double)
      /// The file holds them: `rope.{i}.inv_freq`.
      case stored
    }
    public var frequencies: Frequencies
    /// Multiplies cosines and sines.
    public var attentionFactor: Double

    public init(frequencies: Frequencies, attentionFactor: Double = 1) {
      self.frequencies = frequencies
      self.attentionFactor = attentionFactor
    }
  }
}

extension ModelDescription {
  /// The stored layers by where they stand.
  package var storedGroups: (first: ArraySlice<Layer>, block: ArraySlice<Layer>, last: ArraySlice<Layer>) {
    let end = layers.firstCount + layers.blockCount
    return (storedLayers[..<layers.firstCount], storedLayers[layers.firstCount..<end], storedLayers[end...])
  }
}

extension ModelDescription.FeedForward {
  /// Which of gate, up and down have a bias.
  public struct Biases: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let gate = Self(rawValue: 1)
    public static let up = Self(rawValue: 2)
    public static let down = Self(rawValue: 4)
    public static let all: Self = [.gate, .up, .down]
  }
}
