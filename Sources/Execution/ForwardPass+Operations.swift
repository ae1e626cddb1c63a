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

  /// out = W x + b of each row; of `outputs` only, a run of the stacked parts.
  func project(
    _ input: FloatRows, _ projection: Projection, outputs: Range<Int>? = nil, into output: FloatRows,
    countedAs part: Profile.Part = .products
  ) throws(RallyError) {
    try observer?(projection, input)
    let start = profile.start()
    unsafe try matMul.multiply(
      input.base, stride: input.stride, rows: input.rowCount, by: projection.matrix, outputs: outputs,
      bias: projection.bias.map { unsafe UnsafePointer($0.base) }, into: output.base, stride: output.stride)
    profile.add(part, since: start)
  }

  // MARK: Norm, activation, sums

  /// stream = norm(stream + sublayer), both dense.
  func add(_ sublayer: FloatRows, to stream: FloatRows, thenNormalize norm: NormWeights?) {
    guard let norm else { return add(sublayer, to: stream) }
    let start = profile.start()
    defer { profile.add(.elementwise, since: start) }
    workers.parallelFor(Self.taskCount(stream.rowCount), with: (sublayer, stream, norm)) { job, task, _ in
      let (sublayer, stream, norm) = job
      let rows = Self.rows(of: task, count: stream.rowCount)
      unsafe Rows.add(
        sublayer.pointer(row: rows.lowerBound), to: stream.pointer(row: rows.lowerBound), count: rows.count * stream.width)
      Self.normalize(stream.rows(rows), norm, into: stream.rows(rows))
    }
  }

  /// `output` may be `input`.
  func normalize(_ input: FloatRows, _ norm: NormWeights, into output: FloatRows) {
    let start = profile.start()
    defer { profile.add(.elementwise, since: start) }
    workers.parallelFor(Self.taskCount(input.rowCount), with: (input, norm, output)) { job, task, _ in
      let (input, norm, output) = job
      let rows = Self.rows(of: task, count: input.rowCount)
      Self.normalize(input.rows(rows), norm, into: output.rows(rows))
    }
  }

  private static func normalize(_ input: FloatRows, _ norm: NormWeights, into output: FloatRows) {
    switch norm.kind {
    case .rms:
      unsafe Norm.rms(
        input.base, stride: input.stride, weight: norm.gain.base, epsilon: norm.epsilon, into: output.base,
        stride: output.stride, rows: input.rowCount, width: input.width)
    case .layer:
      unsafe Norm.layer(
        input.base, stride: input.stride, weight: norm.gain.base, bias: norm.bias?.base, epsilon: norm.epsilon,
        into: output.base, stride: output.stride, rows: input.rowCount, width: input.width)
    }
  }

  /// act(gate) · up, or act(up), in place; [n, F], with the stride of `inner`.
  func activate(_ inner: FloatRows) -> FloatRows {
    let start = profile.start()
    defer { profile.add(.elementwise, since: start) }
    let result = inner.columns(0..<description.feedForwardSize)
    let activation = description.feedForward.activation
    let isGated = description.feedForward.isGated
    workers.parallelFor(Self.taskCount(inner.rowCount), with: (result, activation, isGated)) { job, task, _ in
      let (inner, activation, isGated) = job
      let rows = Self.rows(of: task, count: inner.rowCount)
      let x = unsafe inner.pointer(row: rows.lowerBound)
      if isGated {
        unsafe activation.applyGated(
          x, stride: inner.stride, into: x, stride: inner.stride, rows: rows.count, width: inner.width)
      } else {
        unsafe activation.apply(x, stride: inner.stride, rows: rows.count, width: inner.width)
      }
    }
    return result
  }

  /// stream += sublayer; both dense.
  func add(_ sublayer: FloatRows, to stream: FloatRows) {
    let start = profile.start()
    defer { profile.add(.elementwise, since: start) }
    workers.parallelFor(Self.taskCount(stream.rowCount), with: (sublayer, stream)) { job, task, _ in
      let (sublayer, stream) = job
      let rows = Self.rows(of: task, count: stream.rowCount)
      unsafe Rows.add(
        sublayer.pointer(row: rows.lowerBound), to: stream.pointer(row: rows.lowerBound),
        count: rows.count * stream.width)
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
    if let norm = weights.embeddingNorm { normalize(hidden, norm, into: hidden) }
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
