import ArgumentParser
import Curation
import JSON
import Rally

struct ExposureCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "exposure",
    abstract: "Measures what samples would pass on from a teacher to a student of a base model.",
    discussion: """
      Reads lines of JSON with a member "text" or "tokens", or plain text, as score does. Both models read every row once. \
      "jeffreys" is the first-order pull of distilling the teacher on the row, "log ratio" how much likelier the teacher \
      finds it. log E sums the ratios: where the base itself wrote the rows, it ever reaches -log(alpha) with probability \
      alpha at most. A member "given" says how many tokens at the beginning were not sampled, such as a prompt's.
      """)

  @Argument(help: "Model file of the teacher.") var teacher: String
  @Argument(help: "Model file of the student's base, with the same tokenizer.") var base: String
  @Argument(help: "Files of lines; - is standard input. (default: -)") var files: [String] = []

  @OptionGroup var computing: ComputeArguments

  @Flag(help: "Lines are plain text.")
  var text = false

  @Option(help: "Probability of rejecting the base wrongly.")
  var alpha = 0.05

  @Flag(help: "Write lines of JSON, and the summary as the last.")
  var json = false

  func validate() throws {
    guard alpha > 0, alpha < 1 else { throw ValidationError("--alpha: expected between 0 and 1, found \(alpha)") }
  }

  func run() throws {
    let models = try [teacher, base].map(computing.open)
    let runners = try models.map(computing.makeRunner)
    let output = StandardOutput()
    let printer = ExposurePrinter(output: output, isJSON: json, alpha: alpha)
    var meter = ExposureMeter(teacher: runners[0], base: runners[1])
    try printer.begin()
    for path in files.isEmpty ? [TextInput.standard] : files {
      var reader = DocumentReader(
        input: try TextInput(path: path), kind: text || path.hasSuffix(".txt") ? .text : .object, model: models[0],
        id: nil)
      while let document = try reader.next() {
        try meter.add(document)
        if meter.isFull { try printer.write(try meter.flush()) }
      }
    }
    try printer.write(try meter.flush())
    try printer.end(meter)
    try output.flush()
  }
}
