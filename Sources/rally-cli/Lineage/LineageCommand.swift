import ArgumentParser
import JSON
import Kernels
import Rally

struct LineageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lineage",
    abstract: "Tests whether two models come from one initialisation, from their weights alone.",
    discussion: """
      A student takes over traits of a teacher that shares its initialisation, whatever the teacher's samples are about. \
      A and B are model files, .safetensors files, or folders as Hugging Face's libraries save them, of one architecture. \
      Hidden units at the same places are compared with units paired at random; p is the probability of matching as well \
      by chance. docs/lineage.md says how, and what the test does not prove.
      """)

  @Argument(help: ArgumentHelp("One model.", valueName: "a"))
  var first: String

  @Argument(help: ArgumentHelp("The other.", valueName: "b"))
  var second: String

  @Option(help: "Random pairings that the true one is compared with.")
  var permutations = 9999

  @Option(help: "Seed of the pairings.")
  var seed: UInt64 = 0

  @Option(name: [.short, .long], help: "Threads. (default: as many as the process may use)")
  var threads: Int?

  @Flag(help: "Write one JSON object.")
  var json = false

  func validate() throws {
    guard let threads, !(1...WorkerPool.threadLimit ~= threads) else { return }
    throw ValidationError("--threads: expected 1…\(WorkerPool.threadLimit), found \(threads)")
  }

  func run() throws {
    let report = try compare()
    let output = StandardOutput()
    if json {
      try output.write(report.json.text + [0x0A])
    } else {
      for line in report.lines(output.style) { try output.line(line) }
    }
    try output.flush()
  }

  private func compare() throws(RallyError) -> LineageReport {
    let progress = ProgressLine("comparing")
    defer { progress.clear() }
    var options = LineageOptions()
    options.permutationCount = permutations
    options.seed = seed
    options.threads = threads ?? 0
    options.progress = { done, total in
      progress.update(Double(done) / Double(max(total, 1)), counted(Int(total), "set") + " of units")
      return !Interrupt.isRequested
    }
    return try Interrupt.during(stop: {}) { () throws(RallyError) in
      try Lineage.compare(first, second, options: options)
    }
  }
}
