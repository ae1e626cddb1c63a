import Files
import Tensors
import Tokenization

extension TokenizerContent? {
  func append(to writer: inout PreparedBytesWriter) {
    writer.append(self == nil ? 0 : 1)
    guard let self else { return }
    writer.append(self.vocabulary) { writer, entry in writer.append(entry) }
    writer.append(self.merges) { writer, merge in writer.append(merge) }
    for ids in [self.addedTokens, self.specialTokens] { writer.append(ids) { writer, id in writer.append(Int(id)) } }
    writer.append(self.pipeline == nil ? 0 : 1)
    guard let pipeline = self.pipeline else { return }
    writer.append(pipeline.addedFlags) { writer, flags in writer.append(Int(flags.rawValue)) }
    writer.append(pipeline.merges) { writer, pair in
      writer.append(Int(pair.left))
      writer.append(Int(pair.right))
    }
    writer.append(pipeline.scores) { writer, score in writer.append(score.bitPattern) }
    writer.append(pipeline.charsmaps) { writer, map in writer.append(map.bytes) }
  }

  /// - Throws: `corruptFile`, `invalidTokenizer`, `limitExceeded`: what reading a model file makes sure of, too.
  init(
    _ reader: inout PreparedBytesReader, description: ModelDescription, limits: ModelLimits
  ) throws(RallyError) {
    let isThere = try reader.number("a switch", upTo: 1) == 1
    guard isThere == (description.tokenizer != nil) else {
      throw reader.error("a tokenizer where metadata says so", isThere ? "one" : "none")
    }
    guard let tokenizer = description.tokenizer else {
      self = nil
      return
    }
    func texts(_ reader: inout PreparedBytesReader) throws(RallyError) -> [String] {
      let list = try reader.list { (reader) throws(RallyError) in try reader.text() }
      guard list.count <= limits.maximumTokenizerEntryCount else {
        throw RallyError(
          .limitExceeded, "tokenizer", expected: "at most \(limits.maximumTokenizerEntryCount) entries", found: "\(list.count)")
      }
      return list
    }
    let (vocabulary, merges) = (try texts(&reader), try texts(&reader))
    guard vocabulary.count <= description.vocabularySize else {
      throw reader.error("at most \(description.vocabularySize) entries of the vocabulary", "\(vocabulary.count)")
    }
    func id(_ reader: inout PreparedBytesReader) throws(RallyError) -> Int32 {
      Int32(try reader.number("an id", upTo: Swift.min(vocabulary.count - 1, Int(Int32.max))))
    }
    let added = try reader.list { (reader) throws(RallyError) in try id(&reader) }
    let special = try reader.list { (reader) throws(RallyError) in try id(&reader) }
    var content = TokenizerContent(vocabulary: vocabulary, merges: merges, addedTokens: added, specialTokens: special)
    let hasPipeline = try reader.number("a switch", upTo: 1) == 1
    if case .pipeline(let pipeline) = tokenizer.kind {
      guard hasPipeline else { throw reader.error("the steps of the tokenizer", "none") }
      content.pipeline = try TokenizerContent.Pipeline(&reader, pipeline.model, content, id)
    } else if hasPipeline {
      throw reader.error("no steps of a tokenizer", "some")
    }
    self = content
  }
}

extension TokenizerContent.Pipeline {
  fileprivate init(
    _ reader: inout PreparedBytesReader, _ model: PieceModelRules, _ content: TokenizerContent,
    _ id: (inout PreparedBytesReader) throws(RallyError) -> Int32
  ) throws(RallyError) {
    addedFlags = try reader.list { (reader) throws(RallyError) in
      AddedTokenFlags(rawValue: Int64(try reader.number("flags", upTo: Int(AddedTokenFlags.all.rawValue))))
    }
    merges = try reader.list { (reader) throws(RallyError) in
      PipelineTokenizer.PiecePair(left: try id(&reader), right: try id(&reader))
    }
    scores = try reader.list { (reader) throws(RallyError) in Double(bitPattern: try reader.bits()) }
    charsmaps = try reader.list { (reader) throws(RallyError) in try Charsmap(try reader.list()) }
    var scoreCount = 0
    if case .unigram = model { scoreCount = content.vocabulary.count }
    guard addedFlags.count == content.addedTokens.count, scores.count == scoreCount, scores.allSatisfy(\.isFinite) else {
      throw reader.error("flags of every added token and a finite score of every piece", "others")
    }
  }
}
