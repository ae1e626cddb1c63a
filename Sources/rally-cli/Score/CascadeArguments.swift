import ArgumentParser

/// A cheap rater before the rater.
struct CascadeArguments: ParsableArguments {
  @Option(help: ArgumentHelp("A cheap rater that decides what is clear; with --keep.", valueName: "model"))
  var cascade: String?

  @Option(help: ArgumentHelp("Share of the decisions that are to be those of --model alone. (default: 0.99)", valueName: "share"))
  var agreement: Double?

  @Option(help: ArgumentHelp("How sure that is to be. (default: 0.95)", valueName: "share"))
  var confidence: Double?

  @Option(help: ArgumentHelp("Lines that both raters read first. (default: 8192)", valueName: "count"))
  var sample: Int?

  /// The same for python -m rally.score.
  var arguments: [String] {
    let numbers = [("--agreement", agreement.map { "\($0)" }), ("--confidence", confidence.map { "\($0)" })]
    let words = [("--cascade", cascade)] + numbers + [("--sample", sample.map { "\($0)" })]
    return words.flatMap { name, value in value.map { [name, $0] } ?? [] }
  }

  func validate() throws {
    for (name, value) in [("--agreement", agreement), ("--confidence", confidence)] {
      guard let value, !(0.5..<1 ~= value) else { continue }
      throw ValidationError("\(name): expected a share in [0.5, 1), found \(value)")
    }
    if let sample, sample < 4 { throw ValidationError("--sample: expected 4 or more, found \(sample)") }
    if cascade == nil, agreement != nil || confidence != nil || sample != nil {
      throw ValidationError("--agreement, --confidence and --sample go with --cascade")
    }
  }
}
