import Glibc
import Synchronization

/// Ctrl-C: the first one asks the work in progress to end, a second one ends the program.
///
/// A thread of its own waits for the signal, so nothing has to be safe in a signal handler. Where no
/// work is in progress, the program is waiting for input and the first one ends it.
enum Interrupt {
  private static let requested = Atomic<Bool>(false)
  private static let action = Mutex<(@Sendable () -> Void)?>(nil)

  static var isRequested: Bool { requested.load(ordering: .acquiring) }

  /// Called first of all: threads that start later inherit the blocked signal.
  static func watch() {
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGINT)
    unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    var thread = pthread_t()
    let status = unsafe pthread_create(
      &thread, nil,
      { _ in
        Interrupt.wait()
        return nil
      }, nil)
    // Without the thread, Ctrl-C does what it does to any program.
    if status == 0 { pthread_detach(thread) } else { unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil) }
  }

  /// Runs `body`; on Ctrl-C, `stop` is called on another thread.
  static func during<Result, Failure: Error>(
    stop: @escaping @Sendable () -> Void, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    action.withLock { $0 = stop }
    defer { action.withLock { $0 = nil } }
    return try body()
  }

  private static func wait() {
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGINT)
    while true {
      var signal: CInt = 0
      guard unsafe sigwait(&signals, &signal) == 0 else { continue }
      let isSecond = requested.exchange(true, ordering: .acquiringAndReleasing)
      guard !isSecond, let stop = action.withLock({ $0 }) else { _exit(ExitStatus.interrupted.rawValue) }
      stop()
    }
  }
}
