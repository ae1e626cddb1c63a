import Kernels
import Models
import Tensors

extension Model {
  /// A hash of all that a row's result depends on: the pairs and weights of the file, and the type of the products.
  static func fingerprint(of file: ModelFile, dataType: DataType, pool: WorkerPool) -> UInt64 {
    let tensors = file.tensors
    var sums = Array(repeating: UInt64(0), count: tensors.count)
    unsafe sums.withUnsafeMutableBufferPointer { sums in
      let results = unsafe Results(first: sums.baseAddress)
      pool.parallelFor(tensors.count, with: (tensors, results)) { job, index, _ in
        let (tensors, results) = job
        let scales = unsafe tensors[index].scales.withUnsafeBytes { unsafe hash($0) }
        unsafe results.first?[index] = hash(tensors[index].data) ^ scales
      }
    }
    let pairs = file.metadata.map { "\($0.key)=\($0.value)" }
    let descriptions = zip(tensors, sums).map { "\($0.name) \($0.dataType) \($0.shape.extents) \($1)" }
    var text = (pairs + descriptions + ["products in \(dataType)"]).joined(separator: "\n")
    return text.withUTF8 { unsafe hash(UnsafeRawBufferPointer($0)) }
  }

  /// Where the workers write, each to its own place.
  @safe
  private struct Results: @unchecked Sendable {
    @unsafe let first: UnsafeMutablePointer<UInt64>?
  }

  /// Sees changed, missing and exchanged bytes; four lanes, so that it keeps up with memory. [ours]
  private static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    let factor: UInt64 = 0x9E37_79B9_7F4A_7C15
    func mixed(_ lane: UInt64, _ word: UInt64) -> UInt64 {
      let product = (lane ^ word) &* factor
      return product ^ product >> 29
    }
    func word(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    var lanes: (UInt64, UInt64, UInt64, UInt64) = (1, 2, 3, 4)
    var offset = 0
    while offset + 32 <= bytes.count {
      lanes.0 = mixed(lanes.0, word(offset))
      lanes.1 = mixed(lanes.1, word(offset + 8))
      lanes.2 = mixed(lanes.2, word(offset + 16))
      lanes.3 = mixed(lanes.3, word(offset + 24))
      offset += 32
    }
    var sum = UInt64(bytes.count)
    for lane in [lanes.0, lanes.1, lanes.2, lanes.3] { sum = mixed(sum, lane) }
    while offset < bytes.count {
      sum = mixed(sum, UInt64(unsafe bytes[offset]))
      offset += 1
    }
    return sum
  }
}
