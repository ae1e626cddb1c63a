import Files
import Tokenization

extension ModelDescription.Tokenizer {
  private enum Name: String, CaseIterable { case none, bpe, wordpiece, pipeline }

  static func read(
    _ reader: inout MetadataReader, vocabularySize: Int, kind: ModelDescription.Kind
  ) throws(RallyError) -> Self? {
    switch try reader.choice("tokenizer", of: Name.self) {
    case .none: return nil
    case .bpe: return try Self(.bytePair(&reader), &reader, vocabularySize: vocabularySize)
    case .wordpiece:
      guard kind == .rater else {
        throw reader.invalid("tokenizer", "none or bpe in a language model", Name.wordpiece.rawValue)
      }
      let rules = try WordPieceRules(&reader, vocabularySize: vocabularySize)
      return try Self(.wordPiece(rules), &reader, vocabularySize: vocabularySize)
    case .pipeline:
      guard reader.format > 1 else { throw reader.invalid("tokenizer", "none, bpe or wordpiece in format 1", Name.pipeline.rawValue) }
      return try Self(.pipeline(.init(&reader, vocabularySize: vocabularySize)), &reader, vocabularySize: vocabularySize)
    }
  }

  private init(_ kind: Kind, _ reader: inout MetadataReader, vocabularySize: Int) throws(RallyError) {
    self.kind = kind
    beginningOfSequence = try reader.token("bos_token_id", below: vocabularySize)
    endOfSequence = try reader.token("eos_token_id", below: vocabularySize)
    addsBeginningOfSequence = try reader.boolean("add_bos")
    addsEndOfSequence = try reader.boolean("add_eos")
    guard !addsBeginningOfSequence || beginningOfSequence != nil else {
      throw reader.invalid("add_bos", "false without bos_token_id", "true")
    }
    guard !addsEndOfSequence || endOfSequence != nil else {
      throw reader.invalid("add_eos", "false without eos_token_id", "true")
    }
  }
}

extension ModelDescription.Tokenizer.Kind {
  fileprivate static func bytePair(_ reader: inout MetadataReader) throws(RallyError) -> Self {
    .bytePair(
      preTokenizer: try reader.choice("pre_tokenizer"), addsPrefixSpace: try reader.boolean("add_prefix_space"))
  }
}

extension WordPieceRules {
  fileprivate init(_ reader: inout MetadataReader, vocabularySize: Int) throws(RallyError) {
    self.init(
      cleansText: try reader.boolean("clean_text"),
      separatesIdeographs: try reader.boolean("handle_chinese_chars"),
      stripsAccents: try reader.boolean("strip_accents"),
      lowercases: try reader.boolean("lowercase"),
      prefix: try Self.prefix(&reader),
      maximumWordLength: try reader.integer("max_input_chars_per_word", 1...Bound.tokens),
      unknownToken: try Self.unknownToken(&reader, vocabularySize: vocabularySize),
      cleansUpDecoding: try reader.boolean("decoder_cleanup"))
  }

  fileprivate static func prefix(_ reader: inout MetadataReader) throws(RallyError) -> String {
    let prefix = try reader.text("continuing_subword_prefix")
    guard (1...16).contains(prefix.utf8.count) else {
      throw reader.invalid("continuing_subword_prefix", "1 to 16 bytes", prefix)
    }
    return prefix
  }

  private static func unknownToken(
    _ reader: inout MetadataReader, vocabularySize: Int
  ) throws(RallyError) -> Int32 {
    guard let token = try reader.token("unk_token_id", below: vocabularySize) else {
      throw reader.invalid("unk_token_id", "a token id below \(vocabularySize)", "none")
    }
    return token
  }
}

extension ModelDescription.Tokenizer.Pipeline {
  private enum Model: String, CaseIterable { case bpe, unigram, wordpiece }

  fileprivate init(_ reader: inout MetadataReader, vocabularySize: Int) throws(RallyError) {
    normalizer = try reader.ifPresent("normalizer") { reader throws(RallyError) in try reader.text("normalizer") }
    preTokenizer = try reader.ifPresent("pre_tokenizer") { reader throws(RallyError) in try reader.text("pre_tokenizer") }
    decoder = try reader.ifPresent("decoder") { reader throws(RallyError) in try reader.text("decoder") }
    func flag(_ key: String) throws(RallyError) -> Bool {
      try reader.ifPresent(key) { reader throws(RallyError) in try reader.boolean(key) } ?? false
    }
    let model = try reader.choice("tokenizer_model", of: Model.self)
    let unknown =
      try reader.ifPresent("unk_token_id") { reader throws(RallyError) in
        try reader.token("unk_token_id", below: vocabularySize)
      } ?? nil
    switch (model, unknown) {
    case (.bpe, _):
      self.model = .bytePair(
        BytePairRules(
          unknownToken: unknown, fusesUnknown: try flag("fuse_unk"), fallsBackToBytes: try flag("byte_fallback"),
          ignoresMerges: try flag("ignore_merges")))
    case (.unigram, let unknown?):
      self.model = .unigram(unknownToken: unknown, fallsBackToBytes: try flag("byte_fallback"))
    case (.wordpiece, let unknown?):
      self.model = .wordPiece(
        unknownToken: unknown, prefix: try WordPieceRules.prefix(&reader),
        maximumWordLength: try reader.integer("max_input_chars_per_word", 1...Bound.tokens))
    case (.unigram, nil), (.wordpiece, nil):
      throw reader.invalid("unk_token_id", "a token id below \(vocabularySize) with \(model.rawValue)", "none")
    }
  }
}
