public import Engine
import Files

/// The events of one request: `for try await event in try client.submit(request)`.
///
/// To be read once, by one task. Throws what went wrong with the engine, and `CancellationError` where the reading task was
/// cancelled.
public struct TokenEvents: AsyncSequence, Sendable {
  public typealias Element = TokenEvent

  /// The engine's number for the request.
  public let request: Int
  let stream: AsyncThrowingStream<TokenEvent, any Error>
  /// Ends when nothing holds it.
  let client: EngineClient

  public func makeAsyncIterator() -> Iterator { Iterator(base: stream.makeAsyncIterator(), client: client) }

  /// All text that is left, as one string; without the stop string that ended it, unless the request includes it.
  public func text() async throws -> String {
    var bytes: [UInt8] = []
    for try await event in self { bytes += event.textBytes }
    return String(decoding: bytes, as: UTF8.self)
  }

  public struct Iterator: AsyncIteratorProtocol {
    var base: AsyncThrowingStream<TokenEvent, any Error>.Iterator
    let client: EngineClient

    /// The next event; nil after the last.
    public mutating func next() async throws -> TokenEvent? {
      if let event = try await base.next() { return event }
      try Task.checkCancellation()
      return nil
    }
  }
}
