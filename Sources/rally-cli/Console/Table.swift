enum Alignment { case left, right }

extension String {
  /// Counts characters: good for text whose characters are one column wide.
  func padded(to width: Int, _ alignment: Alignment) -> String {
    let space = String(repeating: " ", count: max(0, width - count))
    return alignment == .left ? self + space : space + self
  }

  /// Fit for one line of a table: no control characters, cut at `width`.
  func clipped(to width: Int) -> String {
    var line = ""
    for character in self {
      let isControl = character.unicodeScalars.contains { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) }
      if isControl && line.last == " " { continue }
      line.append(isControl ? " " : character)
      if line.count > width { return line.prefix(max(0, width - 1)) + "…" }
    }
    return line
  }
}

/// Columns side by side, as wide as their widest cell.
struct Table {
  private let alignments: [Alignment]
  private var rows: [[String]]

  init(_ columns: [(title: String, alignment: Alignment)]) {
    alignments = columns.map(\.alignment)
    rows = [columns.map(\.title)]
  }

  mutating func append(_ cells: [String]) { rows.append(cells) }

  /// - Returns: the titles first.
  func lines(_ style: Style) -> [String] {
    let widths = alignments.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.enumerated().map { index, row in
      var cells = row.indices.map { row[$0].padded(to: widths[$0], alignments[$0]) }
      // No blanks at the end of lines.
      if alignments.last == .left { cells[cells.count - 1] = row[row.count - 1] }
      let line = cells.joined(separator: "  ")
      return index == 0 ? style.bold(line) : line
    }
  }
}
