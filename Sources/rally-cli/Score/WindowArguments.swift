import ArgumentParser
import Rally

/// How long texts are cut.
struct WindowArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Tokens of a window. (default: the rater's context)", valueName: "tokens"))
  var window: Int?

  @Option(help: ArgumentHelp("Tokens from one window's beginning to the next. (default: a window)", valueName: "tokens"))
  var stride: Int?

  @Option(help: ArgumentHelp("Windows of a text at most, spread evenly over it. (default: all)", valueName: "count"))
  var maxWindows: Int?

  var options: DocumentOptions {
    var options = DocumentOptions()
    options.windowTokenCount = window
    options.stride = stride
    options.maximumWindowCount = maxWindows
    return options
  }

  func validate() throws {
    for (name, value) in [("--window", window), ("--stride", stride), ("--max-windows", maxWindows)] {
      if let value, value < 1 { throw ValidationError("\(name): expected 1 or more, found \(value)") }
    }
  }
}
