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
}
