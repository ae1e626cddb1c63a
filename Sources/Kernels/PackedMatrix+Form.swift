import CKernels
import Files
package import Tensors

extension PackedMatrix {
  /// What has to be known of a packed matrix besides its bytes.
  package struct Form: Equatable, Sendable {
    package let inputs: Int
    /// Outputs of each source.
    package let heights: [Int]
    package let dataType: DataType
    /// Scales of a row; 0 in types without any.
    package let groupCount: Int
    /// Rows are multiplied by factors first.
    package let hasFactors: Bool

    /// Nil for what is no form of a matrix.
    package init?(inputs: Int, heights: [Int], dataType: DataType, groupCount: Int, hasFactors: Bool) {
      let most = PackedMatrix.groupCount(inputs: inputs)
      let groups = dataType == .int8 ? [1, most] : [dataType == .q4 ? most : 0]
      guard [.f32, .bf16, .int8, .q4].contains(dataType), inputs > 0, !heights.isEmpty, heights.allSatisfy({ $0 > 0 }),
        PackedMatrix.dataType(dataType, inputs: inputs) == dataType, groups.contains(groupCount), dataType.hasScales || !hasFactors
      else { return nil }
      (self.inputs, self.heights, self.dataType) = (inputs, heights, dataType)
      (self.groupCount, self.hasFactors) = (groupCount, hasFactors)
    }

    fileprivate init(_ matrix: PackedMatrix) {
      (inputs, heights, dataType) = (matrix.inputs, matrix.sources.map(\.count), matrix.dataType)
      (groupCount, hasFactors) = (matrix.groupCount, matrix.factors.count > 0)
    }

    func plan() throws(RallyError) -> PanelPlan {
      var plan = try PanelPlan(
        inputs: inputs, dataType: dataType, isPaired: dataType == .bf16 && BF16Method.best == .native)
      for height in heights { try plan.append(height: height) }
      return plan
    }

    /// Of `PackedMatrix.parts`.
    func partByteCounts(_ plan: PanelPlan) -> [Int] {
      let float = MemoryLayout<Float>.stride
      // The scales of q4 stand among its weights.
      let scales = dataType == .int8 ? plan.stripCount * rk_matmul_columns * groupCount : 0
      return [plan.byteCount, scales * float, hasFactors ? inputs * float : 0]
    }
  }

  package var form: Form { Form(self) }

  /// How packed bytes are laid out on this processor; others with the same text read them alike. Its number grows with every
  /// change of what `rk_matmul_pack_…` writes.
  package static var layout: String {
    let pairs = BF16Method.best == .native ? "pairs" : "single"
    return "packing 1 \(InstructionSet.current) \(rk_matmul_columns) \(panelStrips) \(groupWidth) \(pairs)"
  }
}
