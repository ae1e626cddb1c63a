import ArgumentParser
import JSON
import Rally

struct QuantizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quantize",
    abstract: "Writes a model file with its matrices stored in another type.",
    discussion: """
      Embedding, projections and head change; norms, biases, routers, positions and a rater's own head stay as they are. \
      The result is a model file like any other. What stood at OUT is replaced once the new file is whole and was checked.
      """)

  @Argument(help: ArgumentHelp("Model file that is read.", valueName: "in"))
  var input: String

  @Argument(help: ArgumentHelp("Model file that is written.", valueName: "out"))
  var output: String

  @Option(help: "Type of the matrices.")
  var dtype = StoredType.int8

  @Option(
    help: ArgumentHelp(
      "Text file that the model reads first, so that int8 and q4 lose less of what it is given; - for standard input.",
      valueName: "file"))
  var calibrate: String?

  @Flag(help: "Write one JSON object.")
  var json = false

  enum StoredType: String, ExpressibleByArgument, CaseIterable {
    case int8, q4, bf16, f32

    var dataType: DataType {
      switch self {
      case .int8: .int8
      case .q4: .q4
      case .bf16: .bf16
      case .f32: .f32
      }
    }
  }

  func run() throws {
    let report = try quantize()
    let output = StandardOutput()
    if json {
      try output.write(report.json(dtype: dtype.rawValue).text + [0x0A])
    } else {
      for line in report.lines(output.style) { try output.line(line) }
    }
    try output.flush()
  }

  /// Ctrl-C ends it and leaves nothing behind.
  private func quantize() throws -> QuantizationReport {
    var text: [UInt8]?
    if let calibrate {
      var input = try TextInput(path: calibrate)
      text = try input.readAll()
    }
    let progress = ProgressLine("quantising")
    defer { progress.clear() }
    return try Interrupt.during(stop: {}) { [text] () throws(RallyError) in
      try Model.quantize(path: input, to: output, dataType: dtype.dataType, calibrationText: text) { done, total in
        progress.update(Double(done) / Double(max(total, 1)), "")
        return !Interrupt.isRequested
      }
    }
  }
}
