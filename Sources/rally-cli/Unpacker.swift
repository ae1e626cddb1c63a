import CPacking
import Glibc

/// Unpacks a stream of bytes, piece by piece.
@safe
final class Unpacker {
  private let stream: OpaquePointer

  /// - Returns: nil for what zlib and libzstd do not read, and where there is no memory.
  init?(_ packing: Packing) {
    let number: Int =
      switch packing {
      case .gzip: RPK_GZIP
      case .zstd: RPK_ZSTD
      default: 0
      }
    guard number != 0, let stream = unsafe rpk_open(CInt(number)) else { return nil }
    unsafe self.stream = stream
  }

  deinit { unsafe rpk_close(stream) }

  /// Whether the packed bytes may end here.
  var isBetweenMembers: Bool { unsafe rpk_is_between(stream) != 0 }

  /// Unpacks `packed` to the end of `output`, `size` bytes at most.
  /// - Returns: the number of bytes that were taken from `packed`; nil where they are damaged.
  func step(_ packed: ArraySlice<UInt8>, into output: inout [UInt8], size: Int) -> Int? {
    let known = output.count
    output.append(contentsOf: repeatElement(0, count: size))
    var (consumed, produced) = (0, 0)
    let status = unsafe packed.withUnsafeBufferPointer { input in
      unsafe output.withUnsafeMutableBufferPointer { room in
        unsafe rpk_step(
          stream, input.baseAddress, input.count, &consumed, room.baseAddress! + known, size, &produced)
      }
    }
    output.removeSubrange((known + produced)...)
    return status == 0 ? consumed : nil
  }
}
