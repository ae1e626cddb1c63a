import Kernels
import Models
import Tensors

extension ForwardPass {
  /// Rotates the queries, and the keys beside them, by their positions; nothing without RoPE.
  func rotate(_ qkv: FloatRows, _ rows: RowSet, keys: Bool) {
    guard let rope else { return }
    // Keys stand right behind the queries, so one call turns both.
    let heads = description.headCount + (keys ? description.keyValueHeadCount : 0)
    unsafe rows.positions.withUnsafeBufferPointer { positions in
      guard let base = positions.baseAddress else { return }
      unsafe rope.rotate(qkv, positions: base, heads: heads)
    }
  }

  /// Puts keys and values where the target says, and returns the slot that the queries read.
  func placeKeys(
    of qkv: FloatRows, _ rows: RowSet, _ caches: [SequenceCache], _ target: KeyTarget
  ) throws(RallyError) -> Int {
    switch target.use {
    case .read: return target.slot
    case .store:
      try store(qkv, rows, caches, slot: target.slot)
      return target.slot
    case .replace:
      for run in rows.runs { try caches[run.sequence].copyToScratch(slot: target.slot) }
      try store(qkv, rows, caches, slot: layout.scratchSlot)
      return layout.scratchSlot
    }
  }

  /// Writes each row's key and value as its entry.
  private func store(
    _ qkv: FloatRows, _ rows: RowSet, _ caches: [SequenceCache], slot: Int
  ) throws(RallyError) {
    let width = layout.entryWidth
    let keyColumn = description.headCount * description.headWidth
    let valueOffset = PagePool.entriesPerPage * width
    for run in rows.runs {
      let cache = caches[run.sequence]
      try cache.ensure(slot: slot, entries: Int(rows.entries[run.start + run.count - 1]) + 1)
      for row in run.start..<run.start + run.count {
        let key = unsafe qkv.pointer(row: row) + keyColumn
        let entry = unsafe cache.key(slot: slot, entry: Int(rows.entries[row]))
        unsafe entry.update(from: key, count: width)
        unsafe (entry + valueOffset).update(from: key + width, count: width)
      }
    }
  }

  /// Softmax attention of every row over the entries that it sees.
  func attend(
    _ qkv: FloatRows, into output: FloatRows, _ rows: RowSet, _ caches: [SequenceCache], slot: Int
  ) {
    let splitsGroups = rows.tiles.count < 4 * workers.threadCount
    let tasksPerTile = splitsGroups ? attentionShape.groupCount : 1
    let job = AttentionJob(
      forward: self, queries: qkv, output: output, rows: rows, caches: caches, slot: slot,
      tasksPerTile: tasksPerTile)
    workers.parallelFor(rows.tiles.count * tasksPerTile, with: job) { job, task, worker in
      job.run(task, worker)
    }
  }
}

/// The attention of all rows of a layer, in tasks of a tile and, when these are few, one group of heads.
private struct AttentionJob {
  let forward: ForwardPass
  let queries: FloatRows
  let output: FloatRows
  let rows: RowSet
  let caches: [SequenceCache]
  let slot: Int
  /// 1, or G.
  let tasksPerTile: Int

  func run(_ task: Int, _ worker: Int) {
    let tile = rows.tiles[task / tasksPerTile]
    let group = task % tasksPerTile
    let scratch = unsafe forward.attentionScratch.base + worker * forward.attentionScratchCount
    unsafe rows.visible.withUnsafeBufferPointer { visible in
      guard let lengths = visible.baseAddress else { return }
      unsafe Attention.attend(
        queries.pointer(row: tile.start), stride: queries.stride, rows: tile.count,
        lengths: lengths + tile.start, over: caches[tile.sequence].pages(slot: slot),
        shape: forward.attentionShape, groups: tasksPerTile > 1 ? group..<group + 1 : nil,
        scratch: scratch, into: output.pointer(row: tile.start), stride: output.stride)
    }
  }
}
