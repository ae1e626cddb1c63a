import Files
import JSON

extension ModelDescription.Rater {
  private enum HeadName: String, CaseIterable { case linear, mlp, none }
  private enum SquashName: String, CaseIterable { case none, sigmoid, clamp }

  init(_ reader: inout MetadataReader, vocabularySize: Int, contextLength: Int) throws(RallyError) {
    normalizesEmbeddings = try reader.boolean("embed_norm")
    finalNorm = try reader.choice("final_norm")
    pooling = try reader.choice("pooling")
    padToken =
      pooling == .last && reader.has("pad_token_id") ? try reader.token("pad_token_id", below: vocabularySize) : nil
    head =
      switch try reader.choice("head", of: HeadName.self) {
      case .linear: .linear
      case .mlp: .mlp(try reader.choice("head_act"))
      case .none: .absent
      }
    if pooling == .late { try Self.checkLatePooling(reader, head, finalNorm) }
    headHasNorm =
      if case .mlp = head, reader.has("head_norm") { try reader.boolean("head_norm") } else { false }
    labels = head == .absent ? [] : try Self.labels(&reader)
    score = head == .absent ? .none : try ScoreRule(&reader, outputCount: labels.count)
    integerScore = try Self.integerScore(&reader, score)
    squash = try Self.squash(&reader)
    reading = try Reading(&reader, contextLength: contextLength)
    textTemplate = reader.has("text_template") ? try reader.text("text_template") : nil
    packing = try reader.choice("packing")
    scoreProvenance = try reader.text("score_provenance")
    discardFraction = try reader.optionalDecimal("discard_fraction", "a number in [0, 1)") { $0 >= 0 && $0 < 1 }
  }

  /// It stands between the layers of an MLP head, so that no norm can follow it.
  private static func checkLatePooling(
    _ reader: MetadataReader, _ head: ModelDescription.Rater.Head, _ norm: FinalNorm
  ) throws(RallyError) {
    guard reader.format > 1 else { throw reader.invalid("pooling", "mean, cls, last", "late") }
    guard case .mlp = head else { throw reader.invalid("head", "mlp with pooling late", head == .linear ? "linear" : "none") }
    guard norm != .pooled else { throw reader.invalid("final_norm", "none or tokens with pooling late", "pooled") }
  }

  private static func squash(_ reader: inout MetadataReader) throws(RallyError) -> Squash {
    let name = try reader.choice("squash", of: SquashName.self)
    if name == .none { return .none }
    let temperature = try reader.decimal("squash_temperature", "a number above 0") {
      Float($0) > 0 && Float($0).isFinite
    }
    if name == .sigmoid { return .sigmoid(temperature: temperature) }
    let minimum = try reader.decimal("squash_min", "a number") { Float($0).isFinite }
    let maximum = try reader.decimal("squash_max", "a number not below squash_min") {
      $0 >= minimum && Float($0).isFinite
    }
    return .clamp(temperature: temperature, minimum: minimum, maximum: maximum)
  }

  private static func integerScore(
    _ reader: inout MetadataReader, _ score: ScoreRule
  ) throws(RallyError) -> ClosedRange<Double>? {
    guard reader.has("int_score"), score.makesScore else { return nil }
    let bounds = try reader.decimals("int_score", count: 2, per: "bound", "a number") { abs($0) <= 1e6 }
    guard bounds[0] <= bounds[1] else {
      throw reader.invalid("int_score", "the lower bound first", "\(bounds[0]),\(bounds[1])")
    }
    return bounds[0]...bounds[1]
  }

  // MARK: Outputs

  /// Names of the outputs: those of the file, or LABEL_0, LABEL_1, …
  private static func labels(_ reader: inout MetadataReader) throws(RallyError) -> [String] {
    let count = reader.has("num_labels") ? try reader.integer("num_labels", 1...Bound.labels) : 1
    guard reader.has("labels") else { return (0..<count).map { "LABEL_\($0)" } }
    let text = try reader.text("labels")
    guard let labels = Self.strings(text) else {
      throw reader.invalid("labels", "a JSON array of \(count) strings", text)
    }
    guard labels.count == count, !labels.contains(where: \.isEmpty), Set(labels).count == count else {
      throw reader.invalid("labels", "\(count) different names, one per output", text)
    }
    return labels
  }

  /// The strings of a JSON array; nil for any other text.
  private static func strings(_ text: String) -> [String]? {
    var scanner = JSONScanner(Array(text.utf8))
    var strings: [String] = []
    do throws(JSONError) {
      scanner.skipSpace()
      try scanner.elements { (scanner) throws(JSONError) in
        strings.append(String(decoding: try scanner.string(), as: UTF8.self))
      }
      scanner.skipSpace()
    } catch { return nil }
    return scanner.next == nil ? strings : nil
  }
}

extension ModelDescription.Rater.ScoreRule {
  private enum Name: String, CaseIterable { case logit, expectation, softmax, sigmoid, none }

  fileprivate init(_ reader: inout MetadataReader, outputCount: Int) throws(RallyError) {
    guard outputCount > 1 || reader.has("score") else {
      self = .logit(0)
      return
    }
    func index(_ reader: inout MetadataReader) throws(RallyError) -> Int? {
      reader.has("score_index") ? try reader.integer("score_index", 0...outputCount - 1) : nil
    }
    switch try reader.choice("score", of: Name.self) {
    case .none: self = .none
    case .softmax: self = .softmax(try index(&reader))
    case .sigmoid: self = .sigmoid(try index(&reader))
    case .logit:
      guard let place = try index(&reader) ?? (outputCount == 1 ? 0 : nil) else {
        throw RallyError(
          .missingKey, "rally.score_index", expected: "which of \(outputCount) outputs is the score", found: "no such key")
      }
      self = .logit(place)
    case .expectation:
      let values =
        reader.has("score_values")
        ? try reader.decimals("score_values", count: outputCount, per: "output", "a number") { Float($0).isFinite }
        : (0..<outputCount).map(Double.init)
      self = .expectation(values)
    }
  }
}

extension ModelDescription.Rater.Reading {
  fileprivate init(_ reader: inout MetadataReader, contextLength: Int) throws(RallyError) {
    self.init()
    if reader.has("reading") { part = try reader.choice("reading") }
    if reader.has("reading_tokens") { tokenCount = try reader.integer("reading_tokens", 1...contextLength) }
    if part != .windows, reader.has("reading_characters") {
      characterCount = try reader.integer("reading_characters", 1...Bound.tokens)
    }
    if part == .windows || part == .ends, reader.has("reading_join") { join = try reader.choice("reading_join") }
  }
}

extension MetadataReader {
  /// Whether a key that only format 2 has is there; in a file of format 1 it is left, and so unknown.
  fileprivate func has(_ key: String) -> Bool { format > 1 && contains(key) }
}
