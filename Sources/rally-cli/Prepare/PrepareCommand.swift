import ArgumentParser
import Kernels
import Rally

struct PrepareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prepare",
    abstract: "Packs the weights of a model once, into a file that is mapped.",
    discussion: """
      Every command and host opens OUT like a model file, at once, and all processes share its pages. It serves this \
      instruction set, this version and one dtype; the original stays the truth. What stood at OUT is replaced once the new \
      file is whole.
      """)

  @Argument(help: ArgumentHelp("Model file that is read; with --verify the prepared file.", valueName: "in"))
  var input: String

  @Argument(help: ArgumentHelp("Prepared file that is written.", valueName: "out"))
  var output: String?

  @Option(help: "Element type of the matrix products.")
  var dtype = ComputeType.auto

  @Option(
    help: ArgumentHelp(
      "Text file that the model reads first, so that int8 or q4 loses less of what it is given; - for standard input.",
      valueName: "file"))
  var calibrate: String?

  @Option(name: [.short, .long], help: "Threads. (default: as many as the process may use)")
  var threads: Int?

  @Flag(help: "Check every byte of a prepared file, and write nothing.")
  var verify = false

  func validate() throws {
    guard !verify else {
      guard output == nil, calibrate == nil else { throw ValidationError("--verify: expected one file and no --calibrate") }
      return
    }
    guard output != nil else { throw ValidationError("expected the file to write, or --verify") }
    guard let threads, !(1...WorkerPool.threadLimit ~= threads) else { return }
    throw ValidationError("--threads: expected 1…\(WorkerPool.threadLimit), found \(threads)")
  }

  func run() throws {
    let standardOutput = StandardOutput()
    guard let output else {
      try verifyInput()
      try standardOutput.line("\(input): every byte is as it was written")
      return try standardOutput.flush()
    }
    try prepare(output)
    let model = try Model.open(path: output)
    try standardOutput.line(
      "\(output): \(bytes(model.info.weightByteCount)) of weights in \(model.info.dataType) for \(InstructionSet.current)")
    try standardOutput.flush()
  }

  /// Ctrl-C ends it and leaves nothing behind.
  private func prepare(_ output: String) throws {
    var options = PrepareOptions()
    (options.dataType, options.threads) = (dtype.dataType, threads ?? 0)
    if let calibrate {
      var text = try TextInput(path: calibrate)
      options.calibrationText = try text.readAll()
    }
    let progress = ProgressLine("preparing")
    defer { progress.clear() }
    options.progress = { done, total in
      progress.update(Double(done) / Double(max(total, 1)), "")
      return !Interrupt.isRequested
    }
    try Interrupt.during(stop: {}) { [options] () throws(RallyError) in
      try Model.prepare(path: input, to: output, options: options)
    }
  }

  private func verifyInput() throws {
    let progress = ProgressLine("verifying")
    defer { progress.clear() }
    var options = ModelOptions()
    options.progress = { done, total in
      progress.update(Double(done) / Double(max(total, 1)), bytes(Int(total)))
      return !Interrupt.isRequested
    }
    try Interrupt.during(stop: {}) { [options] () throws(RallyError) in
      try Model.requirePrepared(path: input)
      try Model.validate(path: input, options: options)
    }
  }
}
