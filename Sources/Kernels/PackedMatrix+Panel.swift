import CKernels
import Files
import Tensors

extension PackedMatrix {
  /// Some neighbouring outputs and their packed weights.
  @safe struct Panel {
    let outputs: Range<Int>
    /// The first of its strips among those of the matrix.
    let firstStrip: Int
    /// Into the matrix' storage, aligned to 64 bytes.
    let data: UnsafeMutableRawPointer

    init(_ piece: PanelPlan.Piece, in storage: UnsafeMutablePointer<UInt8>) {
      outputs = piece.outputs
      firstStrip = piece.firstStrip
      unsafe data = UnsafeMutableRawPointer(storage + piece.offset)
    }
  }

  /// Where panels go: computed before memory is taken.
  struct PanelPlan {
    struct Piece {
      let source: Int
      /// Among the source's own.
      let rows: Range<Int>
      /// Among the matrix'.
      let outputs: Range<Int>
      let firstStrip: Int
      let offset: Int
    }

    let inputs: Int
    let dataType: DataType
    let isPaired: Bool
    private(set) var pieces: [Piece] = []
    private(set) var sources: [Range<Int>] = []
    private(set) var outputs = 0
    private(set) var stripCount = 0
    private(set) var byteCount = 0

    init(inputs: Int, dataType: DataType, isPaired: Bool) throws(RallyError) {
      precondition([.f32, .bf16, .int8, .q4].contains(dataType) && PackedMatrix.dataType(dataType, inputs: inputs) == dataType)
      guard dataType != .int8 || inputs <= rk_matmul_int8_inputs else {
        throw RallyError(
          .limitExceeded, "int8 matrix", expected: "at most \(rk_matmul_int8_inputs) inputs", found: "\(inputs)",
          remedy: "open the model as bf16")
      }
      self.inputs = inputs
      self.dataType = dataType
      self.isPaired = isPaired
    }

    mutating func append(_ source: WeightRows) throws(RallyError) {
      precondition(source.dataType == .f32 || source.dataType == dataType)
      let start = outputs
      for first in stride(from: 0, to: source.outputs, by: PackedMatrix.panelWidth) {
        let rows = first..<min(first + PackedMatrix.panelWidth, source.outputs)
        let (end, overflow) = outputs.addingReportingOverflow(rows.count)
        let (byteCount, byteOverflow) = try byteCount.addingReportingOverflow(stripByteCount(width: rows.count))
        guard !overflow, !byteOverflow else { throw tooLarge(source.outputs) }
        pieces.append(
          Piece(
            source: sources.count, rows: rows, outputs: outputs..<end, firstStrip: stripCount, offset: self.byteCount))
        outputs = end
        stripCount += (rows.count + rk_matmul_columns - 1) / rk_matmul_columns
        self.byteCount = byteCount
      }
      sources.append(start..<outputs)
    }

    /// Whole strips, so panels stay aligned: a step of a strip is 64 bytes or 128.
    private func stripByteCount(width: Int) throws(RallyError) -> Int {
      let strips = (width + rk_matmul_columns - 1) / rk_matmul_columns
      let inputs = PackedMatrix.wholeSteps(inputs, dataType, isPaired)
      let (count, overflow) = inputs.multipliedReportingOverflow(by: strips * PackedMatrix.inputByteCount(dataType))
      guard !overflow else { throw tooLarge(width) }
      return count
    }

    private func tooLarge(_ outputs: Int) -> RallyError {
      RallyError(.limitExceeded, "weight matrix", expected: "a size that fits memory", found: "\(outputs) × \(inputs)")
    }
  }
}
