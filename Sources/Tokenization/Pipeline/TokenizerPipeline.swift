/// The steps from a text to tokens and back, as a `tokenizer.json` lists them.
public struct TokenizerPipeline: Sendable, Equatable {
  public var normalizers: [NormalizerStep]
  public var preTokenizers: [PreTokenizerStep]
  public var model: PieceModelRules
  public var decoder: TokenDecoder

  public init(
    normalizers: [NormalizerStep], preTokenizers: [PreTokenizerStep], model: PieceModelRules, decoder: TokenDecoder
  ) {
    self.normalizers = normalizers
    self.preTokenizers = preTokenizers
    self.model = model
    self.decoder = decoder
  }
}

/// How a piece of text becomes tokens.
public enum PieceModelRules: Sendable, Equatable {
  case bytePair(BytePairRules)
  /// The most probable tokens; bytes instead of the unknown token where `fallsBackToBytes`.
  case unigram(unknownToken: Int32, fallsBackToBytes: Bool)
  /// The longest tokens from the left; those within a word are written with `prefix`.
  case wordPiece(unknownToken: Int32, prefix: String, maximumWordLength: Int)
}

public struct BytePairRules: Sendable, Equatable {
  /// Of characters that the vocabulary lacks; without it they are left out.
  public var unknownToken: Int32?
  /// `fuse_unk`: neighbouring unknown characters become one token.
  public var fusesUnknown: Bool
  /// `byte_fallback`: unknown characters become their bytes, `<0x00>` to `<0xFF>`.
  public var fallsBackToBytes: Bool
  /// `ignore_merges`: a piece that is an entry is taken whole.
  public var ignoresMerges: Bool

  public init(unknownToken: Int32? = nil, fusesUnknown: Bool = false, fallsBackToBytes: Bool = false, ignoresMerges: Bool = false) {
    self.unknownToken = unknownToken
    self.fusesUnknown = fusesUnknown
    self.fallsBackToBytes = fallsBackToBytes
    self.ignoresMerges = ignoresMerges
  }
}

/// How an added token is found.
public struct AddedTokenFlags: OptionSet, Sendable, Equatable {
  public let rawValue: Int64
  public init(rawValue: Int64) { self.rawValue = rawValue }

  /// It takes the white space before it.
  public static let stripsLeft = AddedTokenFlags(rawValue: 1)
  /// It takes the white space after it.
  public static let stripsRight = AddedTokenFlags(rawValue: 2)
  /// It does not count alongside a letter, a digit, a mark or a low line.
  public static let isSingleWord = AddedTokenFlags(rawValue: 4)
  /// It is looked for in the normalised text, as what it is normalised to.
  public static let isNormalized = AddedTokenFlags(rawValue: 8)
  /// The model knows it, too, and may make it of text that is not cut there.
  public static let isInModel = AddedTokenFlags(rawValue: 16)

  public static let all: AddedTokenFlags = [.stripsLeft, .stripsRight, .isSingleWord, .isNormalized, .isInModel]
}
