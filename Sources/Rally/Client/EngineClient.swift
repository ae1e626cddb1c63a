public import Engine
public import Files
public import Models

/// An engine with a thread of its own: any task submits and cancels, and each request is a sequence of events.
///
/// For programs that use Swift's concurrency. One that drives an engine itself, step by step, takes `Engine`; one that waits for a
/// few texts takes `Runner.generate`. The engine ends with the last reference to
/// the client and to the events of its requests.
public final class EngineClient: Sendable {
  public let model: Model
  private let driver: EngineDriver

  /// Starts the threads and takes all memory that the engine will use.
  /// - Throws: as `Engine`; `outOfMemory` where the system has no thread left.
  public init(model: Model, options: EngineOptions = EngineOptions()) throws(RallyError) {
    self.model = model
    driver = try EngineDriver(model: model, options: options)
  }

  deinit { driver.close() }

  /// Puts a request into the queue and returns its events, of which the last has a `finishReason`.
  ///
  /// The request ends at the next step when the task that reads is cancelled, and when nothing holds the sequence any more.
  /// Events that are not read wait in memory, as many as the request generates.
  ///
  /// - Throws: what is wrong with the request; `limitExceeded` when the cache could not hold it alone; `queueFull`; `closed`.
  public func submit(_ request: GenerationRequest) throws(RallyError) -> TokenEvents {
    let (number, stream) = try driver.submit(request)
    return TokenEvents(request: number, stream: stream, client: self)
  }

  /// Ends a request at the next step, by its `TokenEvents.request`; a number that is unknown or finished does nothing.
  public func cancel(_ request: Int) { driver.cancel(request) }

  /// Ends all requests at the next step.
  public func cancelAll() { driver.cancelAll() }

  /// Ends all requests, and takes no more. Events say "cancelled", and the memory is freed, within a step.
  public func close() { driver.close() }

  /// What the engine had done and held when its last step ended.
  public var counters: [EngineCounter] { driver.counters }
}
