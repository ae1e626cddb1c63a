import ArgumentParser
import Glibc
import Rally

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measures how fast models run.",
    discussion: """
      Flags, columns, test names and JSON keys are llama-bench's, -npl is llama-batched-bench's. Lists are comma-separated, \
      options may be repeated, numbers may be ranges: first-last, first-last+step, first-last*factor. Every combination is \
      measured.

      Language models: pp512 computes a prompt of 512 tokens up to the logits of the last; tg128 generates 128 tokens after one \
      token; pp512+tg128 does both; '@ d1024' begins with 1024 tokens in the cache. With -npl 8 eight sequences generate \
      together and t/s is their sum. Raters: sc512 rates rows of 512 tokens, -npl of them in one call.

      --jobs 200 --lengths 256,64 puts 200 requests into the queue of an engine that runs -npl at a time; each begins with one \
      token and generates its own number of tokens.

      Tokens are random and seeded, the most probable token is taken, nothing ends at an end of sequence. A run that is not \
      measured goes first.
      """)

  @Option(name: [.short, .long], help: "Model files (.onnx).")
  var model: [String]

  @Option(help: "Element types to compute in. (default: auto)")
  var dtype: [WordList<ComputeType>] = []

  @OptionGroup(title: "Tests") var tests: BenchTestArguments

  @Option(name: [.short, .long], help: "Runs of each test.")
  var repetitions = 5

  @Option(help: "Seconds to wait before each test.")
  var delay = 0

  @Flag(help: "Measure the first run too.")
  var noWarmup = false

  @Option(help: "Of tokens and lengths.")
  var seed: UInt64 = 0

  @Option(
    help: "Temperature that tokens are drawn at; 0 takes the most probable, with which random weights fall into loops.")
  var temp: Float = 0

  @OptionGroup(title: "Output") var output: BenchOutputArguments

  func validate() throws {
    try ArgumentRange.require(repetitions, 1...1_000_000, "-r")
    try ArgumentRange.require(delay, 0...86_400, "--delay")
    guard temp.isFinite, temp >= 0 else { throw ValidationError("--temp: expected a finite number ≥ 0, found \(temp)") }
  }

  func run() throws {
    let standardOutput = StandardOutput()
    var printers = [
      BenchPrinter(output.format, columns: tests.columns) { (text) throws(CommandFailure) in
        try standardOutput.write(text)
        try standardOutput.flush()
      }
    ]
    if let format = output.errorOutput {
      printers.append(BenchPrinter(format, columns: tests.columns) { text in StandardError.write(text) })
    }
    do {
      try measureAll { (result) throws(CommandFailure) in
        for printer in printers { try printer.print(result) }
        if output.verbose { for line in result.profileLines(StandardError.style) { StandardError.line(line) } }
      }
    } catch {
      // What was measured is kept.
      for printer in printers { try printer.finish() }
      throw error
    }
    for printer in printers { try printer.finish() }
  }

  private func measureAll(_ report: (BenchResult) throws(CommandFailure) -> Void) throws {
    let plan = tests.plan
    let types = dtype.isEmpty ? [.auto] : dtype.flatMap(\.values)
    for path in model.flatMap({ $0.split(separator: ",").map(String.init) }) {
      for type in types {
        let model = try Model.open(path, dtype: type, threads: plan.threadCounts.max() ?? 0)
        for test in try plan.tests(for: model.info) {
          try Interrupt.during(stop: {}) { try report(measure(test, model, path)) }
        }
      }
    }
  }

  private func measure(_ test: BenchTest, _ model: Model, _ path: String) throws -> BenchResult {
    try wait(seconds: delay)
    let progress = BenchProgress(test, model.info, repetitions: repetitions, isAlwaysSaid: output.progress)
    defer { progress.clear() }
    let time = BenchHost.time
    let subject: any BenchSubject =
      model.info.kind == .rater
      ? try RaterBench(test, model: model, seed: seed)
      : try EngineBench(test, model: model, seed: seed, temperature: temp)
    if !noWarmup {
      progress.update(nil)
      try subject.warmUp()
    }
    var samples: [BenchSample] = []
    for repetition in 1...repetitions {
      progress.update(repetition)
      samples.append(try subject.run(repetition: repetition))
    }
    return BenchResult(
      path: path, info: model.info, test: test, lengths: subject.lengths, samples: samples, time: time)
  }

  private func wait(seconds: Int) throws(CommandFailure) {
    let end = now() + Double(seconds)
    while now() < end {
      if Interrupt.isRequested { throw CommandFailure.interrupted }
      usleep(20_000)
    }
  }
}
