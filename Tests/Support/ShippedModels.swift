package import Rally
import Tensors

/// The models that the project ships, opened once.
package enum Shipped {
  package static let language = open("rally-tiny")
  package static let rater = open("rally-rater-tiny")

  private static func open(_ name: String) -> Result<Model, RallyError> {
    Result { () throws(RallyError) in try Model.open(path: path(name)) }
  }

  package static func path(_ name: String) -> String {
    let folder = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    return "/\(folder)/Examples/models/\(name).onnx"
  }
}

/// Rows of seeded ids.
package func rows(_ lengths: [Int], vocabularySize: Int, seed: UInt64) -> [[Int32]] {
  var state = seed
  return lengths.map { length in
    (0..<length).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int32((state >> 33) % UInt64(vocabularySize))
    }
  }
}

/// What a run computed, by value.
package struct RunResult: Equatable {
  package var logits: [UInt32]
  package var logProbabilities: [UInt32]
  package var depths: [Int32]
}

extension Runner {
  /// Runs rows and keeps the bits of everything.
  package func result(_ rows: [[Int32]], _ selection: Selection) throws(RallyError) -> RunResult {
    let batch = RowBatch(rows)
    let width = model.info.vocabularySize
    let logits = try FloatStorage(count: batch.tokenCount * width)
    let logProbabilities = try FloatStorage(count: batch.tokenCount)
    let depths = try AlignedStorage<Int32>(zeroed: batch.tokenCount)
    var outputs = RunOutputs()
    unsafe outputs.logits = logits.base
    unsafe outputs.logProbabilities = logProbabilities.base
    unsafe outputs.depths = depths.base
    var options = RunOptions()
    options.selection = selection
    try run(batch, options: options, outputs: outputs)
    return RunResult(
      logits: (0..<batch.tokenCount * width).map { logits[$0].bitPattern },
      logProbabilities: (0..<batch.tokenCount - rows.count).map { logProbabilities[$0].bitPattern },
      depths: (0..<batch.tokenCount).map { unsafe depths.base[$0] })
  }
}
