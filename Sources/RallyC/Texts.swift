import Glibc
import Rally
import Files

/// A C string that the caller passes.
/// - Throws: `invalidArgument` for NULL and for bytes that are not UTF-8.
func text(_ pointer: UnsafePointer<CChar>?, _ name: String) throws(RallyError) -> String {
  let pointer = try unsafe required(pointer, name)
  guard let text = unsafe String(validatingCString: pointer) else {
    throw RallyError(.invalidArgument, name, expected: "UTF-8 text", found: "other bytes")
  }
  return text
}

/// A path that the caller passes, of any bytes.
/// - Throws: `invalidArgument` for NULL.
func path(_ pointer: UnsafePointer<CChar>?, _ name: String) throws(RallyError) -> String {
  unsafe SystemPath.text(try required(pointer, name))
}

/// A C string that is kept for the life of the process; one per text.
func staticText(_ text: String) -> UnsafePointer<CChar>? {
  unsafe StaticTexts.known.withLock { texts in
    if let known = texts[text] { return unsafe known.pointer }
    let made = CText(text)
    texts[text] = made
    return unsafe made.pointer
  }
}

private enum StaticTexts {
  static let known = ForkSafe([String: CText]())
}

/// Text that ends with a NUL, in memory that C code may read as long as this object lives.
@safe
final class CText: @unchecked Sendable {  // never changed
  @unsafe let pointer: UnsafePointer<CChar>?

  init(_ text: String) { unsafe pointer = UnsafePointer(strdup(text)) }
  deinit { unsafe free(UnsafeMutablePointer(mutating: pointer)) }
}

/// An address that means something to the host alone; it answers for the threads that use it.
@safe
struct HostPointer: @unchecked Sendable {
  @unsafe let pointer: UnsafeMutableRawPointer?
  init(_ pointer: UnsafeMutableRawPointer?) { unsafe self.pointer = pointer }
}

/// - Throws: `invalidArgument` when `index` is not in `0 ..< count`.
func check(_ index: Int, _ name: String, below count: Int) throws(RallyError) {
  guard index >= 0, index < count else {
    throw RallyError(
      .invalidArgument, name, expected: "below \(count)", found: "\(UInt(bitPattern: index))")
  }
}
