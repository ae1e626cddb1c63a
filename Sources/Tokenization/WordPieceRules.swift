/// How a WordPiece tokenizer makes words of a text, and text of pieces.
///
/// The names are those of the Hugging Face library, `BertNormalizer`, `WordPiece` and the decoder of that name.
public struct WordPieceRules: Sendable, Equatable {
  /// `clean_text`: control characters and U+FFFD are dropped, white space becomes spaces.
  public var cleansText: Bool
  /// `handle_chinese_chars`: every ideograph is a word of its own.
  public var separatesIdeographs: Bool
  /// `strip_accents`: characters are decomposed and lose their nonspacing marks.
  public var stripsAccents: Bool
  public var lowercases: Bool
  /// `continuing_subword_prefix`: what entries begin with that stand inside a word.
  public var prefix: String
  /// `max_input_chars_per_word`: a word of more scalars is unknown as a whole.
  public var maximumWordLength: Int
  /// What a word becomes that has no pieces.
  public var unknownToken: Int32
  /// `cleanup`: decoding takes back the spaces before punctuation and in English contractions.
  public var cleansUpDecoding: Bool

  public init(
    cleansText: Bool = true, separatesIdeographs: Bool = true, stripsAccents: Bool = true, lowercases: Bool = true,
    prefix: String = "##", maximumWordLength: Int = 100, unknownToken: Int32, cleansUpDecoding: Bool = true
  ) {
    self.cleansText = cleansText
    self.separatesIdeographs = separatesIdeographs
    self.stripsAccents = stripsAccents
    self.lowercases = lowercases
    self.prefix = prefix
    self.maximumWordLength = maximumWordLength
    self.unknownToken = unknownToken
    self.cleansUpDecoding = cleansUpDecoding
  }
}
