import CRally
import Files
import Glibc
import Rally

/// What a `rally_decoder *` stands for.
final class DecoderHandle: Sendable {
  static let table = HandleTable<DecoderHandle>("decoder", tag: 2)

  private let decoder: ForkSafe<StreamDecoder>

  init(_ decoder: sending StreamDecoder) { self.decoder = ForkSafe(decoder) }

  /// Moves the stream forward, or not at all when `body` throws, or only asks what it would give.
  func advance(if takes: Bool, _ body: (inout StreamDecoder) throws(RallyError) -> Void) throws(RallyError) {
    try decoder.withLock { (decoder) throws(RallyError) in
      var next = decoder
      try body(&next)
      if takes { decoder = next }
    }
  }
}
