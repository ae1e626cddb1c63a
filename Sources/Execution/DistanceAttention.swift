import Files
import Kernels
package import Models
import Tensors

/// What DeBERTa's attention needs besides the weights, for rows of at most `tokenCount` tokens.
package final class DistanceAttention {
  package let tokenCount: Int
  /// Rows of the distances −(tokenCount − 1) … tokenCount − 1.
  let table: [Int32]
  /// 1 / √(K · kinds of score).
  let scale: Float
  let scratch: WorkerScratch

  /// - Throws: `outOfMemory`.
  init(
    _ distances: ModelDescription.Distances, headWidth: Int, tokenCount: Int, workerCount: Int
  ) throws(RallyError) {
    let buckets = DisentangledAttention.Buckets(count: distances.bucketCount, longest: distances.longest)
    self.tokenCount = tokenCount
    table = buckets.table(tokenCount: tokenCount)
    scale = Float(1 / Double(headWidth * distances.kindCount).squareRoot())
    scratch = try WorkerScratch(
      floatCount: DisentangledAttention.scratchCount(tokenCount: tokenCount, headWidth: headWidth, buckets: buckets),
      workerCount: workerCount)
  }

  /// Floats that one worker takes for rows of so many tokens.
  package static func floatCount(_ description: ModelDescription, tokenCount: Int) -> Int {
    guard case .disentangled(let distances) = description.positions, tokenCount > 0 else { return 0 }
    let buckets = DisentangledAttention.Buckets(count: distances.bucketCount, longest: distances.longest)
    return DisentangledAttention.scratchCount(
      tokenCount: tokenCount, headWidth: description.headWidth, buckets: buckets)
  }
}

extension ForwardPass {
  /// Attention of whole rows to all their tokens and distances, a task for each head of each row.
  func attendToDistances(
    _ qkv: FloatRows, _ tables: (keys: FloatStorage?, queries: FloatStorage?), into output: FloatRows
  ) {
    guard let distances else { return }
    let start = profile.start()
    let job = DistanceJob(forward: self, distances: distances, qkv: qkv, tables: tables, output: output)
    workers.parallelFor(workspace.rows.runs.count * description.headCount, with: job) { job, task, worker in
      job.run(task, worker)
    }
    profile.add(.attention, since: start)
  }
}

private struct DistanceJob {
  let forward: ForwardPass
  let distances: DistanceAttention
  let qkv: FloatRows
  let tables: (keys: FloatStorage?, queries: FloatStorage?)
  let output: FloatRows

  func run(_ task: Int, _ worker: Int) {
    let runs = forward.workspace.rows.runs
    let (run, head) = (runs[task % runs.count], task / runs.count)
    let width = forward.description.headWidth
    let total = forward.description.headCount * width
    let column = head * width
    let row = unsafe qkv.pointer(row: run.start)
    unsafe distances.table.withUnsafeBufferPointer { table in
      guard let first = table.baseAddress else { return }
      unsafe DisentangledAttention.attend(
        q: row + column, k: row + total + column, v: row + 2 * total + column, stride: qkv.stride,
        tokenCount: run.count, headWidth: width, keyDistances: tables.keys.map { unsafe UnsafePointer($0.base + column) },
        queryDistances: tables.queries.map { unsafe UnsafePointer($0.base + column) }, distanceStride: total,
        buckets: first + (distances.tokenCount - run.count), scale: distances.scale,
        into: output.pointer(row: run.start) + column, stride: output.stride,
        scratch: distances.scratch.base(of: worker))
    }
  }
}
