import ArgumentParser
import Rally

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Continues texts.",
    discussion: """
      Prompts come from -p and -f, each of which may be repeated, or from standard input. Several run together and are \
      written in order. By default the most probable token is taken; --temp draws.

      --show-depth colours every token by its depth on a terminal and writes token⟨depth⟩ elsewhere, with ↵ for a line end. A token of the \
      prompt shows the recursions it ran, a generated one the recursions that it was predicted with. Tokens that \
      complete a character together stand together: é⟨2,1⟩.

      With --chat only the answer is written. Templates are read as far as models' makers use Jinja; what is not known is refused by name.
      """)

  @OptionGroup var model: ModelArguments

  @Option(name: [.short, .long], parsing: .unconditionalSingleValue, help: "A text to continue.")
  var prompt: [String] = []

  @Option(name: [.short, .long], help: "A file whose text to continue, without its last line end; - is standard input.")
  var file: [String] = []

  @Option(
    name: [.customShort("n"), .customLong("n-predict")], parsing: .unconditional,
    help: "Tokens to generate; -1 until the context is full.")
  var count = 128

  @OptionGroup(title: "Sampling") var sampling: SamplingArguments

  @OptionGroup(title: "Depth") var depth: DepthArguments

  @OptionGroup(title: "Cache") var cache: CacheArguments

  @OptionGroup(title: "Chat") var chat: ChatArguments

  @Option(parsing: .unconditionalSingleValue, help: "A text that ends the generation and is not written; may be repeated.")
  var stop: [String] = []

  @Flag(help: "Write the --stop text that ended the generation, too.")
  var includeStop = false

  @Flag(help: "Go on after the end-of-sequence token.")
  var ignoreEos = false

  @Flag(help: "Leave the prompt out of the text.")
  var noDisplayPrompt = false

  @Flag(help: "Show the depth of every token, and at the end how many tokens had which.")
  var showDepth = false

  @Flag(help: "Write one JSON object per prompt, when all have ended.")
  var json = false

  @Option(
    help: ArgumentHelp(
      "Write a page that shows every token by its depth, how many had which, and where compute went.", valueName: "file"))
  var html: String?

  func validate() throws {
    guard count == -1 || count > 0 else { throw ValidationError("-n: expected at least 1, or -1, found \(count)") }
    if stop.contains("") { throw ValidationError("--stop: expected a text, found an empty one") }
    try sampling.validateRanges()
  }

  func run() throws {
    var texts = try promptTexts()
    let model = try model.open()
    if chat.chat { texts = try texts.map { text throws(CommandFailure) in try chat.text(text, for: model) } }
    let runner = try self.model.computing.makeRunner(model, cacheType: cache.type)
    let prompts = try texts.map { text throws(CommandFailure) in try encode(text, with: model) }
    let output = StandardOutput()
    let printer = try GenerationPrinter(
      prompts: prompts, model: model, output: output,
      options: GenerationPrinter.Options(
        echoesPrompt: !noDisplayPrompt && !chat.chat, showsDepth: showDepth, json: json))
    try generate(prompts, runner, printer)
    try printer.finish()
    if let html { try GenerationPage(printer.transcripts, printer.histogram, name: model.info.name).write(to: html) }
    if showDepth { for line in printer.histogram.lines(StandardError.style) { StandardError.line(line) } }
    let seed = sampling.seed.isDrawn ? " · seed \(sampling.seed)" : ""
    StandardError.line(StandardError.style.dim(printer.statistics.line(meanDepth: printer.histogram.mean) + seed))
    if Interrupt.isRequested { throw CommandFailure.interrupted }
  }

  private func generate(_ prompts: [Prompt], _ runner: Runner, _ printer: GenerationPrinter) throws {
    let requests = prompts.map { prompt in
      var request = GenerationRequest(tokens: prompt.tokens)
      request.maximumTokenCount = count == -1 ? nil : count
      request.sampling = sampling.parameters
      request.stopStrings = stop
      request.includesStop = includeStop
      // With depths every token is to be seen.
      request.skipsSpecialTokens = !showDepth && html == nil
      request.stopsAtEndOfSequence = !ignoreEos
      depth.set(&request)
      return request
    }
    let interruption = runner.interruption
    try Interrupt.during(stop: { interruption.cancel() }) {
      try runner.generate(requests, onPromptToken: printer.promptToken, onToken: printer.token)
    }
  }

  // MARK: Prompts

  private func promptTexts() throws(CommandFailure) -> [[UInt8]] {
    var texts = prompt.map { Array($0.utf8) }
    var paths = file
    if texts.isEmpty && paths.isEmpty {
      guard !TextInput.standardIsTerminal else {
        throw CommandFailure(.arguments, "no prompt; give -p TEXT, -f FILE, or text on standard input")
      }
      paths = [TextInput.standard]
    }
    for path in paths {
      var input = try TextInput(path: path)
      var text = try input.readAll()
      // Editors end files with a line end that is not meant as part of the prompt.
      if text.last == UInt8(ascii: "\n") {
        text.removeLast()
        if text.last == UInt8(ascii: "\r") { text.removeLast() }
      }
      texts.append(text)
    }
    return texts
  }

  private func encode(_ text: [UInt8], with model: Model) throws(CommandFailure) -> Prompt {
    let tokenizer = try model.requireTokenizer()
    do throws(RallyError) {
      // A template writes the first token itself.
      let adds: Bool? = chat.chat ? false : nil
      let options = EncodingOptions(addsBeginningOfSequence: adds, addsEndOfSequence: adds)
      var tokens = try tokenizer.encode(text, options: options)
      // A model that knows a beginning can start from nothing.
      if tokens.isEmpty, let first = model.info.beginningOfSequence { tokens = [first] }
      guard !tokens.isEmpty else { throw RallyError(.emptyInput, "prompt", expected: "at least one token", found: "none") }
      guard tokens.count <= model.info.contextLength else {
        throw RallyError(
          .contextExceeded, "prompt", expected: "at most \(model.info.contextLength) tokens, the model's context",
          found: "\(tokens.count)", remedy: "shorten it")
      }
      return Prompt(text: text, tokens: tokens)
    } catch {
      throw CommandFailure(error)
    }
  }
}

struct Prompt {
  var text: [UInt8]
  var tokens: [Int32]
}
