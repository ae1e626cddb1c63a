import JSON
import Kernels
import Rally

/// Writes results one by one, as they come.
final class BenchPrinter {
  private let format: BenchFormat
  private var columns: [BenchColumn]
  private let write: (String) throws(CommandFailure) -> Void
  private var count = 0

  /// - Parameter columns: of the table.
  init(
    _ format: BenchFormat, columns: [BenchColumn], write: @escaping (String) throws(CommandFailure) -> Void
  ) {
    self.format = format
    self.columns = columns
    self.write = write
  }

  func print(_ result: BenchResult) throws(CommandFailure) {
    if count == 0 {
      columns.removeAll { !$0.isShown(result) }
      try write(head(result))
    }
    try write(row(result))
    count += 1
  }

  /// What was written is then complete.
  func finish() throws(CommandFailure) {
    switch format {
    case .json: try write(count == 0 ? "[]\n" : "\n]\n")
    case .md where count > 0:
      try write("\nrally \(BenchHost.version) · \(BenchHost.processor)\n")
    default: break
    }
  }

  private func head(_ result: BenchResult) -> String {
    switch format {
    case .json: "[\n"
    case .jsonl: ""
    case .csv: cells(of: result).map(\.key).joined(separator: ",") + "\n"
    case .md:
      line(columns.map { $0.title.padded(to: $0.width, $0.alignment) })
        + line(columns.map { $0.rule })
    }
  }

  private func row(_ result: BenchResult) -> String {
    let object = String(decoding: JSONValue.object(result.fields).text, as: UTF8.self)
    return switch format {
    case .json: (count > 0 ? ",\n  " : "  ") + object
    case .jsonl: object + "\n"
    case .csv: cells(of: result).map { quoted($0.value) }.joined(separator: ",") + "\n"
    case .md: line(columns.map { $0.text(result).padded(to: $0.width, $0.alignment) })
    }
  }

  private func line(_ cells: [String]) -> String { "| \(cells.joined(separator: " | ")) |\n" }

  /// What fits into a cell: all but lists.
  private func cells(of result: BenchResult) -> [(key: String, value: String)] {
    result.fields.compactMap { field in
      switch field.value {
      case .array, .object: nil
      case .string(let text): (field.key, text)
      case .number(let value) where !value.isFinite: (field.key, "")
      default: (field.key, String(decoding: field.value.text, as: UTF8.self))
      }
    }
  }

  private func quoted(_ text: String) -> String {
    "\"\(text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\""))\""
  }
}
