import ArgumentParser
import Kernels
import Rally

/// Where and how results are written.
struct BenchOutputArguments: ParsableArguments {
  @Option(name: [.short, .long], help: "Format of standard output.")
  var output = BenchFormat.md

  @Flag(help: "The same as -o json.")
  var json = false

  @Option(
    name: [.customLong("oe", withSingleDash: true), .customLong("output-err")],
    help: "Format of standard error, alongside the other. (default: none)")
  var errorOutput: BenchFormat?

  @Flag(help: "Say on standard error what runs, on whatever it is.")
  var progress = false

  @Flag(name: [.short, .long], help: "Say on standard error where the time went.")
  var verbose = false

  var format: BenchFormat { json ? .json : output }
}

extension BenchFormat: ExpressibleByArgument {}

enum ArgumentRange {
  static func require(_ value: Int, _ range: ClosedRange<Int>, _ name: String) throws {
    guard !range.contains(value) else { return }
    throw ValidationError("\(name): expected \(range.lowerBound)…\(range.upperBound), found \(value)")
  }
}
