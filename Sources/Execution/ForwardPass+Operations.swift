import Kernels
import Models
import Tensors

// The steps that layers are made of: views in, kernels on all workers. The one place where the
// engine hands addresses to kernels.

extension ForwardPass {
  /// Rows that one worker takes at a time: enough to outweigh the hand-over, few enough to share out
  /// a short prompt.
  private static var rowsPerTask: Int { 16 }

  /// Calls `body` with stretches of rows, on all workers. It captures nothing and finds what it needs
  /// in `context`, so that no closure is allocated.
  private func forRows<Context>(
    _ count: Int, _ context: Context, _ body: @escaping (Context, Range<Int>) -> Void
  ) {
    let taskCount = (count + Self.rowsPerTask - 1) / Self.rowsPerTask
    workers.parallelFor(taskCount, with: (context, count, body)) { job, task, _ in
      let (context, count, body) = job
      body(context, task * Self.rowsPerTask..<min(count, (task + 1) * Self.rowsPerTask))
    }
  }

  // MARK: Products

  /// out = W x + b of each row; of `outputs` only, a run of the stacked parts.
  func project(
    _ input: FloatRows, _ projection: Projection, outputs: Range<Int>? = nil, into output: FloatRows
  ) throws(RallyError) {
    unsafe try matMul.multiply(
      input.base, stride: input.stride, rows: input.rowCount, by: projection.matrix, outputs: outputs,
      into: output.base, stride: output.stride)
    guard let bias = projection.bias else { return }
    let range = outputs ?? 0..<projection.matrix.outputs
    forRows(output.rowCount, (output, bias, range)) { job, rows in
      let (output, bias, range) = job
      unsafe Rows.addBias(
        bias.base + range.lowerBound, to: output.pointer(row: rows.lowerBound), stride: output.stride,
        rows: rows.count, width: range.count)
    }
  }

  // MARK: Norm, activation, sums

  /// `output` may be `input`.
  func normalize(_ input: FloatRows, _ norm: NormWeights, into output: FloatRows) {
    forRows(input.rowCount, (input, norm, output)) { job, rows in
      let (input, norm, output) = job
      let x = unsafe input.pointer(row: rows.lowerBound)
      let y = unsafe output.pointer(row: rows.lowerBound)
      switch norm.kind {
      case .rms:
        unsafe Norm.rms(
          x, stride: input.stride, weight: norm.gain.base, epsilon: norm.epsilon, into: y,
          stride: output.stride, rows: rows.count, width: input.width)
      case .layer:
        unsafe Norm.layer(
          x, stride: input.stride, weight: norm.gain.base, bias: norm.bias?.base, epsilon: norm.epsilon,
          into: y, stride: output.stride, rows: rows.count, width: input.width)
      }
    }
  }

  /// act(gate) · up, or act(up), in place; [n, F], with the stride of `inner`.
  func activate(_ inner: FloatRows) -> FloatRows {
    let result = inner.columns(0..<description.feedForwardSize)
    let activation = Activation(description.feedForward.activation)
    forRows(inner.rowCount, (result, activation, description.feedForward.isGated)) { job, rows in
      let (inner, activation, isGated) = job
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
    forRows(stream.rowCount, (sublayer, stream)) { job, rows in
      let (sublayer, stream) = job
      unsafe Rows.add(
        sublayer.pointer(row: rows.lowerBound), to: stream.pointer(row: rows.lowerBound),
        count: rows.count * stream.width)
    }
  }

  // MARK: Moving rows

  /// output[i] = input[indices[i]].
  func gather(_ input: FloatRows, at indices: [Int32], into output: FloatRows) {
    unsafe indices.withUnsafeBufferPointer { indices in
      guard let base = indices.baseAddress else { return }
      unsafe Rows.gather(
        input.base, stride: input.stride, indices: base, into: output.base, stride: output.stride,
        rows: indices.count, width: input.width)
    }
  }

  /// output[indices[i]] = input[i].
  func scatter(_ input: FloatRows, to indices: [Int32], of output: FloatRows) {
    unsafe indices.withUnsafeBufferPointer { indices in
      guard let base = indices.baseAddress else { return }
      unsafe Rows.scatter(
        input.base, stride: input.stride, into: output.base, stride: output.stride, indices: base,
        rows: indices.count, width: input.width)
    }
  }

  /// output[indices[i]] += gains[i] · input[i]; without gains, input as it is.
  func scatterAdd(_ input: FloatRows, gains: [Float]?, to indices: [Int32], of output: FloatRows) {
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

  /// hidden = embedding of each token, with learned positions added and normalised where the model
  /// has them.
  func embed(_ step: Step) {
    let hidden = workspace.hidden
    forRows(step.tokenCount, (weights.embedding, step.tokens, hidden)) { job, rows in
      let (table, tokens, hidden) = job
      for row in rows { unsafe table.copyRow(Int(tokens[row]), to: hidden.pointer(row: row)) }
    }
    if let positions = weights.positions {
      let offsets = workspace.projected(step.tokenCount)
      forRows(step.tokenCount, (positions, step.rows.positions, offsets)) { job, rows in
        let (table, positions, offsets) = job
        for row in rows { unsafe table.copyRow(Int(positions[row]), to: offsets.pointer(row: row)) }
      }
      add(offsets, to: hidden)
    }
    if let norm = weights.embeddingNorm { normalize(hidden, norm, into: hidden) }
  }
}

extension Activation {
  init(_ activation: ModelDescription.Activation) {
    switch activation {
    case .silu: self = .silu
    case .gelu: self = .gelu
    case .geluTanh: self = .geluTanh
    case .relu: self = .relu
    }
  }
}
