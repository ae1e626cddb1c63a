import Kernels
import Files
import Tensors

/// The first bytes of a prepared file: what it is, for which processor, and how long.
///
/// Numbers are little-endian. After the header, up to `weightsOffset`, comes the description (`PreparedFront`), filled up with
/// zeros; then the packed weights, each part on a page or on a cache line.
struct PreparedHeader {
  static let byteCount = 256
  /// Of the first bytes of every version; the line ends show whether a text mode went over it.
  static let magic: [UInt8] = [0x89] + Array("rally\r\n".utf8)
  static let version: UInt64 = 1
  /// Parts of the file begin at multiples of it.
  static let pageByteCount = 4096
  /// Of the digests: one `absorb` for each.
  static let chunkByteCount = 1 << 20
  /// More than a tokenizer of `ModelLimits` needs.
  static let frontLimit = 1 << 30
  private static let layoutPlace = 48
  private static let digestPlace = 248

  var fileByteCount = 0
  var weightsOffset = 0
  var frontDigest: UInt64 = 0
  var weightsDigest: UInt64 = 0
  /// `PackedMatrix.layout`.
  var layout = ""

  var bytes: [UInt8] {
    var writer = PreparedBytesWriter()
    writer.append(Self.version)
    writer.append(fileByteCount)
    writer.append(weightsOffset)
    writer.append(frontDigest)
    writer.append(weightsDigest)
    var bytes = Self.magic + writer.bytes + Array(layout.utf8)
    precondition(bytes.count < Self.digestPlace)
    bytes += [UInt8](repeating: 0, count: Self.digestPlace - bytes.count)
    var digest = PreparedBytesWriter()
    digest.append(Self.digest(of: bytes))
    return bytes + digest.bytes
  }

  init() {}

  /// - Parameter bytes: all of them.
  /// - Throws: `unsupportedVersion`; `corruptFile` for bytes that were changed.
  init(_ bytes: [UInt8], path: String) throws(RallyError) {
    let numbers = (1..<6).map { Self.number(bytes, at: $0 * 8) }
    guard numbers[0] == Self.version else {
      throw RallyError(
        .unsupportedVersion, path, expected: "a prepared file of version \(Self.version)", found: "version \(numbers[0])",
        remedy: Self.remedy)
    }
    guard Self.number(bytes, at: Self.digestPlace) == Self.digest(of: Array(bytes[..<Self.digestPlace])),
      let size = Int(exactly: numbers[1]), let offset = Int(exactly: numbers[2]),
      let layout = String(validating: bytes[Self.layoutPlace..<Self.digestPlace].prefix { $0 != 0 }, as: UTF8.self)
    else {
      throw RallyError(
        .corruptFile, path, expected: "the header of a prepared file with its digest", found: "another digest",
        remedy: Self.remedy)
    }
    (fileByteCount, weightsOffset, self.layout) = (size, offset, layout)
    (frontDigest, weightsDigest) = (numbers[3], numbers[4])
  }

  private static func number(_ bytes: [UInt8], at place: Int) -> UInt64 {
    var number: UInt64 = 0
    for index in 0..<8 { number |= UInt64(bytes[place + index]) << UInt64(8 * index) }
    return number
  }

  static var remedy: String { "prepare it again from the original" }

  private static func digest(of bytes: [UInt8]) -> UInt64 {
    var digest = Digest()
    unsafe bytes.withUnsafeBytes { unsafe digest.absorb($0) }
    return digest.value
  }
}
