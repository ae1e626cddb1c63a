import CHost
import CKernels
import Files
import Glibc
import Synchronization

/// What the threads of a pool share: the loop at hand and the way to wait for it.
///
/// Each loop is a *round*. The driver writes the job and opens the round; helpers that are awake in time join
/// it; when the indices have run out the driver closes the round and waits for those that joined, not for
/// those that slept through it. A helper reads the job only between joining and leaving, and the driver writes
/// it only when the round is closed and no thread is in it, which is why the class may be `Sendable`.
@safe final class Team: @unchecked Sendable {
  /// About 50 µs of `pause` on current processors; measured wake-up of a sleeping thread: 5–50 µs.
  private static let spinLimit = 2_000
  private static let stackByteCount = 2 << 20

  // `state`: round number · 2^17 + open · 2^16 + helpers inside.
  private static let oneRound = 1 << 17
  private static let open = 1 << 16
  private static let insideMask = open - 1

  private let state = Atomic<Int>(0)
  private let next = Atomic<Int>(0)
  private let sleepers = Atomic<Int>(0)
  private let started = Atomic<Int>(0)
  /// Helpers that should be awake at once: more than there are processors alongside the driver's take turns on them, and pay for
  /// it with switches and with spinning while another of them could run.
  private let awakeLimit: Atomic<Int>
  /// By the quota of the control group; affinity may change later.
  private let processorLimit: Int
  private let stopping = Atomic<Bool>(false)
  private var count = 0
  private var job: UnsafeRawPointer?
  private var jobType: (any AnyJob.Type)?
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let wake: UnsafeMutablePointer<pthread_cond_t>
  // Drivers that share the team take turns in the order in which they came: else whoever runs round after round
  // would mostly get it before those who have been waiting.
  private let tickets = Atomic<Int>(0)
  private let serving = Atomic<Int>(0)
  private let waiters = Atomic<Int>(0)
  /// The thread that has the turn for several rounds; 0 for none.
  private let holder = Atomic<UInt>(0)
  private let turn: UnsafeMutablePointer<pthread_cond_t>

  init() {
    processorLimit = rh_available_processors()
    awakeLimit = Atomic(processorLimit - 1)
    unsafe mutex = .allocate(capacity: 1)
    unsafe wake = .allocate(capacity: 1)
    unsafe turn = .allocate(capacity: 1)
    unsafe pthread_mutex_init(mutex, nil)
    unsafe pthread_cond_init(wake, nil)
    unsafe pthread_cond_init(turn, nil)
  }

  deinit {
    unsafe pthread_cond_destroy(turn)
    unsafe pthread_cond_destroy(wake)
    unsafe pthread_mutex_destroy(mutex)
    unsafe turn.deallocate()
    unsafe wake.deallocate()
    unsafe mutex.deallocate()
  }

  /// Runs one round when those that other drivers began have ended; the caller takes part as worker 0.
  func run<Context>(_ count: Int, _ job: Job<Context>) {
    let isHeld = isHeldHere
    if !isHeld { awaitTurn() }
    defer { if !isHeld { passTurn() } }
    unsafe withUnsafePointer(to: job) { pointer in
      self.count = count
      unsafe self.job = UnsafeRawPointer(pointer)
      jobType = Job<Context>.self
      next.store(0, ordering: .relaxed)
      lookForProcessors()
      startRound(Self.oneRound + Self.open)
      while let index = claim(count) { job.body(job.context, index, 0) }
      state.subtract(Self.open, ordering: .acquiringAndReleasing)
      var spins = 0
      while state.load(ordering: .acquiring) & Self.insideMask > 0 {
        spins += 1
        if spins < Self.spinLimit, !isCrowded { rk_spin_hint() } else { sched_yield() }
      }
    }
  }

  /// Makes all rounds that this thread runs in `body` one turn: waking a driver for each would cost as much as many a round.
  func hold<Result>(_ body: () throws(RallyError) -> Result) throws(RallyError) -> Result {
    guard !isHeldHere else { return try body() }
    awaitTurn()
    holder.store(UInt(pthread_self()), ordering: .relaxed)
    defer {
      holder.store(0, ordering: .relaxed)
      passTurn()
    }
    return try body()
  }

  /// Only this thread writes its own number.
  private var isHeldHere: Bool { holder.load(ordering: .relaxed) == UInt(pthread_self()) }

  private func awaitTurn() {
    let ticket = tickets.add(1, ordering: .relaxed).oldValue
    guard serving.load(ordering: .acquiring) != ticket else { return }
    unsafe pthread_mutex_lock(mutex)
    waiters.add(1, ordering: .sequentiallyConsistent)
    while serving.load(ordering: .sequentiallyConsistent) != ticket { unsafe pthread_cond_wait(turn, mutex) }
    waiters.subtract(1, ordering: .relaxed)
    unsafe pthread_mutex_unlock(mutex)
  }

