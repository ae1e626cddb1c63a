import JSON
import Rally

extension QuantizationReport {
  /// A table of what is stored how, and what that costs.
  func lines(_ style: Style) -> [String] {
    var table = Table([
      ("tensors", .left), ("count", .right), ("before", .right), ("after", .right), ("mean error", .right),
      ("max error", .right),
    ])
    for (kind, group) in matrices {
      table.append(cells(kind.title, group) + [percent(group.meanError), percent(group.greatestError)])
    }
    table.append(cells("others, as they were", others) + ["", ""])
    let share = decimal(Double(byteCountAfter) / Double(max(byteCountBefore, 1)) * 100, 1)
    let files = "\(bytes(byteCountBefore)) before, \(bytes(byteCountAfter)) after: \(share) %"
    return table.lines(style).map(\.withoutTrailingBlanks) + [style.bold("file") + "  \(files)"]
      + (dataPath.map { ["data next to it in \($0)"] } ?? [])
  }

  private func cells(_ title: String, _ group: Group) -> [String] {
    [title, "\(group.tensorCount)", bytes(group.byteCountBefore), bytes(group.byteCountAfter)]
  }

  private func percent(_ share: Double) -> String { share == 0 ? "none" : "\(decimal(share * 100, 3)) %" }

  func json(dtype: String) -> JSONValue {
    .object([
      ("dtype", .string(dtype)),
      ("bytes_before", .integer(byteCountBefore)),
      ("bytes_after", .integer(byteCountAfter)),
      ("data_file", dataPath.map { .string($0) } ?? .null),
      (
        "matrices",
        .object(
          matrices.map { kind, group in
            let errors: [(key: String, value: JSONValue)] = [
              ("mean_error", .number(group.meanError)), ("max_error", .number(group.greatestError)),
            ]
            return (kind.rawValue, .object(Self.members(group) + errors))
          })
      ),
      ("others", .object(Self.members(others))),
    ])
  }

  private static func members(_ group: Group) -> [(key: String, value: JSONValue)] {
    [
      ("tensors", .integer(group.tensorCount)), ("bytes_before", .integer(group.byteCountBefore)),
      ("bytes_after", .integer(group.byteCountAfter)),
    ]
  }
}

extension MatrixKind {
  fileprivate var title: String { self == .feedForward ? "feed-forward" : rawValue }
}

extension String {
  fileprivate var withoutTrailingBlanks: String {
    var text = self
    while text.last == " " { text.removeLast() }
    return text
  }
}
