import Kernels
import Models
import Scheduling
import Tensors

extension ForwardPass {
  /// Normalises each head of the queries, and of the keys alongside them; nothing in models without such norms.
  func normalizeHeads(_ qkv: FloatRows, _ layer: LayerWeights, keys: Bool) {
    guard let norms = layer.headNorms, qkv.rowCount > 0 else { return }
    let start = profile.start()
    let epsilon = Float(description.norm.epsilon)
    let keyCount = keys ? attentionShape.groupCount : 0
    workers.parallelFor(Self.taskCount(qkv.rowCount), with: (qkv, norms, attentionShape, keyCount, epsilon)) { job, task, _ in
      let (qkv, norms, shape, keyCount, epsilon) = job
      let width = shape.headWidth
      for row in Self.rows(of: task, count: qkv.rowCount) {
        let heads = unsafe qkv.pointer(row: row)
        unsafe Norm.rms(
          heads, stride: width, weight: norms.query.base, epsilon: epsilon, into: heads, stride: width,
          rows: shape.headCount, width: width)
        let keys = unsafe heads + shape.headCount * width
        unsafe Norm.rms(
          keys, stride: width, weight: norms.key.base, epsilon: epsilon, into: keys, stride: width,
          rows: keyCount, width: width)
      }
    }
    profile.add(.elementwise, since: start)
  }

  /// Rotates queries, and the keys alongside them, by the positions of the workspace's rows from `firstRow` on; nothing in
  /// a layer without RoPE.
  func rotate(_ qkv: FloatRows, _ layer: ModelDescription.Layer, firstRow: Int, keys: Bool) {
    guard let table = layer.ropeTable, qkv.rowCount > 0 else { return }
    let start = profile.start()
    // Keys stand right after the queries, so one call turns both.
    let heads = description.headCount + (keys ? description.keyValueHeadCount : 0)
    unsafe workspace.rows.positions.withUnsafeBufferPointer { positions in
      guard let base = positions.baseAddress else { return }
      unsafe ropeTables[table].rotate(qkv, positions: base + firstRow, heads: heads)
    }
    profile.add(.elementwise, since: start)
  }

  /// Writes the keys and values of the rows that have some as their entries.
  func storeKeys(of qkv: FloatRows, _ place: Place, _ index: Int) {
    let start = profile.start()
    for run in workspace.rows.runs {
      let cache = flight.caches[run.sequence]
      let slot = cache.layout.slot(place, recursion: run.recursion, layer: index)
      switch layout.keyUse(place, recursion: run.recursion) {
      case .read: break
      case .store: store(qkv, run, cache, slot: slot)
      case .replace:
        cache.copyToScratch(slot: slot)
        store(qkv, run, cache, slot: cache.layout.scratchSlot)
      }
    }
    profile.add(.elementwise, since: start)
  }

  /// Writes the key and value of each row of a run as its entry.
  private func store(_ qkv: FloatRows, _ run: RowSet.Run, _ cache: SequenceCache, slot: Int) {
    let width = attentionShape.entryWidth
    let keyColumn = description.headCount * description.headWidth
    for row in run.start..<run.start + run.count {
      let key = unsafe qkv.pointer(row: row) + keyColumn
      let (page, place) = unsafe cache.page(slot: slot, entry: Int(workspace.rows.entries[row]))
      unsafe KeyValuePages.store(key: key, value: key + width, in: page, place: place, shape: attentionShape)
    }
  }

  /// Softmax attention of every row over the entries that it sees.
  ///
  /// - Parameter isWindowed: only those within the sliding window.
  func attend(_ qkv: FloatRows, into output: FloatRows, _ place: Place, _ index: Int, isWindowed: Bool) {
    let start = profile.start()
    let tileCount = workspace.rows.tiles.count
    // Single rows of many sequences share nothing, and are work enough for a task.
    let splitsGroups = tileCount < 4 * workers.threadCount || workspace.rows.count >= 4 * tileCount
    let job = AttentionJob(
      forward: self, queries: qkv, output: output, place: place, index: index, isWindowed: isWindowed,
      splitsGroups: splitsGroups)
    workers.parallelFor(tileCount * (splitsGroups ? attentionShape.groupCount : 1), with: job) { job, task, worker in
      job.run(task, worker)
    }
    profile.add(.attention, since: start)
  }
}

/// The attention of all rows of a layer, in tasks of a tile or of one group of heads of a tile. The tiles of one group follow
/// each other, so that its keys and values stay in the cache.
private struct AttentionJob {
  let forward: ForwardPass
  let queries: FloatRows
  let output: FloatRows
  let place: Place
  let index: Int
  let isWindowed: Bool
  let splitsGroups: Bool

  func run(_ task: Int, _ worker: Int) {
    let rows = forward.workspace.rows
    let tile = rows.tiles[task % rows.tiles.count]
    let group = task / rows.tiles.count
    let cache = forward.flight.caches[tile.sequence]
    let layout = cache.layout
    let slot =
      layout.keyUse(place, recursion: tile.recursion) == .replace
      ? layout.scratchSlot : layout.slot(place, recursion: tile.recursion, layer: index)
    unsafe rows.withEntries(from: tile.start, isWindowed: isWindowed) { firsts, lengths in
      unsafe Attention.attend(
        queries.pointer(row: tile.start), stride: queries.stride, rows: tile.count, firsts: firsts, lengths: lengths,
        over: cache.pages(slot: slot), shape: forward.attentionShape, groups: splitsGroups ? group..<group + 1 : nil,
        scratch: forward.attentionScratch.base(of: worker), into: output.pointer(row: tile.start), stride: output.stride)
    }
  }
}
