import Kernels

/// A host's own sampler or grammar: sees the logits of all requests that have it, whenever they draw a token, and may change them.
@safe
public struct LogitsProcessor: Sendable {
  /// One row, before a token is drawn from it. Its pointers are valid during the call.
  @unsafe
  public struct Row {
    public var request: Int
    /// The request's own.
    public var tag: UInt
    /// [vocabulary] f32; −∞ forbids a token.
    public var values: UnsafeMutableBufferPointer<Float>
    /// Prompt and text so far.
    public var tokens: UnsafeBufferPointer<Int32>
    public var promptCount: Int
    /// Recursions that the last token ran through.
    public var depth: Int32
  }

  /// Requests with equal identities are seen together.
  public struct Identity: Hashable, Sendable {
    private let first, second: UInt

    public init(_ first: UInt, _ second: UInt = 0) {
      self.first = first
      self.second = second
    }
  }

  public let identity: Identity
  /// Returns false to end the requests of the rows.
  let body: @Sendable ([Row]) -> Bool

  public init(_ identity: Identity, _ body: @escaping @Sendable ([Row]) -> Bool) {
    self.identity = identity
    unsafe self.body = body
  }
}
