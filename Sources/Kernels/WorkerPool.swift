import CHost
import CKernels
public import Files
import Glibc
import Synchronization

/// A fixed set of threads that run the same loop.
///
/// `threadCount` workers: the thread that calls `parallelFor`, as worker 0, and `threadCount − 1` threads of
/// the pool. They claim indices one by one, so which worker runs an index is unspecified; write results
/// by index. Any number of threads may drive a pool: their loops take turns, in the order in which they came. Threads wait spinning for about 50 µs, then asleep; where there are
/// more than processors that this process may use, the others sleep throughout. They
/// block every signal, so the host's handlers never run on them. The last reference joins them.
public final class WorkerPool: Sendable {
  /// More threads than this are never useful to products of these sizes. [ours]
  public static let threadLimit = 256

  /// Workers, the calling thread included.
  public let threadCount: Int

  let team: Team
  private let threads: [pthread_t]

  /// - Parameter threadCount: 1…`threadLimit`; nil takes the processors this process may use.
  /// - Throws: `invalidArgument` for another count, `outOfMemory` when the system gives no more threads: ask
  ///   for fewer.
  public init(threadCount: Int? = nil) throws(RallyError) {
    _ = InstructionSet.limit
    let count = threadCount ?? Self.availableProcessors
    guard 1...Self.threadLimit ~= count else {
      throw RallyError(
        .invalidArgument, "threads", expected: "1…\(Self.threadLimit)", found: "\(count)")
    }
    let team = Team()
    var threads: [pthread_t] = []
    for worker in 1..<max(count, 1) {
      guard let thread = team.startHelper(worker) else {
        team.stop(joining: threads)
        throw RallyError(
          .outOfMemory, "threads", expected: "\(count) threads", found: "\(worker)",
          remedy: "use fewer threads")
      }
      threads.append(thread)
    }
    team.awaitStart(of: threads.count)
    self.threadCount = count
    self.team = team
    self.threads = threads
  }

  /// `pool`, or one of its own.
  /// - Parameter threads: of that one; 0 for as many as this process may use.
  package static func shared(_ pool: WorkerPool?, threads: Int) throws(RallyError) -> WorkerPool {
    if let pool { return pool }
    return try WorkerPool(threadCount: threads == 0 ? nil : threads)
  }

  deinit { team.stop(joining: threads) }

  /// `RALLY_NUM_THREADS` in the environment where it is a number in 1…`threadLimit`; otherwise the processors that this
  /// process may use, by its affinity and the quota of its control group, at most `threadLimit`; 1 when the system does
  /// not say.
  public static var availableProcessors: Int { environmentCount ?? min(rh_available_processors(), threadLimit) }

  /// Read once: `getenv` reads memory that a host frees when another of its threads sets a variable.
  private static let environmentCount: Int? = {
    guard let text = unsafe getenv("RALLY_NUM_THREADS"), let count = unsafe Int(String(cString: text)) else { return nil }
    return 1...threadLimit ~= count ? count : nil
  }()

  /// Calls `body(context, index, worker)` once for every index in `0 ..< count`, on all workers, and returns
  /// when all are done. `worker` is in `0 ..< threadCount`; no two calls of one loop with one worker overlap, so drivers that
  /// share a pool have scratch memory of their own.
  ///
  /// Not re-entrant.
  /// Allocates nothing when `body` captures nothing, which is what `context` is for: pass through it all that
  /// the loop needs, as a struct or tuple.
  package func parallelFor<Context>(
    _ count: Int, with context: Context, _ body: @escaping (_ context: Context, _ index: Int, _ worker: Int) -> Void
  ) {
    guard count > 0 else { return }
    if threadCount == 1 || count == 1 {
      for index in 0..<count { body(context, index, 0) }
    } else {
      team.run(count, Job(context: context, body: body))
    }
  }

  /// Makes the loops of `body` one turn of a pool that several drivers share; nothing in it may wait for another driver.
  package func inOneTurn<Result>(_ body: () throws(RallyError) -> Result) throws(RallyError) -> Result {
    guard threadCount > 1 else { return try body() }
    return try team.hold(body)
  }

  /// The same for a closure that captures what it needs: shorter to write, and one small allocation.
  /// Not for steps of the engine.
  package func parallelFor(_ count: Int, _ body: (_ index: Int, _ worker: Int) -> Void) {
    withoutActuallyEscaping(body) { escapable in
      parallelFor(count, with: escapable) { body, index, worker in body(index, worker) }
    }
  }
}
