/// The 256 printable characters that byte-level vocabularies are written in.
///
/// Bytes that print on their own (`!`…`~`, `¡`…`¬`, `®`…`ÿ`) stand for themselves; the other 68 take
/// U+0100 and up, in byte order, so that a space is written `Ġ`. Source: `bytes_to_unicode` of GPT-2.
enum ByteAlphabet {
  /// The scalar of each byte, `[256]`.
  static let scalars: [Unicode.Scalar] = {
    var unprintable = UInt16(0x100)
    return (UInt8.min...UInt8.max).map { byte in
      if isPrintable(byte) { return Unicode.Scalar(byte) }
      defer { unprintable += 1 }
      return Unicode.Scalar(unprintable) ?? Unicode.Scalar(byte)
    }
  }()

  /// The byte of each scalar below U+0144, −1 where there is none.
  private static let bytes: [Int16] = {
    var table = [Int16](repeating: -1, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { table[Int(scalar.value)] = Int16(byte) }
    return table
  }()

  private static func isPrintable(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: true
    default: false
    }
  }

  /// The byte that `scalar` stands for, or nil for a character outside the alphabet.
  static func byte(of scalar: Unicode.Scalar) -> UInt8? {
    guard scalar.value < 0x144 else { return nil }
    return UInt8(exactly: bytes[Int(scalar.value)])
  }

  /// `bytes` written in the alphabet.
  static func text(of bytes: some Sequence<UInt8>) -> String {
    var text = String.UnicodeScalarView()
    for byte in bytes { text.append(scalars[Int(byte)]) }
    return String(text)
  }
}
