import Rally

/// Ends the program with one line that says what to do.
struct CommandFailure: Error {
  var status: ExitStatus
  /// Empty when there is nothing to say.
  var message: String

  init(_ status: ExitStatus, _ message: String = "") {
    self.status = status
    self.message = message
  }

  init(_ error: RallyError) {
    // Whoever pressed Ctrl-C knows.
    self.init(ExitStatus(error.code), error.code == .cancelled ? "" : error.message)
  }

  static var interrupted: CommandFailure { CommandFailure(.interrupted) }

  func report() {
    guard !message.isEmpty else { return }
    StandardError.line("\(StandardError.style.red("rally:")) \(message)")
  }
}
