package import Files
package import Tokenization

extension ModelFacts {
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
    case .pipeline(let pipeline):
      guard let own = content.pipeline else { return nil }
      return .pipeline(
        try PipelineTokenizer(
          vocabulary: content.vocabulary, roles: roles, addedFlags: own.addedFlags, merges: own.merges, scores: own.scores,
          pipeline: try Self.steps(of: pipeline, charsmaps: own.charsmaps)))
    }
  }

  private static func steps(
    of pipeline: ModelDescription.Tokenizer.Pipeline, charsmaps: [Charsmap]
  ) throws(RallyError) -> TokenizerPipeline {
    let none = "null"
    return TokenizerPipeline(
      normalizers: try TokenizerSteps(pipeline.normalizer ?? none, key: "rally.normalizer").normalizers(charsmaps),
      preTokenizers: try TokenizerSteps(pipeline.preTokenizer ?? none, key: "rally.pre_tokenizer").preTokenizers(),
      model: pipeline.model,
      decoder: try TokenizerSteps(pipeline.decoder ?? none, key: "rally.decoder").decoder())
  }
}
