import Kernels
import Rally

enum BenchFormat: String, CaseIterable {
  case md, csv, json, jsonl
}

/// A column of the table.
struct BenchColumn {
  let title: String
  let width: Int
  let alignment: Alignment
  /// By the first result.
  var isShown: (BenchResult) -> Bool = { _ in true }
  let text: (BenchResult) -> String

  var rule: String {
    alignment == .left ? String(repeating: "-", count: width) : String(repeating: "-", count: width - 1) + ":"
  }

  /// llama-bench's, those of a single value left out where they were not asked for.
  static func columns(batch: Bool, batching: Bool, cache: Bool, jobs: Bool) -> [BenchColumn] {
    var columns = [
      BenchColumn(title: "model", width: 24, alignment: .left) { $0.modelName.clipped(to: 24) },
      BenchColumn(title: "size", width: 10, alignment: .right) { binary($0.info.weightByteCount) },
      BenchColumn(title: "params", width: 8, alignment: .right) { parameters($0.info.parameterCount) },
      BenchColumn(title: "backend", width: 10, alignment: .left) { _ in "CPU \(InstructionSet.current)" },
      BenchColumn(title: "threads", width: 7, alignment: .right) { "\($0.test.threadCount)" },
      BenchColumn(title: "dtype", width: 5, alignment: .left) { "\($0.info.dataType)" },
    ]
    if batch { columns.append(BenchColumn(title: "n_batch", width: 7, alignment: .right) { "\($0.test.batchTokenCount)" }) }
    if cache { columns.append(BenchColumn(title: "cache", width: 5, alignment: .left) { $0.test.cacheType.rawValue }) }
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
      BenchColumn(title: "exits %", width: 15, alignment: .right, isShown: { $0.info.exit != nil }) { result in
        result.exitShares.map { decimal(100 * $0, 0) }.joined(separator: "/")
      },
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
