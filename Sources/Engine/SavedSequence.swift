import Files
import Glibc
import Kernels

/// What is saved of a sequence, in front of its keys and values. Numbers are little-endian.
///
///     bytes    content
///     0…7      "RALLYSEQ"
///     8…15     format version
///     16…23    fingerprint of the model, and of the type it computes in
///     24…31    what else keys and values depend on: depth budget and target
///     32…39    tokens of the prompt
///     40…47    tokens of prompt and text, n
///     48…55    tokens whose keys and values follow, c < n
///     56…63    type of keys and values: 0 f32, 1 bf16, 2 int8; not in version 1, which has f32
///     64…      tokens [n] i32 · depths [c] u8 · zeros to a multiple of 8
///              for each slot: keys [entries, G·K], values [entries, G·K], int8 with the scales of an entry,
///              [G, ⌈K / 32⌉] f32, after its key, and its value · zeros to a multiple of 8
///     last 8   checksum of all before
struct SavedSequence {
  static let magic: UInt64 = 0x5145_5359_4C4C_4152
  static let versions: ClosedRange<UInt64> = 1...2
  private static let cacheTypes: [CacheType] = [.f32, .bf16, .int8]

  private(set) var version = versions.upperBound

  var fingerprint: UInt64
  var prefixKey: UInt64
  var promptCount: Int
  var cacheType: CacheType
  var tokens: [Int32]
  var depths: [UInt8]

  /// Bytes before the keys and values.
  var byteCount: Int { Self.byteCount(version, tokens: tokens.count, depths: depths.count) }

  private static func headerByteCount(_ version: UInt64) -> Int { version == 1 ? 56 : 64 }

  private static func byteCount(_ version: UInt64, tokens: Int, depths: Int) -> Int {
    (headerByteCount(version) + tokens * MemoryLayout<Int32>.stride + depths + 7) / 8 * 8
  }

  func write(to bytes: UnsafeMutableRawBufferPointer) {
    let header = [
      Self.magic, version, fingerprint, prefixKey, UInt64(promptCount), UInt64(tokens.count), UInt64(depths.count),
      UInt64(Self.cacheTypes.firstIndex(of: cacheType) ?? 0),
    ]
    for (index, word) in header.enumerated() {
      unsafe bytes.storeBytes(of: word.littleEndian, toByteOffset: 8 * index, as: UInt64.self)
    }
    var offset = Self.headerByteCount(version)
    for token in tokens {
      unsafe bytes.storeBytes(of: token.littleEndian, toByteOffset: offset, as: Int32.self)
      offset += 4
    }
    for depth in depths {
      unsafe bytes[offset] = depth
      offset += 1
    }
    while offset < byteCount {
      unsafe bytes[offset] = 0
      offset += 1
    }
  }

  /// - Throws: `corruptFile`, `unsupportedVersion`.
  init(_ bytes: UnsafeRawBufferPointer) throws(RallyError) {
    let least = Self.headerByteCount(Self.versions.lowerBound) + 8
    guard bytes.count >= least, bytes.count % 8 == 0 else {
      throw .corruptState("at least \(least) bytes, a multiple of 8", "\(bytes.count)")
    }
    func word(_ index: Int) -> UInt64 {
      UInt64(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
    }
    guard word(0) == Self.magic else { throw .corruptState("a saved sequence", "other bytes") }
    version = word(1)
    guard Self.versions ~= version else {
      throw RallyError(
        .unsupportedVersion, "saved sequence", expected: "version \(Self.versions.lowerBound) or \(Self.versions.upperBound)",
        found: "\(version)")
    }
    let body = unsafe UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count - 8)])
    guard unsafe Self.checksum(body) == word(body.count / 8) else {
      throw .corruptState("the checksum that was saved", "another; the bytes have changed")
    }
    fingerprint = word(2)
    prefixKey = word(3)
    let most = UInt64(bytes.count)
    guard word(5) <= most, word(6) < word(5), word(4) >= 1, word(4) <= word(5) else {
      throw .corruptState("counts that fit together", "\(word(4)), \(word(5)), \(word(6))")
    }
    promptCount = Int(word(4))
    let (tokenCount, depthCount) = (Int(word(5)), Int(word(6)))
    guard Self.byteCount(version, tokens: tokenCount, depths: depthCount) <= body.count else {
      throw .corruptState("\(tokenCount) tokens", "fewer bytes")
    }
    let typeNumber = version == 1 ? 0 : word(7)
    guard typeNumber < Self.cacheTypes.count else {
      throw .corruptState("a type of keys and values below \(Self.cacheTypes.count)", "\(typeNumber)")
    }
    cacheType = Self.cacheTypes[Int(typeNumber)]
    let tokenStart = Self.headerByteCount(version)
    let depthStart = tokenStart + 4 * tokenCount
    tokens = (0..<tokenCount).map {
      Int32(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: tokenStart + 4 * $0, as: Int32.self))
    }
    depths = unsafe Array(bytes[depthStart..<depthStart + depthCount])
  }

  init(
    fingerprint: UInt64, prefixKey: UInt64, promptCount: Int, cacheType: CacheType, tokens: [Int32], depths: [UInt8]
  ) {
    self.fingerprint = fingerprint
    self.prefixKey = prefixKey
    self.promptCount = promptCount
    self.cacheType = cacheType
    self.tokens = tokens
    self.depths = depths
  }

  /// Of a multiple of 8 bytes; sees changed, missing and exchanged words. [ours]
  static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var sum = UInt64(bytes.count)
    for offset in stride(from: 0, to: bytes.count - 7, by: 8) {
      let word = UInt64(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      sum = (sum ^ word) &* 0x9E37_79B9_7F4A_7C15
      sum ^= sum >> 29
    }
    return sum
  }
}

extension RallyError {
  static func corruptState(_ expected: String, _ found: String) -> RallyError {
    RallyError(.corruptFile, "saved sequence", expected: expected, found: found)
  }
}
