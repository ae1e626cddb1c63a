import CKernels
import COneDNN
import Glibc
import Synchronization

/// What the threads of a pool share: the loop at hand and the way to wait for it.
///
/// Each loop is a *round*. The driver writes `body` and `count`, then advances `round`; every helper runs
/// the round and counts itself off in `busy`; the driver returns at zero. So the plain fields are written
/// only while no helper looks at them, which is why the class may be `Sendable`.
@safe final class Team: @unchecked Sendable {
  /// About 50 µs of `pause` on current processors; measured wake-up of a sleeping thread: 5–50 µs.
  private static let spinLimit = 2_000
  private static let stackByteCount = 2 << 20

  private let helperCount: Int
  private let round = Atomic<Int>(0)
  private let next = Atomic<Int>(0)
  private let busy = Atomic<Int>(0)
  private let sleepers = Atomic<Int>(0)
  private let stopping = Atomic<Bool>(false)
  private var count = 0
  private var body: ((Int, Int) -> Void)?
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let wake: UnsafeMutablePointer<pthread_cond_t>

  init(helperCount: Int) {
    self.helperCount = helperCount
    unsafe mutex = .allocate(capacity: 1)
    unsafe wake = .allocate(capacity: 1)
    unsafe pthread_mutex_init(mutex, nil)
    unsafe pthread_cond_init(wake, nil)
  }

  deinit {
    unsafe pthread_cond_destroy(wake)
    unsafe pthread_mutex_destroy(mutex)
    unsafe wake.deallocate()
    unsafe mutex.deallocate()
  }

  /// Runs one round; the caller takes part as worker 0.
  func run(_ count: Int, _ body: @escaping (Int, Int) -> Void) {
    self.count = count
    self.body = body
    next.store(0, ordering: .relaxed)
    busy.store(helperCount, ordering: .relaxed)
    startRound()
    claim(worker: 0, count, body)
    var spins = 0
    while busy.load(ordering: .acquiring) > 0 {
      spins += 1
      if spins < Self.spinLimit { rk_spin_hint() } else { sched_yield() }
    }
    self.body = nil
  }

  /// Ends the helpers and waits for them.
  func stop(joining threads: [pthread_t]) {
    stopping.store(true, ordering: .releasing)
    startRound()
    for thread in threads { pthread_join(thread, nil) }
  }

  /// A helper announces itself in `sleepers` before it looks at `round` a last time, and the driver
  /// advances `round` before it looks at `sleepers`: one of the two sees the other.
  private func startRound() {
    round.add(1, ordering: .sequentiallyConsistent)
    guard sleepers.load(ordering: .sequentiallyConsistent) > 0 else { return }
    unsafe pthread_mutex_lock(mutex)
    unsafe pthread_cond_broadcast(wake)
    unsafe pthread_mutex_unlock(mutex)
  }

  private func claim(worker: Int, _ count: Int, _ body: (Int, Int) -> Void) {
    while true {
      let index = next.add(1, ordering: .relaxed).oldValue
      guard index < count else { return }
      body(index, worker)
    }
  }

  private func help(worker: Int) {
    omp_set_num_threads(1)
    var finished = 0
    while true {
      waitForRound(after: finished)
      finished += 1
      if stopping.load(ordering: .acquiring) { return }
      if let body { claim(worker: worker, count, body) }
      busy.subtract(1, ordering: .releasing)
    }
  }

  private func waitForRound(after finished: Int) {
    for _ in 0..<Self.spinLimit {
      if round.load(ordering: .acquiring) > finished { return }
      rk_spin_hint()
    }
    unsafe pthread_mutex_lock(mutex)
    sleepers.add(1, ordering: .sequentiallyConsistent)
    while round.load(ordering: .sequentiallyConsistent) <= finished {
      unsafe pthread_cond_wait(wake, mutex)
    }
    sleepers.subtract(1, ordering: .relaxed)
    unsafe pthread_mutex_unlock(mutex)
  }
}

extension Team {
  private final class Helper {
    let team: Team
    let worker: Int
    init(_ team: Team, _ worker: Int) {
      self.team = team
      self.worker = worker
    }
  }

  /// Starts a thread with every signal blocked; nil when the system refuses.
  func startHelper(_ worker: Int) -> pthread_t? {
    let helper = unsafe Unmanaged.passRetained(Helper(self, worker))
    var all = sigset_t()
    var previous = sigset_t()
    var attributes = pthread_attr_t()
    var thread = pthread_t()
    unsafe sigfillset(&all)
    unsafe pthread_attr_init(&attributes)
    unsafe pthread_attr_setstacksize(&attributes, Self.stackByteCount)
    unsafe pthread_sigmask(SIG_SETMASK, &all, &previous)
    let status = unsafe pthread_create(
      &thread, &attributes,
      { argument in
        guard let argument = unsafe argument else { return nil }
        let helper = unsafe Unmanaged<Helper>.fromOpaque(argument).takeRetainedValue()
        helper.team.help(worker: helper.worker)
        return nil
      }, helper.toOpaque())
    unsafe pthread_sigmask(SIG_SETMASK, &previous, nil)
    unsafe pthread_attr_destroy(&attributes)
    guard status == 0 else {
      unsafe helper.release()
      return nil
    }
    return thread
  }

}
