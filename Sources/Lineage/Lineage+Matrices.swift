public import Files
import Kernels
import Models

extension Lineage {
  /// Compares matrices of two models; those of one name are partners. Those called `head` or `lm_head` are the head.
  ///
  /// - Throws: as for files; `emptyInput` for no matrices, `duplicateTensor`.
  public static func compare(
    _ a: [UnitRows], _ b: [UnitRows], options: LineageOptions = LineageOptions()
  ) throws(RallyError) -> LineageReport {
    try InstructionSet.checkEnvironment()
    return try compare(UnitPairing(model("A", a), model("B", b), mergesCopies: false).pairs, options)
  }

  private static func model(_ name: String, _ matrices: [UnitRows]) throws(RallyError) -> UnitModel {
    guard !matrices.isEmpty else { throw RallyError(.emptyInput, name, expected: "matrices", found: "none") }
    var sets: [UnitSet] = []
    for rows in matrices {
      let isHead = ["head", "lm_head", "head.weight", "lm_head.weight"].contains(rows.name)
      let setName = isHead ? "head" : rows.setName ?? rows.name
      let matrix = try unsafe UnitMatrix(
        name: rows.name, data: rows.data, rows: rows.rowCount, columns: rows.columnCount)
      if let index = sets.firstIndex(where: { $0.name == setName }) {
        try sets[index].append(matrix, key: rows.name)
      } else {
        var set = UnitSet(name: setName, kind: isHead ? .head : .feedForward)
        try set.append(matrix, key: rows.name)
        sets.append(set)
      }
    }
    return UnitModel(path: name, sets: sets)
  }
}
