public import Models

extension Model {
  /// Whether both models read the same tokens: their tokenizers are equal, or neither has one and the ids are as many.
  public func readsTokens(of other: Model) -> Bool {
    guard let tokenizer, let others = other.tokenizer else {
      return tokenizer == nil && other.tokenizer == nil && info.vocabularySize == other.info.vocabularySize
    }
    return tokenizer.encodes(like: others)
  }
}
