import CRally
import Glibc
import JSON
import Kernels
import Rally

/// What was measured, and on what.
struct BenchResult {
  let path: String
  let info: ModelInfo
  let test: BenchTest
  /// Of jobs or rows, where they differ.
  let lengths: [Int]
  /// At least one.
  let samples: [BenchSample]
  /// UTC, at the beginning.
  let time: String

  /// Of all repetitions together.
  var work: EngineWork { samples.dropFirst().reduce(samples[0].work) { $0 + $1.work } }
  var seconds: Double { samples.reduce(0) { $0 + $1.seconds } }
  var tokensPerSecond: Spread { Spread(samples.map(\.tokensPerSecond)) }

  /// nil where there are none.
  var jobsPerSecond: Spread? {
    guard case .jobs(let jobs) = test.work else { return nil }
    return Spread(samples.map { Double(jobs.count) / max($0.seconds, 1e-9) })
  }

  /// Of looped models whose tokens may leave early, from depth 1.
  var exitShares: [Double] { info.exit == nil ? [] : work.exitShares }

  var modelName: String {
    if !info.name.isEmpty { return info.name }
    let file = path.split(separator: "/").last ?? ""
    return String(file.hasSuffix(".onnx") ? file.dropLast(5) : file)
  }

  /// Where the time went; what no part accounts for is `other`.
  var secondsByPart: [(part: String, value: Double)] {
    let parts = work.seconds
    return parts + [("other", max(0, seconds - parts.reduce(0) { $0 + $1.value }))]
  }

  /// By llama-bench's keys, and those that it has no word for.
  var fields: [(key: String, value: JSONValue)] {
    let nanoseconds = Spread(samples.map { $0.seconds * 1e9 })
    let jobs: BenchJobs? = if case .jobs(let jobs) = test.work { jobs } else { nil }
    return [
      ("build_version", .string(BenchHost.version)),
      ("cpu_info", .string(BenchHost.processor)),
      ("backends", .string("CPU")),
      ("isa", .string(InstructionSet.current)),
      ("model_filename", .string(path)),
      ("model_type", .string(modelName)),
      ("kind", .string(info.kind.rawValue)),
      ("model_size", .integer(info.weightByteCount)),
      ("model_n_params", .integer(info.parameterCount)),
      ("dtype", .string("\(info.dataType)")),
      ("type_k", .string(test.cacheType.rawValue)),
      ("type_v", .string(test.cacheType.rawValue)),
      ("n_batch", .integer(test.batchTokenCount)),
      ("n_threads", .integer(test.threadCount)),
      ("n_seq", .integer(test.sequenceCount)),
      ("batching", .string(test.batching.rawValue)),
      ("test", .string(test.name)),
      ("n_prompt", .integer(test.promptCount)),
      ("n_gen", .integer(test.generatedCount)),
      ("n_depth", .integer(test.depth)),
      ("n_jobs", .integer(jobs?.count ?? 0)),
      ("test_time", .string(time)),
      ("avg_ns", .integer(Int(nanoseconds.mean))),
      ("stddev_ns", .integer(Int(nanoseconds.deviation))),
      ("median_ns", .integer(Int(nanoseconds.median))),
      ("avg_ts", .number(tokensPerSecond.mean)),
      ("stddev_ts", .number(tokensPerSecond.deviation)),
      ("median_ts", .number(tokensPerSecond.median)),
      ("jobs_per_second", .number(jobsPerSecond?.mean ?? .nan)),
      ("mean_depth", .number(work.meanDepth)),
      ("mean_rows", .number(work.meanRowCount)),
      ("exit_shares", .array(exitShares.map { .number($0) })),
      ("samples_ns", .array(samples.map { .integer(Int($0.seconds * 1e9)) })),
      ("samples_ts", .array(samples.map { .number($0.tokensPerSecond) })),
      ("samples_tokens", .array(samples.map { .integer($0.tokenCount) })),
      ("lengths", .array(lengths.map { .integer($0) })),
      ("seconds", .object(secondsByPart.map { ($0.part, .number($0.value)) })),
    ]
  }
}

/// The middle of numbers, and how far they lie from it.
struct Spread {
  let mean: Double
  /// Of a sample; 0 for a single number.
  let deviation: Double
  let median: Double

  init(_ values: [Double]) {
    let mean = values.reduce(0, +) / Double(values.count)
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    self.mean = mean
    deviation = values.count > 1 ? (squares / Double(values.count - 1)).squareRoot() : 0
    let sorted = values.sorted()
    median = sorted.isEmpty ? .nan : (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
  }
}

/// What the machine and the program are.
enum BenchHost {
  static let version = "\(RALLY_VERSION_MAJOR).\(RALLY_VERSION_MINOR).\(RALLY_VERSION_PATCH)"

  /// As the system calls it; empty where it does not say.
  static let processor: String = {
    guard var file = try? TextInput(path: "/proc/cpuinfo"), let bytes = try? file.readAll() else { return "" }
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") where line.hasPrefix("model name") {
      return line.split(separator: ":", maxSplits: 1).last.map { String($0.drop { $0 == " " }) } ?? ""
    }
    return ""
  }()

  /// Now, in UTC: `2025-04-24T11:58:50Z`.
  static var time: String {
    var seconds = Glibc.time(nil)
    var parts = unsafe tm()
    unsafe gmtime_r(&seconds, &parts)
    let date = unsafe [parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday]
    let clock = unsafe [parts.tm_hour, parts.tm_min, parts.tm_sec]
    func digits(_ value: CInt) -> String { (value < 10 ? "0" : "") + "\(value)" }
    return "\(date.map(digits).joined(separator: "-"))T\(clock.map(digits).joined(separator: ":"))Z"
  }
}
