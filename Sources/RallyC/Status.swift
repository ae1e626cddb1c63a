import CHost
import CRally
import Glibc
import Rally
import Files

/// What small things of one call take together: texts, lists, a message. Swift cannot go on where one of them gets no memory.
private let callByteCount = 1 << 20

/// Runs one call of the C interface: what it throws becomes its status and fills `error`.
///
/// The call computes in the floating-point state that Rally means, whatever the host's is, and leaves the host's as it was.
/// Without memory for small things it does not begin. Whoever cancels the thread meanwhile finds it after the call.
func status(
  _ error: UnsafeMutablePointer<rally_error>?, _ body: () throws(RallyError) -> Void
) -> rally_status {
  rh_watch_forks()
  let cancellation = keepThread()
  defer { letThreadGo(cancellation) }
  var host = unsafe rh_fp_state()
  unsafe rh_fp_enter(&host)
  defer { unsafe rh_fp_leave(&host) }
  guard rh_has_headroom(callByteCount) else {
    unsafe report(.outOfMemory, "memory: expected 1 MB for the call itself, found less; raise the limit of this process", to: error)
    return RALLY_OUT_OF_MEMORY
  }
  do throws(RallyError) {
    try body()
    return RALLY_OK
  } catch let failure {
    unsafe report(failure.code, failure.message, to: error)
    return rally_status(rawValue: rally_status.RawValue(failure.code.rawValue))
  }
}

/// Closes a handle, which may wait for threads: a thread that is cancelled meanwhile ends afterwards.
func closing(_ body: () -> Void) {
  let cancellation = keepThread()
  defer { letThreadGo(cancellation) }
  body()
}

/// Makes cancelling the calling thread wait: unwound in the middle of a call, it would leave locks, threads and files behind.
private func keepThread() -> CInt {
  var before: CInt = 0
  unsafe _ = pthread_setcancelstate(CInt(PTHREAD_CANCEL_DISABLE), &before)
  return before
}

private func letThreadGo(_ before: CInt) { _ = pthread_setcancelstate(before, nil) }

/// Writes code and message into the part of the struct that the caller has.
private func report(_ failure: RallyError.Code, _ message: String, to error: UnsafeMutablePointer<rally_error>?) {
  guard let error = unsafe error, unsafe isAligned(error) else { return }
  guard let codeOffset = MemoryLayout<rally_error>.offset(of: \.code),
    let messageOffset = MemoryLayout<rally_error>.offset(of: \.message)
  else { return }
  let size = unsafe min(error.pointee.struct_size, MemoryLayout<rally_error>.size)
  let bytes = UnsafeMutableRawPointer(error)
  if size >= codeOffset + MemoryLayout<rally_status>.size {
    let code = rally_status.RawValue(failure.rawValue)
    unsafe bytes.storeBytes(of: code, toByteOffset: codeOffset, as: rally_status.RawValue.self)
  }
  if size > messageOffset {
    unsafe copy(message, to: bytes + messageOffset, capacity: size - messageOffset)
  }
}

/// Calls a function of the host's in the host's own floating-point state, and with no call in progress on this thread: where the
/// host has coroutines, other calls begin there and go on after this one.
func calling<Result>(_ function: () -> Result) -> Result {
  let budget = unsafe rh_budget()
  _ = rh_set_budget(nil)
  let call = unsafe rh_fp_enter_host()
  defer {
    unsafe rh_fp_leave_host(call)
    _ = unsafe rh_set_budget(budget)
  }
  return function()
}

/// Copies text as a C string, cut at a character where it does not fit; newlines become spaces.
private func copy(_ text: String, to destination: UnsafeMutableRawPointer, capacity: Int) {
  var count = 0
  for scalar in text.unicodeScalars {
    // A byte of a path that is no text: one sign that stands for it, as everywhere.
    let shown = SystemPath.byte(of: scalar) != nil ? "\u{FFFD}" : scalar.value < 0x20 ? " " : scalar
    guard count + UTF8.width(shown) < capacity else { break }
    UTF8.encode(shown)?.forEach { byte in
      unsafe destination.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
      count += 1
    }
  }
  unsafe destination.storeBytes(of: 0, toByteOffset: count, as: UInt8.self)
}
