package import Tokenization

/// What a model file says about its tokenizer, besides the keys in `ModelDescription.Tokenizer`.
///
/// Shapes and ids are checked; whether vocabulary and merges fit together is for the tokenizer to say.
package struct TokenizerContent: Sendable, Equatable {
  /// In id order; of a byte-pair tokenizer in the byte alphabet of GPT-2, but added tokens as plain text.
  package var vocabulary: [String]
  /// `left right`, in order of rank; none of a WordPiece tokenizer.
  package var merges: [String]
  /// Ids that are found in the text before it is cut into words.
  package var addedTokens: [Int32]
  /// Those of them that decoding leaves out on request.
  package var specialTokens: [Int32]
  /// What else a pipeline has; nil of the other kinds.
  package var pipeline: Pipeline?

  package struct Pipeline: Sendable, Equatable {
    /// [a], of `addedTokens`.
    package var addedFlags: [AddedTokenFlags]
    /// By rank.
    package var merges: [PipelineTokenizer.PiecePair]
    /// [V] of a Unigram model.
    package var scores: [Double]
    /// Of the steps `Precompiled`, in their order.
    package var charsmaps: [Charsmap]
  }
}
