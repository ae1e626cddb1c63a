public import CRally
import Curation
import Rally

/// What a `rally_lineage_report *` stands for: the report, and its texts as C strings that live as long.
final class LineageHandle: Sendable {
  static let table = HandleTable<LineageHandle>("lineage report", tag: 5)

  let report: LineageReport
  private let texts: [String: CText]

  init(_ report: LineageReport) {
    self.report = report
    let entries = report.tensors + report.sets + (report.head.map { [$0] } ?? [])
    texts = entries.reduce(into: [:]) { texts, entry in
      texts[entry.name] = texts[entry.name] ?? CText(entry.name)
      texts[entry.setName] = texts[entry.setName] ?? CText(entry.setName)
    }
  }

  @unsafe func text(_ text: String) -> UnsafePointer<CChar>? { unsafe texts[text]?.pointer }
}

@c @implementation
public func rally_lineage(
  _ a: UnsafePointer<CChar>?, _ b: UnsafePointer<CChar>?, _ options: UnsafePointer<rally_lineage_options>?,
  _ report: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let result = try unsafe required(report, "report")
    let found = try unsafe Lineage.compare(path(a, "a"), path(b, "b"), options: LineageOptions(options))
    unsafe result.pointee = try LineageHandle.table.insert(LineageHandle(found))
  }
}

@c @implementation
public func rally_lineage_matrices(
  _ a: UnsafePointer<rally_matrix>?, _ aCount: Int, _ b: UnsafePointer<rally_matrix>?, _ bCount: Int,
  _ options: UnsafePointer<rally_lineage_options>?, _ report: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let result = try unsafe required(report, "report")
    let found = try unsafe Lineage.compare(
      matrices(a, aCount, "a"), matrices(b, bCount, "b"), options: LineageOptions(options))
    unsafe result.pointee = try LineageHandle.table.insert(LineageHandle(found))
  }
}

@c @implementation
public func rally_lineage_close(_ report: OpaquePointer?) {
  closing { _ = unsafe LineageHandle.table.remove(report) }
}

@c @implementation
public func rally_lineage_verdict_text(_ verdict: rally_lineage_verdict) -> UnsafePointer<CChar>? {
  guard let raw = Int32(exactly: verdict.rawValue), let verdict = LineageVerdict(rawValue: raw) else { return nil }
  return unsafe staticText(verdict.text)
}

@c @implementation
public func rally_lineage_get_result(
  _ report: OpaquePointer?, _ result: UnsafeMutablePointer<rally_lineage_result>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let report = try unsafe LineageHandle.table.object(report).report
    var value = rally_lineage_result.defaults
    value.verdict = rally_lineage_verdict(rally_lineage_verdict.RawValue(report.verdict.rawValue))
    value.p = report.p
    value.rho = report.effect
    value.permutations = UInt64(report.permutationCount)
    value.seed = report.seed
    value.tensor_count = report.tensors.count
    value.set_count = report.sets.count
    value.head_count = report.head == nil ? 0 : 1
    try unsafe rally_lineage_result.write(value, to: result, "result")
  }
}

@c @implementation
public func rally_lineage_entry_at(
  _ report: OpaquePointer?, _ kind: rally_lineage_kind, _ index: Int,
  _ entry: UnsafeMutablePointer<rally_lineage_entry>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let handle = try unsafe LineageHandle.table.object(report)
    let entries = try handle.report.entries(kind)
    try check(index, "index", below: entries.count)
    let found = entries[index]
    var value = unsafe rally_lineage_entry.defaults
    unsafe value.name = handle.text(found.name)
    unsafe value.set = handle.text(found.setName)
    unsafe value.units = found.unitCount
    unsafe value.all_units = found.totalUnitCount
    unsafe value.rho = found.match.effect
    unsafe value.z = found.match.deviation
    unsafe value.p = found.match.p
    unsafe value.reached = UInt64(found.match.reachedCount)
    try unsafe rally_lineage_entry.write(value, to: entry, "entry")
  }
}

// MARK: Conversions

extension LineageReport {
  fileprivate func entries(_ kind: rally_lineage_kind) throws(RallyError) -> [LineageEntry] {
    switch kind {
    case RALLY_LINEAGE_TENSORS: return tensors
    case RALLY_LINEAGE_SETS: return sets
    case RALLY_LINEAGE_HEAD: return head.map { [$0] } ?? []
    default:
      throw RallyError(.invalidArgument, "kind", expected: "a rally_lineage_kind", found: "\(kind.rawValue)")
    }
  }
}

extension LineageOptions {
  fileprivate init(_ options: UnsafePointer<rally_lineage_options>?) throws(RallyError) {
    let read = try unsafe rally_lineage_options.read(options, "options")
    self.init()
    unsafe permutationCount = Int(clamping: read.permutations)
    unsafe seed = read.seed
    unsafe threads = Int(read.threads)
    unsafe progress = RallyC.progress(read.progress, read.progress_user)
  }
}

/// The matrices, which all have the size that the first one states.
private func matrices(
  _ matrices: UnsafePointer<rally_matrix>?, _ count: Int, _ name: String
) throws(RallyError) -> [UnitRows] {
  guard count != 0 else { return [] }
  let count = try natural(count, "\(name)_count")
  let first = try unsafe required(matrices, name)
  let size = unsafe first.pointee.struct_size
  guard size >= MemoryLayout<Int>.size, !size.multipliedReportingOverflow(by: count).overflow else {
    throw RallyError(.invalidArgument, "\(name)[0].struct_size", expected: "that of rally_matrix", found: "\(size)")
  }
  var result: [UnitRows] = []
  for index in 0..<count {
    let matrix = unsafe UnsafeRawPointer(first).advanced(by: index * size).assumingMemoryBound(to: rally_matrix.self)
    let place = "\(name)[\(index)]"
    let read = try unsafe rally_matrix.read(matrix, place)
    let rows = try unsafe natural(read.rows, "\(place).rows")
    let columns = try unsafe natural(read.columns, "\(place).columns")
    let (elementCount, overflow) = rows.multipliedReportingOverflow(by: columns)
    let title = try unsafe text(read.name, "\(place).name")
    let set = try unsafe read.set == nil ? nil : text(read.set, "\(place).set")
    let data = try unsafe buffer(read.data, overflow ? -1 : elementCount, "\(place).data")
    unsafe result.append(UnitRows(name: title, setName: set, data: data, rowCount: rows, columnCount: columns))
  }
  return result
}
