import Curation
import JSON
import Rally

extension LineageReport {
  /// A table of tensors, sets and head, and the verdict.
  func lines(_ style: Style) -> [String] {
    var table = Table([
      ("tensor", .left), ("units", .right), ("of", .right), ("rho", .right), ("z", .right), ("p", .right),
    ])
    for entry in tensors { table.append(cells(entry, entry.name)) }
    for entry in sets { table.append(cells(entry, "all of \(entry.name)")) }
    if let head { table.append(cells(head, "head, apart: \(head.name)")) }
    let smallest = 1 / Double(1 + permutationCount)
    let whole = p < smallest ? "p < \(scientific(smallest))" : "p = \(scientific(p))"
    return table.lines(style) + [
      "\(style.bold("whole model"))  rho \(decimal(effect, 3)), \(whole), \(counted(sets.count, "set")) of units, "
        + counted(permutationCount, "permutation"),
      "\(style.bold("verdict"))  \(verdict.text)",
    ]
  }

  private func cells(_ entry: LineageEntry, _ title: String) -> [String] {
    let match = entry.match
    return [
      title.clipped(to: 60), "\(entry.unitCount)", "\(entry.totalUnitCount)", decimal(match.effect, 3),
      decimal(match.deviation, 1), match.reachedCount == 0 ? "< \(scientific(match.p))" : scientific(match.p),
    ]
  }

  /// Two digits that count: `0.032`, `0.00010`, `1.2e-12`.
  private func scientific(_ value: Double) -> String {
    guard value < 0.0001 else { return decimal(value, value < 0.01 ? 5 : 3) }
    var (mantissa, exponent) = (value, 0)
    while mantissa < 1, exponent > -400 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
    return "\(decimal(mantissa, 1))e\(exponent)"
  }

  var json: JSONValue {
    .object([
      ("verdict", .string(verdict.name)), ("text", .string(verdict.text)), ("p", .number(p)), ("rho", .number(effect)),
      ("permutations", .integer(permutationCount)), ("seed", .raw(ArraySlice("\(seed)".utf8))),
      ("tensors", .array(tensors.map(\.json))), ("sets", .array(sets.map(\.json))), ("head", head?.json ?? .null),
    ])
  }
}

extension LineageEntry {
  fileprivate var json: JSONValue {
    .object([
      ("name", .string(name)), ("set", .string(setName)), ("units", .integer(unitCount)),
      ("all_units", .integer(totalUnitCount)), ("rho", .number(match.effect)), ("z", .number(match.deviation)),
      ("p", .number(match.p)), ("reached", .integer(match.reachedCount)),
    ])
  }
}
