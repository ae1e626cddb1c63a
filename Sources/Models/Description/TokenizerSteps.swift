import Files
import JSON
import Tokenization

/// Reads the steps of a tokenizer as a `tokenizer.json` writes them. What is not supported is refused by name.
struct TokenizerSteps {
  private let key: String
  private let root: JSONNode

  /// The longest in use has some 2 kB; a `Precompiled` map stands in a tensor of its own.
  private static let byteLimit = 1 << 20

  /// - Parameters:
  ///   - text: JSON.
  ///   - key: what errors call it.
  init(_ text: String, key: String) throws(RallyError) {
    self.key = key
    guard text.utf8.count <= Self.byteLimit else {
      throw RallyError(.limitExceeded, key, expected: "at most \(Self.byteLimit) bytes", found: "\(text.utf8.count)")
    }
    do {
      root = try JSONNode(Array(text.utf8))
    } catch {
      throw RallyError(.invalidValue, key, expected: "JSON", found: error.message)
    }
  }

  private func unsupported(_ found: String) -> RallyError {
    RallyError(
      .invalidValue, key, expected: "steps that are supported", found: found.quoted,
      remedy: "docs/format.md lists them")
  }

  /// The steps of a `Sequence`, the step itself, or none for null.
  private func list(_ node: JSONNode, _ member: String) throws(RallyError) -> [JSONNode] {
    if node.isNull { return [] }
    guard node["type"].text == "Sequence" else { return [node] }
    guard let steps = node[member].elements else { throw unsupported("Sequence without \(member)") }
    var found: [JSONNode] = []
    for step in steps {
      // One level of nesting is what the library itself writes.
      if step["type"].text == "Sequence" {
        guard let inner = step[member].elements else { throw unsupported("Sequence without \(member)") }
        found += inner
      } else {
        found.append(step)
      }
    }
    guard found.count <= 64 else { throw unsupported("more than 64 steps") }
    return found
  }

  private func flag(_ node: JSONNode, _ name: String, default standard: Bool? = nil) throws(RallyError) -> Bool {
    if let value = node[name].boolean ?? (node[name].isNull ? standard : nil) { return value }
    throw unsupported("\(node["type"].text ?? "a step") without \(name)")
  }

  private func text(_ node: JSONNode, _ name: String) throws(RallyError) -> String {
    guard let value = node[name].text else { throw unsupported("\(node["type"].text ?? "a step") without \(name)") }
    return value
  }

  private func scalar(_ node: JSONNode, _ name: String) throws(RallyError) -> Unicode.Scalar {
    let text = try text(node, name).unicodeScalars
    guard text.count == 1, let scalar = text.first else {
      throw unsupported("\(node["type"].text ?? "a step") whose \(name) is not one character")
    }
    return scalar
  }

  private func pattern(_ node: JSONNode) throws(RallyError) -> TextPattern {
    if let text = node["pattern"]["String"].text, !text.isEmpty { return .text(text) }
    guard let source = node["pattern"]["Regex"].text else {
      throw unsupported("\(node["type"].text ?? "a step") without a pattern")
    }
    return .expression(try TextExpression(source))
  }
}

// MARK: Normalizers

extension TokenizerSteps {
  /// - Parameter maps: of the `Precompiled` steps, in their order; all of them are taken.
  func normalizers(_ maps: [Charsmap]) throws(RallyError) -> [NormalizerStep] {
    var maps = maps[...]
    var steps: [NormalizerStep] = []
    for node in try list(root, "normalizers") {
      if node["type"].text == "Precompiled" {
        guard var map = maps.popFirst() else {
          throw RallyError(
            .missingTensor, "tokenizer.precompiled_charsmap", expected: "a map for each step Precompiled", found: "fewer")
        }
        map.matchesLongest = try flag(node, "longest_match", default: false)
        steps.append(.precompiled(map))
      } else {
        steps.append(try normalizer(node))
      }
    }
    guard maps.isEmpty else {
      throw RallyError(
        .unknownTensor, "tokenizer.precompiled_charsmap", expected: "a map for each step Precompiled", found: "\(maps.count) more")
    }
    return steps
  }

