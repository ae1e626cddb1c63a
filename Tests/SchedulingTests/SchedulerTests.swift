import Testing

@testable import Scheduling

/// A small generator, so that a failing schedule can be run again by its seed.
private struct Dice {
  var state: UInt64
  mutating func roll(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int((state >> 33) % UInt64(bound))
  }
}

/// Stands in for the model: knows of each item its recursion, and of each token how deep it goes.
///
/// A token's depth is a function of the sequence and the position, as in a real model, so that what is computed again
/// is the same again.
private final class Executor {
  final class Item {
    let request: ScheduledRequest
    var recursion = 0
    var depths: [Int32]
    init(_ request: ScheduledRequest, depths: [Int32]) {
      self.request = request
      self.depths = depths
    }
  }
  let layout: CacheLayout
  var items: [Item] = []
  /// Content of each block: (sequence prefix, entry) written there, to see that nobody's entries are overwritten.
  var content: [BlockID: [Int: Int]] = [:]

  init(layout: CacheLayout) { self.layout = layout }

  static func depth(_ tokens: ArraySlice<Int32>, _ recursions: Int) -> Int32 {
    var hash: UInt64 = 7
    for token in tokens { hash = (hash ^ UInt64(UInt32(bitPattern: token))) &* 0x100_0000_01B3 }
    return Int32((hash >> 40) % UInt64(recursions)) + 1
  }

  /// What stands for the key of a token: all that it depends on.
  static func key(_ tokens: ArraySlice<Int32>, slot: Int) -> Int {
    var hash = UInt64(slot) &+ 11
    for token in tokens { hash = (hash ^ UInt64(UInt32(bitPattern: token))) &* 0x100_0000_01B3 }
    return Int(truncatingIfNeeded: hash)
  }

  func store(_ item: Item, stage: Int, positions: [Int]) {
    let table = item.request.blocks
    for (offset, position) in positions.enumerated() {
      let entry = table.lengths[stage] + offset
      for slot in layout.slots(of: stage) {
        let block = table.blocks(slot: slot)[entry / CacheLayout.entriesPerBlock]
        content[block, default: [:]][entry % CacheLayout.entriesPerBlock] =
          Self.key(item.request.tokens[...position], slot: slot)
      }
    }
    table.extend(stage: stage, by: positions.count)
  }

  /// Whether every entry that a request holds is its own.
  func holdsItsOwn(_ request: ScheduledRequest) -> Bool {
    let table = request.blocks
    for stage in 0..<layout.stageCount {
      var entry = 0
      for (position, depth) in request.depths.enumerated() {
        let isStored = stage == layout.firstStage || stage == layout.lastStage || layout.sharesKeys || Int(depth) >= stage
        guard isStored else { continue }
        for slot in layout.slots(of: stage) {
          let block = table.blocks(slot: slot)[entry / CacheLayout.entriesPerBlock]
          guard
            content[block]?[entry % CacheLayout.entriesPerBlock]
              == Self.key(request.tokens[...position], slot: slot)
          else { return false }
        }
        entry += 1
      }
    }
    return true
  }

  func copy(_ copy: BlockTable.Copy) { content[copy.to] = content[copy.from] }

  func enter(_ request: ScheduledRequest) {
    let depths = request.piece.map { Self.depth(request.tokens[...$0], layout.recursionCount) }
    let item = Item(request, depths: depths)
    store(item, stage: layout.firstStage, positions: Array(request.piece))
    items.append(item)
  }

  /// Items that are through the block after this pass.
  func pass() -> [ScheduledRequest] {
    var through: [ScheduledRequest] = []
    for item in items where item.depths.contains(where: { Int($0) > item.recursion }) {
      let positions = zip(item.request.piece, item.depths).filter { Int($0.1) > item.recursion }.map(\.0)
      if !layout.sharesKeys || item.recursion == 0 {
        store(item, stage: layout.blockStage(recursion: item.recursion), positions: positions)
      }
      item.recursion += 1
      if item.depths.allSatisfy({ Int($0) <= item.recursion }) { through.append(item.request) }
    }
    return through
  }

  func leave(_ request: ScheduledRequest) -> [Int32] {
    guard let index = items.firstIndex(where: { $0.request === request }) else { return [] }
    let item = items.remove(at: index)
    store(item, stage: layout.lastStage, positions: Array(request.piece))
    request.blocks.finish(tokens: request.piece.count)
    return item.depths
  }

  func drop(_ request: ScheduledRequest) { items.removeAll { $0.request === request } }
}

/// One random life of a scheduler.
private struct Schedule {
  let seed: UInt64
  let layout: CacheLayout
  let capacity: Int
  let options: Scheduler.Options
  let requests: [ScheduledRequest]
  let arrivals: [Int]
  let cancellations: [Int: Int]
  let newTokens: [Int]

