package import Tokenization
package import Tensors

extension ModelFile {
  /// The tokenizer that the file carries, or nil.
  /// - Throws: `invalidTokenizer`, naming what does not fit together.
  package func makeTokenizer() throws(RallyError) -> TextTokenizer? {
    guard let content = tokenizerContent, let settings = description.tokenizer else { return nil }
    var roles = TokenRoles(
      addedTokens: content.addedTokens,
      specialTokens: content.specialTokens, beginningOfSequence: settings.beginningOfSequence,
      endOfSequence: settings.endOfSequence,
      addsBeginningOfSequence: settings.addsBeginningOfSequence,
      addsEndOfSequence: settings.addsEndOfSequence)
    roles.idCount = description.vocabularySize
    switch settings.kind {
    case .bytePair(let preTokenizer, let addsPrefixSpace):
      let configuration = TokenizerConfiguration(
        preTokenizer: preTokenizer, addsPrefixSpace: addsPrefixSpace, roles: roles)
      return .bytePair(
        try BytePairTokenizer(vocabulary: content.vocabulary, merges: content.merges, configuration: configuration))
    case .wordPiece(let rules):
      return .wordPiece(try WordPieceTokenizer(vocabulary: content.vocabulary, rules: rules, roles: roles))
    }
  }
}
