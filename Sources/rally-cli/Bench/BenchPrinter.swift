import JSON
import Rally

enum BenchFormat: String, CaseIterable {
  case md, csv, json, jsonl
}

/// Writes results one by one, as they come.
final class BenchPrinter {
  private let format: BenchFormat
  private let columns: [BenchColumn]
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
    if count == 0 { try write(head(result)) }
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

/// A column of the table.
struct BenchColumn {
  let title: String
  let width: Int
  let alignment: Alignment
  let text: (BenchResult) -> String

  fileprivate var rule: String {
    alignment == .left ? String(repeating: "-", count: width) : String(repeating: "-", count: width - 1) + ":"
  }

  /// llama-bench's, those of a single value left out where nobody asked for them.
  static func columns(batch: Bool, batching: Bool, jobs: Bool) -> [BenchColumn] {
    var columns = [
      BenchColumn(title: "model", width: 24, alignment: .left) { $0.modelName.clipped(to: 24) },
      BenchColumn(title: "size", width: 10, alignment: .right) { binary($0.info.weightByteCount) },
      BenchColumn(title: "params", width: 8, alignment: .right) { parameters($0.info.parameterCount) },
      BenchColumn(title: "backend", width: 10, alignment: .left) { _ in "CPU \(InstructionSet.current)" },
      BenchColumn(title: "threads", width: 7, alignment: .right) { "\($0.test.threadCount)" },
      BenchColumn(title: "dtype", width: 5, alignment: .left) { "\($0.info.dataType)" },
    ]
    if batch { columns.append(BenchColumn(title: "n_batch", width: 7, alignment: .right) { "\($0.test.batchTokenCount)" }) }
    columns.append(BenchColumn(title: "n_seq", width: 5, alignment: .right) { "\($0.test.sequenceCount)" })
    if batching { columns.append(BenchColumn(title: "batching", width: 8, alignment: .left) { $0.test.batching.rawValue }) }
    columns.append(BenchColumn(title: "test", width: 14, alignment: .right) { $0.test.name })
    if jobs {
      columns += [
        BenchColumn(title: "rows/pass", width: 9, alignment: .right) { optional($0.work.meanRowCount, 2) },
        BenchColumn(title: "jobs/s", width: 16, alignment: .right) { $0.jobsPerSecond.map { spread($0, 3) } ?? "" },
      ]
    }
    return columns + [
      BenchColumn(title: "mean depth", width: 10, alignment: .right) { optional($0.work.meanDepth, 2) },
      BenchColumn(title: "t/s", width: 17, alignment: .right) { spread($0.tokensPerSecond, 2) },
    ]
  }

  /// Empty for what there is not.
  private static func optional(_ value: Double, _ places: Int) -> String {
    value.isFinite ? decimal(value, places) : ""
  }

  private static func spread(_ spread: Spread, _ places: Int) -> String {
    "\(decimal(spread.mean, places)) ± \(decimal(spread.deviation, places))"
  }

  /// `690.29 MiB`, as llama-bench writes sizes.
  private static func binary(_ byteCount: Int) -> String {
    let mebibytes = Double(byteCount) / 1_048_576
    return mebibytes < 1024 ? "\(decimal(mebibytes, 2)) MiB" : "\(decimal(mebibytes / 1024, 2)) GiB"
  }

  private static func parameters(_ count: Int) -> String {
    count < 1_000_000_000 ? "\(decimal(Double(count) / 1e6, 2)) M" : "\(decimal(Double(count) / 1e9, 2)) B"
  }
}