  private func normalizer(_ node: JSONNode) throws(RallyError) -> NormalizerStep {
    switch node["type"].text {
    case "NFC": return .nfc
    case "NFD": return .nfd
    case "NFKC": return .nfkc
    case "NFKD": return .nfkd
    case "Lowercase": return .lowercase
    case "StripAccents": return .stripAccents
    case "Nmt": return .nmt
    case "Strip":
      return .strip(left: try flag(node, "strip_left"), right: try flag(node, "strip_right"))
    case "Prepend": return .prepend(try text(node, "prepend"))
    case "Replace": return .replace(try pattern(node), content: try text(node, "content"))
    case "BertNormalizer":
      let lowercases = try flag(node, "lowercase", default: true)
      return .bert(
        BertNormalizerRules(
          cleansText: try flag(node, "clean_text", default: true),
          separatesIdeographs: try flag(node, "handle_chinese_chars", default: true),
          stripsAccents: try flag(node, "strip_accents", default: lowercases), lowercases: lowercases))
    case let other: throw unsupported("normalizer \(other ?? "without a type")")
    }
  }
}

// MARK: Pre-tokenizers

extension TokenizerSteps {
  func preTokenizers() throws(RallyError) -> [PreTokenizerStep] {
    var steps: [PreTokenizerStep] = []
    for node in try list(root, "pretokenizers") { steps.append(try preTokenizer(node)) }
    return steps
  }

  private func preTokenizer(_ node: JSONNode) throws(RallyError) -> PreTokenizerStep {
    switch node["type"].text {
    case "ByteLevel":
      return .byteLevel(
        addsPrefixSpace: try flag(node, "add_prefix_space", default: true),
        usesExpression: try flag(node, "use_regex", default: true))
    case "Split":
      return .split(try pattern(node), try behavior(node), isInverted: try flag(node, "invert", default: false))
    case "Digits": return .digits(areIndividual: try flag(node, "individual_digits", default: false))
    case "Metaspace":
      return .metaspace(
        replacement: try scalar(node, "replacement"), try scheme(node), splits: try flag(node, "split", default: true))
    case "Whitespace": return .whitespace
    case "WhitespaceSplit": return .whitespaceSplit
    case "Punctuation": return .punctuation(node["behavior"].isNull ? .isolated : try behavior(node))
    case "BertPreTokenizer": return .bert
    case let other: throw unsupported("pre_tokenizer \(other ?? "without a type")")
    }
  }

  private func behavior(_ node: JSONNode) throws(RallyError) -> SplitBehavior {
    guard let behavior = SplitBehavior(rawValue: try text(node, "behavior")) else {
      throw unsupported("behavior \(node["behavior"].text ?? "")")
    }
    return behavior
  }

  /// The older `add_prefix_space` says no more than `always` and `never`.
  private func scheme(_ node: JSONNode) throws(RallyError) -> PrependScheme {
    if node["add_prefix_space"].boolean == false { return .never }
    guard let name = node["prepend_scheme"].text else { return .always }
    guard let scheme = PrependScheme(rawValue: name) else { throw unsupported("prepend_scheme \(name)") }
    return scheme
  }
}

// MARK: Decoders

extension TokenizerSteps {
  func decoder() throws(RallyError) -> TokenDecoder {
    let nodes = try list(root, "decoders")
    if root.isNull { return .spaced }
    if nodes.count == 1, nodes[0]["type"].text == "ByteLevel" { return .byteLevel }
    var chain = DecoderChain(steps: [], joinsBytes: false, strips: nil)
    var isFused = false
    for node in nodes {
      switch (node["type"].text, isFused) {
      case ("Fuse", _): isFused = true
      case ("ByteFallback", false) where !chain.joinsBytes: chain.joinsBytes = true
      case ("Strip", true) where chain.strips == nil:
        chain.strips = DecoderChain.Strip(content: try scalar(node, "content"), start: try start(node))
      case (_, false) where !chain.joinsBytes: chain.steps.append(try decoderStep(node))
      case (let other, _): throw unsupported("decoder \(other ?? "without a type") in this place")
      }
    }
    return .chain(chain)
  }

  private func start(_ node: JSONNode) throws(RallyError) -> Int {
    guard node["stop"].integer == 0, let start = node["start"].integer, (0...4096).contains(start) else {
      throw unsupported("decoder Strip with a stop")
    }
    return start
  }

  private func decoderStep(_ node: JSONNode) throws(RallyError) -> DecoderChain.Step {
    switch node["type"].text {
    case "Replace": return .replace(try pattern(node), content: try text(node, "content"))
    case "Metaspace": return .metaspace(replacement: try scalar(node, "replacement"), dropsFirst: try scheme(node) != .never)
    case "WordPiece": return .wordPiece(prefix: try text(node, "prefix"), cleansUp: try flag(node, "cleanup", default: true))
    case "Strip": return .strip(try scalar(node, "content"), start: try start(node))
    case let other: throw unsupported("decoder \(other ?? "without a type")")
    }
  }
}
