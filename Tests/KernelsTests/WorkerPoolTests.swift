import Files
import Glibc
import Kernels
import Synchronization
import Testing

@Suite struct WorkerPoolTests {
  @Test(arguments: [1, 2, 3, 7])
  func everyIndexRunsOnce(threads: Int) throws {
    let pool = try WorkerPool(threadCount: threads)
    for count in [0, 1, 2, 3, 10, 1000] {
      let runs = Mutex([Int](repeating: 0, count: count))
      pool.parallelFor(count) { index, worker in
        #expect(worker >= 0 && worker < threads)
        runs.withLock { $0[index] += 1 }
      }
      #expect(runs.withLock { $0.allSatisfy { $0 == 1 } })
    }
  }

  @Test func manyShortLoops() throws {
    let pool = try WorkerPool(threadCount: 4)
    let sum = Atomic<Int>(0)
    for _ in 0..<2_000 {
      pool.parallelFor(5) { index, _ in sum.add(index, ordering: .relaxed) }
    }
    #expect(sum.load(ordering: .relaxed) == 20_000)
  }

  @Test func aContextReachesEveryCall() throws {
    let pool = try WorkerPool(threadCount: 3)
    var squares = [Int](repeating: 0, count: 500)
    unsafe squares.withUnsafeMutableBufferPointer { buffer in
      unsafe pool.parallelFor(500, with: buffer) { squares, index, _ in unsafe squares[index] = index * index }
    }
    #expect(squares == (0..<500).map { $0 * $0 })
  }

  @Test func poolsComeAndGo() throws {
    for threads in 1...6 {
      for _ in 0..<10 {
        let pool = try WorkerPool(threadCount: threads)
        pool.parallelFor(threads) { _, _ in }
      }
    }
  }

  /// Loops of several drivers take turns: each runs all of its indices, and no two loops at once on the pool's threads.
  @Test func severalDriversShareAPool() throws {
    let pool = try WorkerPool(threadCount: 3)
    let inside = Atomic<Int>(0)
    let overlaps = Atomic<Int>(0)
    let total = Atomic<Int>(0)
    let drivers = (0..<4).compactMap { driver in
      SystemThread.start(stackByteCount: 1 << 20) {
        for _ in 0..<500 {
          pool.parallelFor(6) { index, _ in
            let other = inside.load(ordering: .relaxed)
            if other != 0, other != driver + 1 { overlaps.add(1, ordering: .relaxed) }
            inside.store(driver + 1, ordering: .relaxed)
            total.add(index, ordering: .relaxed)
            inside.store(0, ordering: .relaxed)
          }
        }
      }
    }
    for thread in drivers { pthread_join(thread, nil) }
    #expect(drivers.count == 4)
    #expect(total.load(ordering: .relaxed) == 4 * 500 * 15)
    #expect(overlaps.load(ordering: .relaxed) == 0)
  }

  @Test func countsOutOfRangeAreRefused() {
    for count in [-1, 0, WorkerPool.threadLimit + 1] {
      #expect(throws: RallyError.self) { _ = try WorkerPool(threadCount: count) }
    }
    #expect(1...WorkerPool.threadLimit ~= WorkerPool.availableProcessors)
  }
}
