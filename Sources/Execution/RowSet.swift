import Kernels
import Scheduling
import Tensors

/// Which tokens a buffer's rows stand for: position in the text and owning sequence of each row.
///
/// Rows of one sequence are adjacent and in the order of the text. A row set is refilled for each pass and
/// keeps its memory.
struct RowSet {
  /// Rows `start ..< start + count` belong to one sequence and are at one recursion.
  struct Run {
    var sequence: Int
    var recursion: Int
    var start: Int
    var count: Int
  }

  /// Query rows that one call of the attention kernel takes.
  static let rowsPerTile = Attention.tileRows
  /// Of attention in bf16, where each call puts keys and values in order first: enough rows that this takes 1 % of it.
  static let rowsPerStretch = 256

  /// Absolute positions, [N].
  private(set) var positions: [Int32] = []
  /// Maximal stretches of one sequence.
  private(set) var runs: [Run] = []
  /// The runs, cut into stretches of at most `rowsPerTile` rows.
  private(set) var tiles: [Run] = []
  /// The runs, cut into stretches of at most `rowsPerStretch` rows.
  private(set) var stretches: [Run] = []
  /// Entries that each row attends to, [N]: the first so many of its sequence in the stage at hand.
  private(set) var visible: [Int32] = []
  /// The entries that each row attends to under the model's sliding window, [N] each; empty without one.
  private(set) var windowFirsts: [Int32] = []
  private(set) var windowEnds: [Int32] = []
  /// Index of the entry that each row stores or, in a step's scratch, replaces, [N].
  private(set) var entries: [Int32] = []

  var count: Int { positions.count }

  mutating func reserveCapacity(_ rows: Int) {
    positions.reserveCapacity(rows)
    runs.reserveCapacity(rows)
    tiles.reserveCapacity(rows)
    stretches.reserveCapacity(rows)
    visible.reserveCapacity(rows)
    windowFirsts.reserveCapacity(rows)
    windowEnds.reserveCapacity(rows)
    entries.reserveCapacity(rows)
  }

  mutating func removeAll() {
    positions.removeAll(keepingCapacity: true)
    runs.removeAll(keepingCapacity: true)
    tiles.removeAll(keepingCapacity: true)
    stretches.removeAll(keepingCapacity: true)
    visible.removeAll(keepingCapacity: true)
    entries.removeAll(keepingCapacity: true)
  }

  /// - Parameter sequence: its index among the caches that the rows run with.
  mutating func append(position: Int32, sequence: Int, recursion: Int = 0) {
    let row = Run(sequence: sequence, recursion: recursion, start: count, count: 1)
    Self.extend(&runs, row, limit: .max)
    Self.extend(&tiles, row, limit: Self.rowsPerTile)
    Self.extend(&stretches, row, limit: Self.rowsPerStretch)
    positions.append(position)
    visible.append(0)
    entries.append(0)
  }

  private static func extend(_ runs: inout [Run], _ row: Run, limit: Int) {
    if let last = runs.last, last.sequence == row.sequence, last.count < limit {
      runs[runs.count - 1].count += 1
    } else {
      runs.append(row)
    }
  }
}

extension RowSet {
  /// The stretch that a row belongs to.
  func run(of row: Int) -> Run {
    guard let run = runs.last(where: { $0.start <= row }) else { preconditionFailure("no such row") }
    return run
  }
}

// MARK: What rows store and see

extension RowSet {
  /// Sets, for the layers of `place`, which entry each row stores and which ones it attends to.
  ///
  /// A row that stores keys stands after the entries of its sequence and attends to all up to its own, or, without
  /// causality, to all rows of its sequence. One that reads the keys of recursion 0 attends to the entries of all tokens up
  /// to its own position, which are stored already.
  mutating func locate(
    in caches: [SequenceCache], _ place: Place, isCausal: Bool = true, window: Int? = nil
  ) {
    for run in runs {
      let layout = caches[run.sequence].layout
      // A token of a sequence that keeps all of them has its entry at its position.
      let stores = layout.keyUse(place, recursion: run.recursion) == .store && !layout.keepsEveryToken
      let length = Int32(caches[run.sequence].blocks.lengths[layout.stage(place, recursion: run.recursion)])
      for offset in 0..<run.count {
        let row = run.start + offset
        entries[row] = stores ? length + Int32(offset) : positions[row]
        visible[row] = isCausal ? entries[row] + 1 : Int32(run.count)
      }
    }
    if let window { locateWindows(isCausal: isCausal, window) }
  }

  /// A causal window ends with the token itself; another reaches half its width, rounded down, both ways. Models with
  /// windows have no router, so that an entry's index is its token's position.
  private mutating func locateWindows(isCausal: Bool, _ window: Int) {
    windowFirsts.removeAll(keepingCapacity: true)
    windowEnds.removeAll(keepingCapacity: true)
    let (back, ahead) = isCausal ? (window - 1, 0) : (window / 2, window / 2)
    for row in 0..<count {
      let entry = Int(entries[row])
      windowFirsts.append(Int32(max(0, entry - back)))
      windowEnds.append(Int32(min(Int(visible[row]), entry + ahead + 1)))
    }
  }

  /// Calls `body` with what the rows from `first` on attend to: all that they see, or what their windows hold.
  ///
  /// - Parameter body: `firsts` is nil where each row sees from the first entry on, as in a layer without a window.
  @unsafe
  func withEntries(
    from first: Int, isWindowed: Bool, _ body: (_ firsts: UnsafePointer<Int32>?, _ lengths: UnsafePointer<Int32>) -> Void
  ) {
    unsafe (isWindowed ? windowEnds : visible).withUnsafeBufferPointer { ends in
      unsafe windowFirsts.withUnsafeBufferPointer { firsts in
        guard let lengths = ends.baseAddress else { return }
        unsafe body(isWindowed ? firsts.baseAddress.map { unsafe $0 + first } : nil, lengths + first)
      }
    }
  }

  /// Rows at the front whose keys are stored: those of recursion 0 come first.
  func storingCount(_ layout: CacheLayout, _ place: Place) -> Int {
    var count = 0
    for run in runs where layout.keyUse(place, recursion: run.recursion) != .read { count += run.count }
    return count
  }

  /// Counts the entries that the layers of `place` stored.
  ///
  /// A block in which every recursion has an entry for every token is counted when the tokens leave (`BlockTable.finish`).
  func extend(_ caches: [SequenceCache], _ place: Place) {
    for run in runs {
      let layout = caches[run.sequence].layout
      guard layout.keyUse(place, recursion: run.recursion) == .store, place != .block || !layout.keepsEveryToken
      else { continue }
      caches[run.sequence].blocks.extend(stage: layout.stage(place, recursion: run.recursion), by: run.count)
    }
  }
}
