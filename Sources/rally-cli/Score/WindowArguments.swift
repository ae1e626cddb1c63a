import ArgumentParser
import Rally

/// Which parts of texts are read, and how long texts are cut.
struct WindowArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Tokens of a window. (default: the rater's context)", valueName: "tokens"))
  var window: Int?

  @Option(help: ArgumentHelp("Tokens from one window's beginning to the next. (default: a window)", valueName: "tokens"))
  var stride: Int?

  @Option(help: ArgumentHelp("Windows of a text at most, spread evenly over it. (default: all)", valueName: "count"))
  var maxWindows: Int?

  @Option(
    help: "Which part of a text is read: windows (all of it), first, middle or ends. (default: as the file says)",
    transform: { try choice($0, "--reading") })
  var reading: DocumentOptions.Reading?

  @Option(
    help: "What the windows of a text make: mean, max or min. (default: as the file says)",
    transform: { try choice($0, "--join") })
  var join: DocumentOptions.Join?

  @Option(
    help: ArgumentHelp(
      "Characters that are read: of the beginning, to both sides of the middle, or of each end. (default: as the file says)",
      valueName: "count"))
  var characters: Int?

  @Flag(help: "Special tokens in texts, such as [SEP], are read as such. Without it they are letters.")
  var parseSpecial = false

  @Option(
    help: ArgumentHelp(
      "What is read of a line, such as '{title}: {text}'; '{text}' is the text alone. (default: as the file says)",
      valueName: "text"))
  var template: String?

  var options: DocumentOptions {
    var options = DocumentOptions()
    options.reading = reading
    options.join = join
    options.characterCount = characters
    options.parsesSpecialTokens = parseSpecial
    options.windowTokenCount = window
    options.stride = stride
    options.maximumWindowCount = maxWindows
    return options
  }

  /// The same for python -m rally.score.
  var arguments: [String] {
    let numbers = [("--window", window), ("--stride", stride), ("--max-windows", maxWindows), ("--characters", characters)]
    let words = [("--reading", reading?.rawValue), ("--join", join?.rawValue), ("--template", template)]
    return numbers.flatMap { name, value in value.map { [name, "\($0)"] } ?? [] }
      + words.flatMap { name, value in value.map { [name, $0] } ?? [] } + (parseSpecial ? ["--parse-special"] : [])
  }

  /// Pairs of a distribution's label that say how documents are read otherwise than the file says; empty without any.
  func label(_ model: Model, _ template: TextTemplate?) -> String {
    let file = model.info.reading ?? .init()
    var pairs: [String] = []
    if let reading, reading != file.part { pairs.append("part=\(reading.rawValue)") }
    if let join, join != file.join { pairs.append("join=\(join.rawValue)") }
    if let characters, characters != file.characterCount { pairs.append("characters=\(characters)") }
    if parseSpecial { pairs.append("special=1") }
    if let template { pairs.append(template.label(of: model)) }
    return pairs.joined(separator: " ")
  }

  func validate() throws {
    for (name, value) in [("--window", window), ("--stride", stride), ("--max-windows", maxWindows), ("--characters", characters)] {
      if let value, value < 1 { throw ValidationError("\(name): expected 1 or more, found \(value)") }
    }
  }
}

private func choice<Choice: RawRepresentable & CaseIterable>(_ text: String, _ name: String) throws -> Choice
where Choice.RawValue == String {
  guard let choice = Choice(rawValue: text) else {
    let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
    throw ValidationError("\(name): expected one of \(known), found \(text)")
  }
  return choice
}
