import CRally
import Glibc
import Rally
import Synchronization

/// What a `rally_decoder *` stands for.
final class DecoderHandle: Sendable {
  static let table = HandleTable<DecoderHandle>("decoder", tag: 2)

  private let decoder: Mutex<StreamDecoder>

  init(_ decoder: sending StreamDecoder) { self.decoder = Mutex(decoder) }

  /// Moves the stream forward, or not at all when `body` throws, or only asks what it would give.
  func advance(if takes: Bool, _ body: (inout StreamDecoder) throws(RallyError) -> Void) throws(RallyError) {
    try decoder.withLock { (decoder) throws(RallyError) in
      var next = decoder
      try body(&next)
      if takes { decoder = next }
    }
  }
}
