import ArgumentParser
import JSON
import Rally

struct PerplexityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "perplexity",
    abstract: "Measures how well a model predicts a text.",
    discussion: """
      The text is read in windows of --ctx-size tokens that begin --stride tokens apart. Every token but the text's first is \
      scored once, in the first window that contains it: with at least ctx-size − stride tokens before it, except in the \
      first window. A smaller stride is slower and gives a lower, truer perplexity.
      """)

  @OptionGroup var model: ModelArguments

  @Option(name: [.short, .long], help: "File of text; - is standard input.")
  var file = TextInput.standard

  @Option(name: [.short, .customLong("ctx-size")], help: "Tokens of a window. (default: the model's context)")
  var contextSize: Int?

  @Option(help: "Tokens from one window to the next. (default: one less than a window)")
  var stride: Int?

  @Option(help: "How expert-choice models select tokens: by their threshold, as in generation, or the best of a window, as in training.")
  var selection = SelectionName.threshold

  @OptionGroup(title: "Depth") var depth: DepthArguments

  @OptionGroup(title: "Cache") var cache: CacheArguments

  @Flag(help: "Write one JSON object.")
  var json = false

  enum SelectionName: String, ExpressibleByArgument, CaseIterable {
    case threshold
    case topk
  }

  func validate() throws {
    if let contextSize, contextSize < 2 { throw ValidationError("--ctx-size: expected at least 2, found \(contextSize)") }
    if let stride, stride < 1 { throw ValidationError("--stride: expected at least 1, found \(stride)") }
    if let contextSize, let stride, stride >= contextSize {
      throw ValidationError("--stride: expected less than --ctx-size, \(contextSize), found \(stride)")
    }
  }

  func run() throws {
    if file == TextInput.standard, TextInput.standardIsTerminal {
      throw CommandFailure(.arguments, "no text; give -f FILE, or text on standard input")
    }
    var input = try TextInput(path: file)
    let text = try input.readAll()
    let model = try model.open()
    let tokens = try encode(text, model)
    let windows = try WindowPlan(
      tokenCount: tokens.count, length: windowLength(model), stride: strideLength(model))
    var options = RunOptions()
    options.selection = selection == .topk ? .topK : .threshold
    options.maximumDepth = depth.maxDepth
    options.targetDepth = depth.targetDepth
    options.exit = depth.exit
    if let exitFrom = depth.exitFrom { options.exitFrom = [exitFrom] }
    let start = now()
    var measurement = Measurement(tokens: tokens, windows: windows, greatestDepth: model.info.recursionCount)
    try measurement.run(try self.model.computing.makeRunner(model, cacheType: cache.type), options)
    let scoredBytes = try text.count - unscoredByteCount(tokens, model)
    try write(measurement.result(byteCount: scoredBytes), windows, seconds: now() - start)
  }

  private func encode(_ text: [UInt8], _ model: Model) throws(CommandFailure) -> [Int32] {
    guard model.info.kind == .languageModel else {
      throw CommandFailure(
        .model, "perplexity: expected a language model, found '\(model.info.name)', a rater; raters predict no tokens")
    }
    let tokenizer = try model.requireTokenizer()
    do throws(RallyError) {
      let tokens = try tokenizer.encode(text, options: EncodingOptions(of: .anybody))
      guard tokens.count >= 2 else {
        throw RallyError(.emptyInput, "text", expected: "at least two tokens", found: "\(tokens.count)")
      }
      return tokens
    } catch {
      throw CommandFailure(error)
    }
  }

  private func windowLength(_ model: Model) throws(CommandFailure) -> Int {
    let longest = model.info.contextLength
    guard (contextSize ?? 2) <= longest, longest >= 2 else {
      throw CommandFailure(
        .arguments, "--ctx-size: expected 2…\(longest), the model's context, found \(contextSize ?? longest)")
    }
    return contextSize ?? longest
  }

  private func strideLength(_ model: Model) throws(CommandFailure) -> Int {
    let length = try windowLength(model)
    guard (stride ?? 1) < length else {
      throw CommandFailure(.arguments, "--stride: expected less than a window, \(length) tokens, found \(stride ?? 1)")
    }
    return stride ?? length - 1
  }

  /// Bytes of the text that no score speaks of: those of the first token, unless it was added to the text.
  private func unscoredByteCount(_ tokens: [Int32], _ model: Model) throws -> Int {
    let tokenizer = try model.requireTokenizer()
    if tokenizer.roles.addsBeginningOfSequence { return 0 }
    return try tokens.first.map { try tokenizer.tokenBytes($0).count } ?? 0
  }

  private func write(_ result: PerplexityResult, _ windows: WindowPlan, seconds: Double) throws(CommandFailure) {
    let output = StandardOutput()
    if json {
      try output.write(result.json(windows).text + [0x0A])
    } else {
      for line in result.lines(windows, output.style) { try output.line(line) }
    }
    try output.flush()
    let rate = Double(windows.computedTokenCount) / max(seconds, 1e-9)
    StandardError.line(
      StandardError.style.dim(
        "\(counted(windows.computedTokenCount, "token")) in \(counted(windows.windows.count, "window")) · "
          + "\(short(Int(rate))) tok/s · \(decimal(seconds, 2)) s"))
  }
}