  init(seed: UInt64, pool: BlockPool) {
    var dice = Dice(state: seed)
    for _ in 0..<3 { _ = dice.roll(2) }
    let layout = CacheLayout(
      firstLayerCount: dice.roll(2), blockLayerCount: 1 + dice.roll(2), lastLayerCount: dice.roll(2),
      recursionCount: 1 + dice.roll(3), sharesKeys: dice.roll(3) == 0, hasScratchSlot: false)
    var options = Scheduler.Options()
    options.stepTokenCount = 1 + dice.roll(100)
    options.sequenceLimit = 1 + dice.roll(6)
    options.batching = dice.roll(4) == 0 ? .sequenceWise : .depthWise
    options.edgeCost = Double(dice.roll(30)) / 10
    options.sharesPrefixes = dice.roll(3) > 0
    let longest = 150
    // From one sequence of full length to room for all.
    let capacity = layout.blockCount(tokenCount: longest) * (1 + dice.roll(4)) + dice.roll(7)
    pool.grow(by: capacity)
    var requests: [ScheduledRequest] = []
    var arrivals: [Int] = []
    var newTokens: [Int] = []
    var cancellations: [Int: Int] = [:]
    for index in 0..<1 + dice.roll(9) {
      // Prompts out of a few tokens often begin alike.
      let count = 1 + dice.roll(100)
      let kind = dice.roll(3)
      let prompt = (0..<count).map { Int32($0 < 70 ? kind : dice.roll(50)) }
      let new = 1 + dice.roll(longest - count)
      requests.append(
        ScheduledRequest(
          id: UInt64(index), prompt: prompt, tokenLimit: count + new, priority: dice.roll(3) == 0 ? dice.roll(3) : 0,
          window: dice.roll(5) == 0 ? 16 : 0, prefixKey: 0,
          blocks: BlockTable(layout: layout, pool: pool, maximumTokenCount: count + new - 1)))
      arrivals.append(dice.roll(40))
      newTokens.append(new)
      if dice.roll(6) == 0 { cancellations[index] = dice.roll(120) }
    }
    self.seed = seed
    self.layout = layout
    self.capacity = capacity
    self.options = options
    self.requests = requests
    self.arrivals = arrivals
    self.cancellations = cancellations
    self.newTokens = newTokens
  }
}

extension Schedule {
  static func isThrough(_ request: ScheduledRequest) -> Bool {
    if case .leaving = request.state { true } else { false }
  }
}

struct SchedulerTests {
  private struct Outcome: Equatable {
    var story = ""
    var preemptions = 0
    var sharedTokens = 0
    /// Pieces that waited for company after the block.
    var waits = 0
  }

  /// Runs a random schedule to its end and tells what happened.
  private func run(_ seed: UInt64) -> Outcome {
    let pool = BlockPool()
    let schedule = Schedule(seed: seed, pool: pool)
    let scheduler = Scheduler(options: schedule.options, pool: pool)
    let executor = Executor(layout: schedule.layout)
    var admission = Admission()
    var leavers: [ScheduledRequest] = []
    var open = Set(schedule.requests.map(\.id))
    var outcome = Outcome()
    var step = 0
    while !open.isEmpty {
      for request in schedule.requests where schedule.arrivals[Int(request.id)] == step { scheduler.submit(request) }
      for request in schedule.requests where schedule.cancellations[Int(request.id)] == step && open.contains(request.id) {
        guard schedule.arrivals[Int(request.id)] <= step else { continue }
        executor.drop(request)
        scheduler.finish(request)
        open.remove(request.id)
      }
      leavers.removeAll()
      scheduler.takeLeavers(into: &leavers)
      if leavers.isEmpty, executor.items.contains(where: { Schedule.isThrough($0.request) }) { outcome.waits += 1 }
      for request in leavers {
        scheduler.leftModel(request, depths: executor.leave(request)[...])
        #expect(executor.holdsItsOwn(request), "seed \(seed), step \(step), request \(request.id)")
        guard request.predicts else { continue }
        scheduler.append(Executor.depth(request.tokens[...], 40), to: request)
        if request.generatedCount == schedule.newTokens[Int(request.id)] {
          scheduler.finish(request)
          open.remove(request.id)
          outcome.story += "end \(request.id) \(request.tokens)\n"
        }
      }
      scheduler.admit(into: &admission)
      for request in admission.preempted { executor.drop(request) }
      for copy in admission.copies { executor.copy(copy) }
      for request in admission.entering { executor.enter(request) }
      let rows = executor.items.reduce(0) { $0 + $1.request.piece.count }
      #expect(rows <= schedule.options.stepTokenCount, "seed \(seed), step \(step)")
      #expect(scheduler.running.count <= schedule.options.sequenceLimit, "seed \(seed)")
      for request in executor.pass() { scheduler.leftBlock(request) }
      scheduler.countPass()
      for item in executor.items where item.request.state == .inBlock {
        if item.depths.allSatisfy({ Int($0) <= item.recursion }) { scheduler.leftBlock(item.request) }
      }
      outcome.story += "step \(step): \(admission.entering.map { "\($0.id):\($0.piece)" })\n"
      step += 1
      guard step < 60_000 else {
        Issue.record("seed \(seed): requests \(open.sorted()) starve")
        break
      }
    }
    for request in schedule.requests { scheduler.finish(request, keepsBlocks: false) }
    scheduler.startOver()
    #expect(pool.freeCount == schedule.capacity, "seed \(seed): blocks leaked")
    outcome.preemptions = scheduler.preemptionCount
    outcome.sharedTokens = scheduler.sharedTokenCount
    return outcome
  }

  /// Random arrivals, lengths, depths, priorities, cancellations, cache sizes: 10 000 lives of a scheduler.
  @Test(arguments: 0..<20) func nothingIsLostOrLeftBehind(part: Int) {
    var (preemptions, sharedTokens, waits) = (0, 0, 0)
    for seed in 0..<500 {
      let outcome = run(UInt64(part * 500 + seed))
      preemptions += outcome.preemptions
      sharedTokens += outcome.sharedTokens
      waits += outcome.waits
    }
    #expect(preemptions > 0 && sharedTokens > 0 && waits > 0, "the schedules must reach all of it")
  }

  @Test func theSameSubmissionsGiveTheSamePlan() {
    for seed in 0..<50 as Range<UInt64> { #expect(run(seed) == run(seed)) }
  }
}
