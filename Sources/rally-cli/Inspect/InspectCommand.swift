import ArgumentParser
import JSON
import Rally

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Shows what a model file is and what it needs.",
    discussion: "The file is opened and checked as a whole, weights included, so 'inspect' also tells whether it is sound.")

  @Argument(help: "Model file (.onnx).")
  var path: String?

  @Option(name: [.short, .long], help: "Model file, as the other commands name it.")
  var model: String?

  @OptionGroup var computing: ComputeArguments

  @Option(name: [.short, .customLong("ctx-size")], help: "Tokens of the prompt whose memory is shown. (default: 512)")
  var contextSize: Int?

  @Flag(help: "Show every metadata pair.")
  var metadata = false

  @Flag(help: "Show every weight tensor.")
  var tensors = false

  @Flag(help: "Write one JSON object.")
  var json = false

  func validate() throws {
    guard (path == nil) != (model == nil) else { throw ValidationError("expected one model file") }
    if let contextSize, contextSize < 1 { throw ValidationError("--ctx-size: expected at least 1, found \(contextSize)") }
  }

  func run() throws {
    let model = try computing.open(path ?? model ?? "")
    let needs = try MemoryNeeds(model, computing.makeRunner(model), wanted: contextSize)
    let output = StandardOutput()
    if json {
      try output.write(InspectReport.json(model, needs, metadata: metadata, tensors: tensors).text + [0x0A])
    } else {
      try writeTables(model, needs, output)
    }
    try output.flush()
  }

  private func writeTables(_ model: Model, _ needs: MemoryNeeds, _ output: StandardOutput) throws(CommandFailure) {
    for line in InspectReport.lines(model, needs, output.style) { try output.line(line) }
    if metadata {
      var table = Table([("metadata", .left), ("value", .left)])
      for pair in model.metadata { table.append([pair.key.clipped(to: 60), pair.value.clipped(to: 100)]) }
      try output.line("")
      for line in table.lines(output.style) { try output.line(line) }
    }
    if tensors {
      var table = Table([("tensor", .left), ("type", .left), ("shape", .left), ("bytes", .right)])
      for tensor in model.tensors {
        table.append([tensor.name, "\(tensor.dataType)", "\(tensor.shape)", "\(tensor.byteCount)"])
      }
      try output.line("")
      for line in table.lines(output.style) { try output.line(line) }
    }
  }
}

/// What running the model takes.
struct MemoryNeeds {
  /// Of the prompt that `workspaceByteCount` is for.
  let tokenCount: Int
  /// Workspace, and keys and values, of that prompt.
  let workspaceByteCount: Int

  init(_ model: Model, _ runner: Runner, wanted: Int?) throws(RallyError) {
    tokenCount = min(wanted ?? 512, model.info.contextLength)
    let newTokens = model.info.kind == .rater ? 0 : 1
    workspaceByteCount = try runner.memory.byteCount(offsets: [0, tokenCount], newTokens: newTokens)
  }
}
