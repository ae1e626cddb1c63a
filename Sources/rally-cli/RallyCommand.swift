import ArgumentParser
import CRally
import Glibc
import Kernels
import Rally

@main
struct RallyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rally",
    abstract: "Runs Mixture-of-Recursions language models and DataRaters on the CPU.",
    discussion: """
      Data goes to standard output; messages, statistics and progress go to standard error.
      Colours appear on a terminal only, and not with NO_COLOR in the environment.

      Exit codes:
      \(ExitStatus.allCases.map { "  \(String($0.rawValue).padded(to: 3, .right))  \($0.meaning)" }.joined(separator: "\n"))
      """,
    version: "rally \(RALLY_VERSION_MAJOR).\(RALLY_VERSION_MINOR).\(RALLY_VERSION_PATCH) (\(InstructionSet.current))",
    subcommands: [
      InspectCommand.self, GenerateCommand.self, ScoreCommand.self, PerplexityCommand.self, BenchCommand.self,
      QuantizeCommand.self, PrepareCommand.self, LineageCommand.self, ExposureCommand.self,
    ])

  static func main() {
    Interrupt.watch()
    do {
      var command = try parseAsRoot(arguments(Array(CommandLine.arguments.dropFirst())))
      try command.run()
    } catch {
      Glibc.exit(status(of: error).rawValue)
    }
  }

  /// `score --text` without a name says what `--plain` does, as it always did.
  private static func arguments(_ given: [String]) -> [String] {
    guard given.first == "score" else { return given }
    return given.indices.map { place in
      let isBare = given[place] == "--text" && (place + 1 == given.count || given[place + 1].hasPrefix("-"))
      return isBare ? "--plain" : given[place]
    }
  }

  /// Says in one line what went wrong; help and version are no errors and end the program here.
  private static func status(of error: any Error) -> ExitStatus {
    switch error {
    case let failure as CommandFailure:
      failure.report()
      return failure.status
    case let error as RallyError:
      let failure = CommandFailure(error)
      failure.report()
      return failure.status
    default:
      if exitCode(for: error).isSuccess { exit(withError: error) }
      let message = message(for: error).split(separator: "\n").joined(separator: " ")
      let names = configuration.subcommands.map { $0.configuration.commandName ?? "" }
      let command = CommandLine.arguments.dropFirst().first { names.contains($0) }
      let help = command.map { "rally \($0) --help" } ?? "rally --help"
      CommandFailure(.arguments, "\(message.withoutFullStop); see '\(help)'").report()
      return .arguments
    }
  }
}

extension String {
  fileprivate var withoutFullStop: String { hasSuffix(".") ? String(dropLast()) : self }
}
