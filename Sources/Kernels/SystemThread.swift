import CHost
package import Glibc

/// Threads of the system, which Swift's own tasks know nothing of.
package enum SystemThread {
  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Starts a thread with every signal blocked.
  ///
  /// - Parameters:
  ///   - stackByteCount: of its stack, besides the host's variables of a thread, which lie there as well.
  ///   - isDetached: nothing waits for its end; else the caller joins it.
  ///   - run: what it does; released when the thread ends.
  /// - Returns: nil where the system refuses a thread.
  package static func start(
    stackByteCount: Int, isDetached: Bool = false, _ run: @escaping @Sendable () -> Void
  ) -> pthread_t? {
    let body = unsafe Unmanaged.passRetained(Body(run))
    var all = sigset_t()
    var previous = sigset_t()
    var attributes = pthread_attr_t()
    var thread = pthread_t()
    unsafe sigfillset(&all)
    unsafe pthread_attr_init(&attributes)
    unsafe pthread_attr_setstacksize(&attributes, stackByteCount + rh_thread_local_bytes())
    if isDetached { unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED)) }
    unsafe pthread_sigmask(SIG_SETMASK, &all, &previous)
    let status = unsafe pthread_create(
      &thread, &attributes,
      { argument in
        if let argument = unsafe argument { unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, body.toOpaque())
    unsafe pthread_sigmask(SIG_SETMASK, &previous, nil)
    unsafe pthread_attr_destroy(&attributes)
    guard status == 0 else {
      unsafe body.release()
      return nil
    }
    return thread
  }
}