  /// A driver announces itself in `waiters` before it looks at `serving` a last time, and this one changes `serving` before it
  /// looks at `waiters`: one of the two sees the other.
  private func passTurn() {
    serving.add(1, ordering: .sequentiallyConsistent)
    guard waiters.load(ordering: .sequentiallyConsistent) > 0 else { return }
    unsafe pthread_mutex_lock(mutex)
    unsafe pthread_cond_broadcast(turn)
    unsafe pthread_mutex_unlock(mutex)
  }

  /// Whether more threads of the pool are awake than have a processor.
  private var isCrowded: Bool {
    started.load(ordering: .relaxed) - sleepers.load(ordering: .relaxed) > awakeLimit.load(ordering: .relaxed)
  }

  /// Every thousand rounds, some ten milliseconds: the host may have bound its threads to other processors.
  private func lookForProcessors() {
    guard state.load(ordering: .relaxed) / Self.oneRound % 1024 == 1023 else { return }
    awakeLimit.store(min(rh_affinity(), processorLimit) - 1, ordering: .relaxed)
  }

  /// Returns when so many helpers run: what a thread allocates for itself is allocated before the first round.
  func awaitStart(of helperCount: Int) {
    while started.load(ordering: .acquiring) < helperCount { sched_yield() }
  }

  /// Ends the helpers and waits for them.
  func stop(joining threads: [pthread_t]) {
    stopping.store(true, ordering: .releasing)
    awakeLimit.store(.max / 2, ordering: .relaxed)
    startRound(Self.oneRound)
    for thread in threads { pthread_join(thread, nil) }
  }

  /// A helper announces itself in `sleepers` before it looks at `state` a last time, and the driver
  /// changes `state` before it looks at `sleepers`: one of the two sees the other. Those beyond `awakeLimit` sleep on: the
  /// driver does what no other thread does.
  private func startRound(_ change: Int) {
    state.add(change, ordering: .sequentiallyConsistent)
    let asleep = sleepers.load(ordering: .sequentiallyConsistent)
    let awake = started.load(ordering: .relaxed) - asleep
    let wanted = min(asleep, awakeLimit.load(ordering: .relaxed) - awake)
    guard wanted > 0 else { return }
    unsafe pthread_mutex_lock(mutex)
    if wanted == asleep {
      unsafe pthread_cond_broadcast(wake)
    } else {
      for _ in 0..<wanted { unsafe pthread_cond_signal(wake) }
    }
    unsafe pthread_mutex_unlock(mutex)
  }

  private func claim(_ count: Int) -> Int? {
    let index = next.add(1, ordering: .relaxed).oldValue
    return index < count ? index : nil
  }
}

extension Team {
  fileprivate func help(worker: Int) {
    rh_fp_set_default()
    unsafe rh_name_thread("rally-worker")
    started.add(1, ordering: .releasing)
    var seen = 0
    while true {
      seen = waitForRound(after: seen)
      if stopping.load(ordering: .acquiring) { return }
      guard join(seen) else { continue }
      if let job = unsafe job, let jobType {
        while let index = claim(count) { unsafe jobType.run(job, index: index, worker: worker) }
      }
      state.subtract(1, ordering: .releasing)
    }
  }

  /// Enters a round unless it has been closed.
  private func join(_ round: Int) -> Bool {
    var current = state.load(ordering: .acquiring)
    while current / Self.oneRound == round, current & Self.open != 0 {
      let (joined, found) = state.weakCompareExchange(
        expected: current, desired: current + 1, successOrdering: .acquiring, failureOrdering: .acquiring)
      if joined { return true }
      current = found
    }
    return false
  }

  /// The number of a round later than `seen`.
  private func waitForRound(after seen: Int) -> Int {
    for _ in 0..<(isCrowded ? 0 : Self.spinLimit) {
      let round = state.load(ordering: .acquiring) / Self.oneRound
      if round > seen { return round }
      rk_spin_hint()
    }
    unsafe pthread_mutex_lock(mutex)
    sleepers.add(1, ordering: .sequentiallyConsistent)
    var round = state.load(ordering: .sequentiallyConsistent) / Self.oneRound
    while round <= seen {
      unsafe pthread_cond_wait(wake, mutex)
      round = state.load(ordering: .sequentiallyConsistent) / Self.oneRound
    }
    sleepers.subtract(1, ordering: .relaxed)
    unsafe pthread_mutex_unlock(mutex)
    return round
  }
}

extension Team {
  /// Starts a thread; nil when the system refuses.
  func startHelper(_ worker: Int) -> pthread_t? {
    SystemThread.start(stackByteCount: Self.stackByteCount) { self.help(worker: worker) }
  }
}
