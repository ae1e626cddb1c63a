import Files
import Kernels
import Models
import Scheduling
import Tensors

/// Attention of raters' rows, which keep no keys and values: straight from the products, for rows of at most `tokenCount` tokens.
final class RowAttention {
  let method: SelfAttention
  let tokenCount: Int
  let scratch: WorkerScratch

  /// How a model's rows are computed so on this processor: whole rows whose every token has keys of its own in every layer. nil for
  /// others, which read the cache.
  static func method(for weights: ModelWeights, _ layout: CacheLayout) -> SelfAttention? {
    let description = weights.description
    guard description.kind == .rater, description.loop == nil, case .none = description.routing, layout.recursionCount == 1
    else { return nil }
    if case .disentangled = description.positions { return nil }
    return SelfAttention.best(for: weights.dataType)
  }

  /// - Throws: `outOfMemory`.
  init(_ method: SelfAttention, headWidth: Int, tokenCount: Int, workerCount: Int) throws(RallyError) {
    self.method = method
    self.tokenCount = tokenCount
    scratch = try WorkerScratch(
      floatCount: method.scratchCount(entries: tokenCount, headWidth: headWidth), workerCount: workerCount)
  }
}

extension ForwardPass {
  /// Attention of whole rows, a task for each key/value head of each stretch of a row.
  func attendInRows(_ qkv: FloatRows, into output: FloatRows, with attention: RowAttention, isWindowed: Bool) {
    let start = profile.start()
    let job = RowAttentionJob(forward: self, attention: attention, qkv: qkv, output: output, isWindowed: isWindowed)
    workers.parallelFor(workspace.rows.stretches.count * attentionShape.groupCount, with: job) { job, task, worker in
      job.run(task, worker)
    }
    profile.add(.attention, since: start)
  }
}

private struct RowAttentionJob {
  let forward: ForwardPass
  let attention: RowAttention
  let qkv: FloatRows
  let output: FloatRows
  let isWindowed: Bool

  func run(_ task: Int, _ worker: Int) {
    let rows = forward.workspace.rows
    let (stretch, group) = (rows.stretches[task % rows.stretches.count], task / rows.stretches.count)
    let shape = forward.attentionShape
    let heads = shape.headCount / shape.groupCount
    let column = group * heads * shape.headWidth
    // Keys stand after the queries, values after the keys, from the first token of the text on.
    let first = unsafe qkv.pointer(row: stretch.start - Int(rows.positions[stretch.start]))
    let keys = unsafe first + (shape.headCount + group) * shape.headWidth
    unsafe rows.withEntries(from: stretch.start, isWindowed: isWindowed) { firsts, lengths in
      unsafe attention.method.attend(
        qkv.pointer(row: stretch.start) + column, stride: qkv.stride, keys: keys, values: keys + shape.entryWidth,
        stride: qkv.stride, rows: stretch.count, firsts: firsts, lengths: lengths, heads: heads, headWidth: shape.headWidth,
        scale: shape.scale, scratch: attention.scratch.base(of: worker), into: output.pointer(row: stretch.start) + column,
        stride: output.stride)
    }
  }
}
