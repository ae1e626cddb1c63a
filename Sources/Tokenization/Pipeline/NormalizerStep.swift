/// What a tokenizer does to a text before it cuts it; the names are those of the Hugging Face library.
public enum NormalizerStep: Sendable, Equatable {
  case nfc, nfd, nfkc, nfkd
  case lowercase
  case stripAccents
  case bert(BertNormalizerRules)
  case precompiled(Charsmap)
  /// White space at the ends.
  case strip(left: Bool, right: Bool)
  case prepend(String)
  case replace(TextPattern, content: String)
  /// Control characters go, and spaces of other kinds become spaces.
  case nmt
}

/// The steps of `BertNormalizer`.
public struct BertNormalizerRules: Sendable, Equatable {
  public var cleansText: Bool
  public var separatesIdeographs: Bool
  public var stripsAccents: Bool
  public var lowercases: Bool

  public init(cleansText: Bool, separatesIdeographs: Bool, stripsAccents: Bool, lowercases: Bool) {
    self.cleansText = cleansText
    self.separatesIdeographs = separatesIdeographs
    self.stripsAccents = stripsAccents
    self.lowercases = lowercases
  }
}
