public import Kernels
public import Tokenization

/// What a model is, without its weights: the `rally.` keys of its file, typed and checked.
///
/// A description that was read from a file obeys every rule of `docs/format.md` and the bounds of
/// `Bound`, so products of its sizes fit into `Int`. The comments name the keys.
public struct ModelDescription: Sendable, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    case languageModel = "lm"
    case rater
  }

  public var kind: Kind
  public var name: String
  /// V
  public var vocabularySize: Int
  /// D
  public var hiddenSize: Int
  /// H
  public var headCount: Int
  /// G; divides H
  public var keyValueHeadCount: Int
  /// K
  public var headWidth: Int
  /// F
  public var feedForwardSize: Int
  /// Tokens of the longest row.
  public var maximumTokenCount: Int
  public var norm: Norm
  public var feedForward: FeedForward
  public var attention: Attention
  public var positions: Positions
  /// Multiplies the embeddings; nil for nothing.
  public var embeddingScale: Double?
  public var layers: Layers
  /// What differs from layer to layer, [layers.storedCount]: first layers, then those of the block, then last layers.
  public var storedLayers: [Layer]
  public var routing: Routing
  /// What happens between the recursions of a model without a router; nil for nothing.
  public var loop: Loop?
  /// Tokens that end a text besides the tokenizer's `endOfSequence`.
  public var furtherEndTokens: [Int32] = []
  /// The head is the embedding; never for raters.
  public var tiesEmbeddings: Bool
  /// Raters only.
  public var rater: Rater?
  public var tokenizer: Tokenizer?
}

extension ModelDescription {
  public struct Norm: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
      case rms = "rmsnorm"
      case layer = "layernorm"
    }
    public enum Position: String, Sendable, CaseIterable {
      /// x += f(norm(x)).
      case pre
      /// x = norm(x + f(x)).
      case post
      /// x += norm₂(f(norm(x))).
      case sandwich
      /// x += norm₂(f(x)).
      case branch
    }
    public var kind: Kind
    public var epsilon: Double
    public var position: Position
    public var hasBias: Bool
  }

  public struct FeedForward: Sendable, Equatable {
    public var activation: Activation
    /// down(act(gate x) · up x) instead of down(act(up x)).
    public var isGated: Bool
    public var biases: Biases
  }

  /// How the stored layers make up the unrolled ones.
  public struct Layers: Sendable, Equatable {
    public enum Sharing: String, Sendable, CaseIterable {
      case none, cycle, sequence
      case middleCycle = "middle_cycle"
      case middleSequence = "middle_sequence"
    }
    public var sharing: Sharing
    /// Before the block.
    public var firstCount: Int
    /// d
    public var blockCount: Int
    /// After the block.
    public var lastCount: Int
    /// R; 1 for a vanilla model and for raters.
    public var recursionCount: Int

    public var storedCount: Int { firstCount + blockCount + lastCount }
    /// Layers that a token of full depth runs through.
    public var effectiveCount: Int { firstCount + blockCount * recursionCount + lastCount }
    /// The whole block is run R times, instead of each of its layers.
    public var repeatsWholeBlock: Bool { sharing != .sequence && sharing != .middleSequence }
  }

  public enum Routing: Sendable, Equatable {
    case none
    case expert(ExpertRouting)
    case token(TokenRouting)

    public var router: Router? {
      switch self {
      case .none: nil
      case .expert(let expert): expert.router
      case .token(let token): token.router
      }
    }
  }

  public struct Router: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
      /// z = W x
      case linear
      /// z = W₂ gelu(W₁ x), with the error function
      case mlp
    }
    public enum Gating: String, Sendable, CaseIterable {
      case weighted, additive
    }
    public enum KeyValueCache: String, Sendable, CaseIterable {
      /// One per recursion.
      case recursion
      /// Keys and values of recursion 0 for all.
      case shared
      /// Shared, with the rows of the step replaced.
      case hybrid
    }
    public var kind: Kind
    public var alpha: Double
    /// The router sees x / temperature.
    public var temperature: Double
    public var gating: Gating
    public var keyValueCache: KeyValueCache
  }

  public struct ExpertRouting: Sendable, Equatable {
    public enum Function: String, Sendable, CaseIterable {
      case sigmoid, tanh
      /// g = z, without alpha.
      case none
    }
    public var router: Router
    public var function: Function
    /// [R], each in (0, 1].
    public var capacities: [Double]
    /// It decides the threshold selection.
    public var hasAuxiliaryRouter: Bool
  }

  public struct TokenRouting: Sendable, Equatable {
    public enum Function: String, Sendable, CaseIterable {
      case softmax, sigmoid
    }
    public var router: Router
    public var function: Function
    /// `router.bias` is added before the argmax.
    public var hasBias: Bool
  }

  public struct Tokenizer: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
      case bytePair(preTokenizer: TokenizerConfiguration.PreTokenizer, addsPrefixSpace: Bool)
      /// Raters only.
      case wordPiece(WordPieceRules)
      case pipeline(Pipeline)
    }
    /// Steps as a `tokenizer.json` writes them, nil where it has none.
    public struct Pipeline: Sendable, Equatable {
      public var normalizer: String?
      public var preTokenizer: String?
      public var decoder: String?
      public var model: PieceModelRules
    }
    public var kind: Kind
    public var beginningOfSequence: Int32?
    public var endOfSequence: Int32?
    public var addsBeginningOfSequence: Bool
    public var addsEndOfSequence: Bool
  }
}
