import Files
import Kernels
import Models
import Tensors

// The steps that layers are made of: views in, kernels on all workers. The one place where the
// engine hands addresses to kernels.

extension ForwardPass {
  /// Rows that one worker takes at a time: enough to outweigh the hand-over, few enough to share out
  /// a short prompt.
  private static var rowsPerTask: Int { 16 }

  /// Stretches that `count` rows make. A loop over them hands its closure all that it needs as one
  /// context, so that nothing is captured and nothing allocated.
  static func taskCount(_ count: Int) -> Int { (count + rowsPerTask - 1) / rowsPerTask }

  static func rows(of task: Int, count: Int) -> Range<Int> {
    task * rowsPerTask..<min(count, (task + 1) * rowsPerTask)
  }

  // MARK: Products

  /// out = W x + b of each row, after an operation on it; of `outputs` only, a run of the stacked parts.
  func project(
    _ input: FloatRows, after operation: RowOperation? = nil, _ projection: Projection, outputs: Range<Int>? = nil,
    into output: FloatRows, countedAs part: Profile.Part = .products
  ) throws(RallyError) {
    let bias = unsafe projection.bias.map { unsafe UnsafePointer($0.base) }
    guard let operation, projection.matrix.convertsRows, observer == nil else {
      if let operation { apply(operation, to: input) }
      try observer?(projection, input)
      let start = profile.start()
      unsafe try matMul.multiply(
        input.base, stride: input.stride, rows: input.rowCount, by: projection.matrix, outputs: outputs, bias: bias,
        into: output.base, stride: output.stride)
      return profile.add(part, since: start)
    }
    let start = profile.start()
    unsafe try matMul.multiply(input, after: operation, by: projection.matrix, outputs: outputs, bias: bias, into: output)
    profile.add(part, since: start)
  }

  // MARK: Norm, activation, sums

  /// Each row by itself.
  func apply(_ operation: RowOperation, to rows: FloatRows) {
    let start = profile.start()
    workers.parallelFor(Self.taskCount(rows.rowCount), with: (operation, rows)) { job, task, _ in
      let (operation, rows) = job
      operation.apply(to: rows, rows: Self.rows(of: task, count: rows.rowCount))
    }
    profile.add(.elementwise, since: start)
  }

  /// In place; nothing without a norm.
  func normalize(_ stream: FloatRows, _ norm: NormWeights?) {
    if let norm { apply(.normalize(norm.parameters, source: stream), to: stream) }
  }

  /// The middle of a feed-forward part: act(gate) · up, or act(up), in place; [n, F], with the stride of `inner`.
  var activation: RowOperation {
    let feedForward = description.feedForward
    return feedForward.isGated ? .gate(feedForward.activation) : .activate(feedForward.activation)
  }

  /// stream += sublayer; both dense.
  func add(_ sublayer: FloatRows, to stream: FloatRows) {
    let start = profile.start()
    defer { profile.add(.elementwise, since: start) }
    workers.parallelFor(Self.taskCount(stream.rowCount), with: (sublayer, stream)) { job, task, _ in
      let (sublayer, stream) = job
      let rows = Self.rows(of: task, count: stream.rowCount)
      Rows.add(sublayer.rows(rows), to: stream.rows(rows))
    }
  }

  // MARK: Moving rows

  /// output[i] = input[indices[i]].
  func gather(_ input: FloatRows, at indices: [Int32], into output: FloatRows) {
    let start = profile.start()
    defer { profile.add(.elementwise, since: start) }
    unsafe indices.withUnsafeBufferPointer { indices in
      guard let base = indices.baseAddress else { return }
      unsafe Rows.gather(
        input.base, stride: input.stride, indices: base, into: output.base, stride: output.stride,
        rows: indices.count, width: input.width)
    }
  }

  /// output[indices[i]] = input[i].
  func scatter(_ input: FloatRows, to indices: [Int32], of output: FloatRows) {
    let start = profile.start()
    defer { profile.add(.elementwise, since: start) }
    unsafe indices.withUnsafeBufferPointer { indices in
      guard let base = indices.baseAddress else { return }
      unsafe Rows.scatter(
        input.base, stride: input.stride, into: output.base, stride: output.stride, indices: base,
        rows: indices.count, width: input.width)
    }
  }

  /// output[indices[i]] += gains[i] · input[i]; without gains, input as it is.
  func scatterAdd(_ input: FloatRows, gains: [Float]?, to indices: [Int32], of output: FloatRows) {
    let start = profile.start()
    defer { profile.add(.elementwise, since: start) }
    unsafe indices.withUnsafeBufferPointer { indices in
      guard let base = indices.baseAddress else { return }
      func add(_ gains: UnsafePointer<Float>?) {
        unsafe Rows.scatterAdd(
          input.base, stride: input.stride, gains: gains, to: output.base, stride: output.stride,
          indices: base, rows: indices.count, width: input.width)
      }
      if let gains {
        unsafe gains.withUnsafeBufferPointer { unsafe add($0.baseAddress) }
      } else {
        add(nil)
      }
    }
  }

  // MARK: Embedding

  /// hidden = embedding of each token of the workspace's rows, scaled, with learned positions added and normalised where the
  /// model has them.
  func embed(_ tokens: [Int32], into hidden: FloatRows) {
    look(up: tokens, in: weights.embedding, into: hidden)
    if let scale = description.embeddingScale {
      unsafe Rows.scale(hidden.base, by: Float(scale), count: hidden.rowCount * hidden.width)
    }
    if let positions = weights.positions {
      let offsets = workspace.projected(tokens.count)
      look(up: workspace.rows.positions, in: positions, into: offsets)
      add(offsets, to: hidden)
    }
    normalize(hidden, weights.embeddingNorm)
  }

  /// output[i] = table[indices[i]].
  private func look(up indices: [Int32], in table: EmbeddingTable, into output: FloatRows) {
    workers.parallelFor(Self.taskCount(indices.count), with: (indices, table, output)) { job, task, _ in
      let (indices, table, output) = job
      for row in Self.rows(of: task, count: indices.count) {
        unsafe table.copyRow(Int(indices[row]), to: output.pointer(row: row))
      }
    }
  }
}
