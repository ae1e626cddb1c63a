import Kernels
import Tensors

/// Which tokens a buffer's rows stand for: position in the text and owning sequence of each row.
///
/// Rows of one sequence are adjacent and in the order of the text. A row set is refilled for each
/// recursion of each step and keeps its memory.
struct RowSet {
  /// Rows `start ..< start + count` belong to one sequence of the step.
  struct Run {
    var sequence: Int
    var start: Int
    var count: Int
  }

  /// Query rows that one call of the attention kernel takes.
  static let rowsPerTile = Attention.tileRows

  /// Absolute positions, [N].
  private(set) var positions: [Int32] = []
  /// Index of each row's sequence among the step's caches, [N].
  private(set) var sequences: [Int32] = []
  /// Maximal stretches of one sequence.
  private(set) var runs: [Run] = []
  /// The runs, cut into stretches of at most `rowsPerTile` rows.
  private(set) var tiles: [Run] = []
  /// Entries that each row attends to, [N]: the first so many of its sequence in the stage at hand.
  private(set) var visible: [Int32] = []
  /// Index of the entry that each row stores or, in a step's scratch, replaces, [N].
  private(set) var entries: [Int32] = []

  var count: Int { positions.count }

  mutating func reserveCapacity(_ rows: Int) {
    positions.reserveCapacity(rows)
    sequences.reserveCapacity(rows)
    runs.reserveCapacity(rows)
    tiles.reserveCapacity(rows)
    visible.reserveCapacity(rows)
    entries.reserveCapacity(rows)
  }

  mutating func removeAll() {
    positions.removeAll(keepingCapacity: true)
    sequences.removeAll(keepingCapacity: true)
    runs.removeAll(keepingCapacity: true)
    tiles.removeAll(keepingCapacity: true)
    visible.removeAll(keepingCapacity: true)
    entries.removeAll(keepingCapacity: true)
  }

  mutating func append(position: Int32, sequence: Int32) {
    Self.extend(&runs, sequence: Int(sequence), row: count, limit: .max)
    Self.extend(&tiles, sequence: Int(sequence), row: count, limit: Self.rowsPerTile)
    positions.append(position)
    sequences.append(sequence)
    visible.append(0)
    entries.append(0)
  }

  /// Becomes the rows of `other` at `indices`, in that order.
  mutating func assign(from other: RowSet, at indices: [Int32]) {
    removeAll()
    for index in indices {
      append(position: other.positions[Int(index)], sequence: other.sequences[Int(index)])
    }
  }

  private static func extend(_ runs: inout [Run], sequence: Int, row: Int, limit: Int) {
    if let last = runs.last, last.sequence == sequence, last.count < limit {
      runs[runs.count - 1].count += 1
    } else {
      runs.append(Run(sequence: sequence, start: row, count: 1))
    }
  }
}

// MARK: What rows store and see

extension RowSet {
  /// Every row stores an entry behind those of its sequence in `stage`, and attends to all entries
  /// up to its own.
  mutating func appendCausally(to stage: Int, of caches: [SequenceCache]) {
    for run in runs {
      let length = caches[run.sequence].lengths[stage]
      for offset in 0..<run.count {
        entries[run.start + offset] = length + Int32(offset)
        visible[run.start + offset] = length + Int32(offset) + 1
      }
    }
  }

  /// Every row stores an entry and attends to all rows of its sequence, before and behind.
  mutating func appendBidirectionally(to stage: Int, of caches: [SequenceCache]) {
    appendCausally(to: stage, of: caches)
    for run in runs {
      for row in run.start..<run.start + run.count { visible[row] = Int32(run.count) }
    }
  }

  /// Rows attend to the entries of all tokens up to their own position, which are stored already.
  mutating func readByPosition() {
    for row in 0..<count {
      entries[row] = positions[row]
      visible[row] = positions[row] + 1
    }
  }
}
