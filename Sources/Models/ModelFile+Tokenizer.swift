package import Tokenization
package import Tensors

extension ModelFile {
  /// The tokenizer that the file carries, or nil.
  /// - Throws: `invalidTokenizer`, naming what does not fit together.
  package func makeTokenizer() throws(RallyError) -> BytePairTokenizer? {
    guard let content = tokenizerContent, let settings = description.tokenizer else { return nil }
    var configuration = TokenizerConfiguration(
      preTokenizer: settings.preTokenizer, addsPrefixSpace: settings.addsPrefixSpace,
      addedTokens: content.addedTokens,
      specialTokens: content.specialTokens, beginningOfSequence: settings.beginningOfSequence,
      endOfSequence: settings.endOfSequence,
      addsBeginningOfSequence: settings.addsBeginningOfSequence,
      addsEndOfSequence: settings.addsEndOfSequence)
    configuration.idCount = description.vocabularySize
    return try BytePairTokenizer(
      vocabulary: content.vocabulary, merges: content.merges, configuration: configuration)
  }
}
