import Testing

@testable import Scheduling

/// Who goes next from a long queue. Requests here run for a few steps each, without a model.
@Suite struct QueueTests {
  private let pool = BlockPool()
  private let layout = CacheLayout(
    firstLayerCount: 0, blockLayerCount: 1, lastLayerCount: 0, recursionCount: 1, sharesKeys: false,
    hasScratchSlot: false)

  private func scheduler(sequenceLimit: Int) -> Scheduler {
    pool.grow(by: 64)
    var options = Scheduler.Options()
    options.sequenceLimit = sequenceLimit
    options.sharesPrefixes = false
    return Scheduler(options: options, pool: pool)
  }

  private func request(_ id: Int, priority: Int = 0) -> ScheduledRequest {
    ScheduledRequest(
      id: UInt64(id), prompt: [1], tokenLimit: 1, priority: priority,
      blocks: BlockTable(layout: layout, pool: pool, maximumTokenCount: 1))
  }

  /// One step: those who may enter, and all of `places` that run longest end.
  private func step(_ scheduler: Scheduler, ending places: Int) -> [Int] {
    for request in scheduler.running.prefix(places) { scheduler.finish(request, keepsBlocks: false) }
    var admission = Admission()
    scheduler.admit(into: &admission)
    return admission.entering.map { Int($0.id) }
  }

  /// Of a thousand that wait at 0, no one goes ahead of a single request at 10: it takes the next place of a running one.
  @Test(arguments: [1, 2, 8]) func aSingleRequestWaitsForARunningOne(sequenceLimit: Int) {
    let scheduler = scheduler(sequenceLimit: sequenceLimit)
    for id in 0..<1000 { scheduler.submit(request(id)) }
    #expect(step(scheduler, ending: 0).count == sequenceLimit)
    for round in 0..<300 {
      scheduler.submit(request(10_000 + round, priority: 10))
      #expect(step(scheduler, ending: 1) == [10_000 + round])
      // A place for the others between two of them.
      #expect(step(scheduler, ending: 1).allSatisfy { $0 < 1000 })
    }
  }

  /// The rule of age: where those of higher priority never end, one of 65 places is the oldest one's.
  @Test func theOldestGetsOneOfSixtyFivePlaces() {
    let scheduler = scheduler(sequenceLimit: 1)
    for id in 0..<1000 { scheduler.submit(request(id)) }
    #expect(step(scheduler, ending: 0) == [0])
    var old: [Int] = []
    for round in 0..<650 {
      scheduler.submit(request(10_000 + round, priority: 10))
      let entered = step(scheduler, ending: 1)
      if let id = entered.first, id < 1000 { old.append(round) }
    }
    #expect(old == (1...10).map { $0 * 65 - 1 })
  }

  /// What is withdrawn is gone, the others keep their order, and finishing is safe for both.
  @Test func manyAreWithdrawnAtOnce() {
    let scheduler = scheduler(sequenceLimit: 2)
    let requests = (0..<150).map { request($0, priority: $0 % 3) }
    for request in requests { scheduler.submit(request) }
    #expect(step(scheduler, ending: 0) == [2, 5])
    scheduler.withdraw { $0.id % 2 == 0 || $0.id == 5 }
    for request in requests where request.id % 2 == 0 { scheduler.finish(request) }
    #expect(scheduler.running.map(\.id) == [5])
    let left = requests.filter { $0.id % 2 == 1 && $0.id != 5 }
    let expected = (0..<3).reversed().flatMap { priority in left.filter { $0.priority == priority }.map { Int($0.id) } }
    var entered: [Int] = []
    while !scheduler.waiting.isEmpty { entered += step(scheduler, ending: 2) }
    #expect(entered == expected)
  }
}
