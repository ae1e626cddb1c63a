import CRally
import Glibc
import Rally

/// Runs one call of the C interface: what it throws becomes its status and fills `error`.
func status(
  _ error: UnsafeMutablePointer<rally_error>?, _ body: () throws(RallyError) -> Void
) -> rally_status {
  do throws(RallyError) {
    try body()
    return RALLY_OK
  } catch let failure {
    unsafe report(failure, to: error)
    return rally_status(rawValue: rally_status.RawValue(failure.code.rawValue))
  }
}

/// Writes code and message into the part of the struct that the caller has.
private func report(_ failure: RallyError, to error: UnsafeMutablePointer<rally_error>?) {
  guard let error = unsafe error, unsafe isAligned(error) else { return }
  guard let codeOffset = MemoryLayout<rally_error>.offset(of: \.code),
    let messageOffset = MemoryLayout<rally_error>.offset(of: \.message)
  else { return }
  let size = unsafe min(error.pointee.struct_size, MemoryLayout<rally_error>.size)
  let bytes = UnsafeMutableRawPointer(error)
  if size >= codeOffset + MemoryLayout<rally_status>.size {
    let code = rally_status.RawValue(failure.code.rawValue)
    unsafe bytes.storeBytes(of: code, toByteOffset: codeOffset, as: rally_status.RawValue.self)
  }
  if size > messageOffset {
    unsafe copy(failure.message, to: bytes + messageOffset, capacity: size - messageOffset)
  }
}

/// Copies text as a C string, cut at a character where it does not fit; newlines become spaces.
private func copy(_ text: String, to destination: UnsafeMutableRawPointer, capacity: Int) {
  var count = 0
  for scalar in text.unicodeScalars {
    let shown = scalar.value < 0x20 ? " " : scalar
    let bytes = UTF8.encode(shown).map(Array.init) ?? []
    guard count + bytes.count < capacity else { break }
    for byte in bytes {
      unsafe destination.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
      count += 1
    }
  }
  unsafe destination.storeBytes(of: 0, toByteOffset: count, as: UInt8.self)
}
