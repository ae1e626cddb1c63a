import Kernels
package import Files
import Tensors

extension PreparedFile {
  /// Writes packed weights and all that belongs to them, and puts the file in its place in one step.
  ///
  /// - Parameters:
  ///   - source: the model file, whose readers may read the new one.
  ///   - yields: what another process puts there meanwhile stays; it holds the same.
  ///   - progress: gets bytes that were written, and those in all; false cancels.
  /// - Throws: `io`, `notAFile` for the output; `cancelled`. What stood there is untouched then.
  package static func write(
    _ weights: ModelWeights, _ facts: ModelFacts, contentDigest: [UInt8], original: PreparedOriginal, madeOf source: String,
    to path: String, yields: Bool = false, progress: ModelFile.Progress? = nil
  ) throws(RallyError) {
    var front = PreparedFront(
      facts: facts, dataType: weights.dataType, contentDigest: contentDigest, original: original, places: [])
    // Numbers have one length whatever they say, so that places may be filled in afterwards.
    front.places = places(of: weights, from: 0).list
    let weightsOffset = PreparedHeader.wholePages(PreparedHeader.byteCount + front.encoded().count)
    let (places, end) = places(of: weights, from: weightsOffset)
    front.places = places
    var description = front.encoded()
    description += [UInt8](repeating: 0, count: weightsOffset - PreparedHeader.byteCount - description.count)

    var header = PreparedHeader()
    (header.fileByteCount, header.weightsOffset, header.layout) = (end, weightsOffset, PackedMatrix.layout)
    var digest = Digest()
    unsafe description.withUnsafeBytes { unsafe digest.absorb($0) }
    header.frontDigest = digest.value

    var file = try ReplacementFile(path: path, madeOf: source)
    try file.write(header.bytes + description)
    var stream = try WeightStream()
    for (piece, place) in zip(weights.pieces, places) {
      guard progress?(UInt64(file.byteCount), UInt64(end)) ?? true else {
        throw RallyError(.cancelled, "preparing", found: "cancelled by the progress callback")
      }
      for (index, range) in place.parts.enumerated() where range.byteCount > 0 {
        try stream.fill(to: range.offset - weightsOffset, &file)
        unsafe try stream.write(piece.parts[index], &file)
      }
    }
    try stream.fill(to: end - weightsOffset, &file)
    header.weightsDigest = try stream.finish(&file)
    let bytes = header.bytes
    var failure: RallyError?
    unsafe bytes.withUnsafeBytes { bytes in
      do throws(RallyError) { try unsafe file.overwrite(bytes, at: 0) } catch { failure = error }
    }
    if let failure { throw failure }
    try file.protect()
    try file.commit(yields: yields)
  }

  /// Parts of a page and more begin on a page, smaller ones on a cache line.
  private static func places(of weights: ModelWeights, from start: Int) -> (list: [PreparedPlace], end: Int) {
    var end = start
    let list = weights.pieces.map { piece in
      let parts = unsafe piece.parts.map { part in
        let alignment = part.count >= PreparedHeader.pageByteCount ? PreparedHeader.pageByteCount : AlignedStorage<UInt8>.alignment
        let offset = (end + alignment - 1) / alignment * alignment
        if part.count > 0 { end = offset + part.count }
        return (offset, part.count)
      }
      return PreparedPlace(key: piece.key, parts: parts, form: piece.form)
    }
    return (list, PreparedHeader.wholePages(end))
  }
}

extension PreparedHeader {
  fileprivate static func wholePages(_ byteCount: Int) -> Int { (byteCount + pageByteCount - 1) / pageByteCount * pageByteCount }
}

/// Bytes on their way to the file, cut into the chunks that the digest takes in.
private struct WeightStream: ~Copyable {
  private let buffer: AlignedStorage<UInt8>
  private var count = 0
  private var done = 0
  private var digest = Digest()

  init() throws(RallyError) { buffer = try AlignedStorage(count: PreparedHeader.chunkByteCount) }

  @unsafe
  mutating func write(_ bytes: UnsafeRawBufferPointer, _ file: inout ReplacementFile) throws(RallyError) {
    var place = 0
    while place < bytes.count, let base = bytes.baseAddress {
      let step = min(bytes.count - place, buffer.count - count)
      unsafe UnsafeMutableRawPointer(buffer.base + count).copyMemory(from: base + place, byteCount: step)
      (place, count, done) = (place + step, count + step, done + step)
      if count == buffer.count { try flush(&file) }
    }
  }

  /// Zeros up to a place among the weights.
  mutating func fill(to place: Int, _ file: inout ReplacementFile) throws(RallyError) {
    let zeros = [UInt8](repeating: 0, count: min(place - done, PreparedHeader.pageByteCount))
    while done < place {
      let step = zeros.prefix(place - done)
      var failure: RallyError?
      unsafe step.withUnsafeBytes { bytes in
        do throws(RallyError) { unsafe try write(bytes, &file) } catch { failure = error }
      }
      if let failure { throw failure }
    }
  }

  mutating func finish(_ file: inout ReplacementFile) throws(RallyError) -> UInt64 {
    try flush(&file)
    return digest.value
  }

  private mutating func flush(_ file: inout ReplacementFile) throws(RallyError) {
    guard count > 0 else { return }
    let bytes = unsafe UnsafeRawBufferPointer(start: buffer.base, count: count)
    unsafe digest.absorb(bytes)
    unsafe try file.write(bytes)
    count = 0
  }
}
