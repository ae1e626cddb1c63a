public import Files
import Kernels
public import Tensors

/// Writes a model file again with its matrices stored in another element type.
///
/// Graph, metadata, tokenizer and all other tensors stay; the nodes that read a matrix follow its type. The new file is
/// written next to its place, checked as a whole as opening checks it, and put there in one step.
public struct ModelQuantizer: ~Copyable {
  public typealias Progress = ModelFile.Progress
  /// Bytes of f32 that are converted between two looks at the callback; some ten milliseconds.
  private static let chunkByteCount = 4 << 20

  let outputPath: String
  let dataType: DataType
  /// What a text says about the inputs of the matrices; int8 and q4 only.
  package var calibration: Calibration?
  var inlineLimit = StoragePlan.inlineLimit
  let progress: Progress?
  private var report = QuantizationReport()
  private var converter = RowConverter()
  /// Of the weights of the old file, twice: once they are checked, once they are stored.
  private var bytesDone: UInt64 = 0
  private var bytesTotal: UInt64 = 0

  private var dataPath: String { outputPath + ".data" }

  /// - Parameters:
  ///   - outputPath: replaced if it is there.
  ///   - dataType: f32, bf16, int8 or q4.
  ///   - progress: gets bytes of weights that were checked or stored, and those in all; false cancels.
  /// - Throws: `invalidArgument` for another type.
  public init(outputPath: String, dataType: DataType, progress: Progress? = nil) throws(RallyError) {
    guard [.f32, .bf16, .int8, .q4].contains(dataType) else {
      throw RallyError(.invalidArgument, "dtype", expected: "f32, bf16, int8 or q4", found: "\(dataType)")
    }
    self.outputPath = outputPath
    self.dataType = dataType
    self.progress = progress
  }

  /// - Throws: all that opening `path` throws; `invalidArgument` where the output is one of the files that are read;
  ///   `notAFile`, `io` for the output; `unsupported` for a graph that reads its weights in an unknown way;
  ///   `notFinite` for numbers beyond bf16; `cancelled`. What stood at the output is untouched then.
  /// - Complexity: three passes over the weights; memory for a few MB, the graph, and the largest tensor's part of the mapped files.
  public mutating func run(path: String) throws(RallyError) -> QuantizationReport {
    let opened = try OpenedFile(path: path)
    try PreparedFile.refuse(opened)
    let file = try MappedFile(opened, access: .mapped, maxByteCount: .max)
    // Now, so that a place that cannot be written to is known before the work.
    var output = try ReplacementFile(path: outputPath, madeOf: path)
    let limits = ModelLimits()
    let external = ExternalData(folders: try ExternalData.folders(of: opened), limits: limits)
    let progress = progress
    var importer = ModelImporter(limits: limits, external: external, log: nil) { done, total in
      progress?(done, 2 * total) ?? true
    }
    importer.releasesChecked = true
    let model = try unsafe importer.run(file.bytes, path: path, keeping: file)
    _ = try ModelFile(model, path: path).facts.makeTokenizer()
    let onnx = try unsafe OnnxModel(file.bytes, limits: limits, path: path)
    let others = try TensorTable(onnx, limits: limits, file: file).externalOthers(
      in: onnx, external: &importer.external, known: { model.indices[$0] != nil })
    try refuseToOverwrite([path] + importer.external.paths)
    report.byteCountBefore = file.byteCount + importer.external.byteCount
    let plan = try StoragePlan(onnx, model, others: others, dataType: dataType, calibration: calibration, inlineLimit: inlineLimit)
    bytesDone = plan.storages.reduce(0) { unsafe $0 + UInt64($1.entry.data.count) }
    bytesTotal = 2 * bytesDone
    try write(plan, onnx, path: path, to: &output)
    return report
  }

  private func refuseToOverwrite(_ inputs: [String]) throws(RallyError) {
    guard let output = FileIdentity(path: outputPath) else { return }
    for input in inputs where FileIdentity(path: input) == output {
      throw RallyError(
        .invalidArgument, outputPath, expected: "another file than the input", found: "the same file",
        remedy: "write to another name: what is lost by quantising cannot be had back")
    }
  }
}

// MARK: Files

extension ModelQuantizer {
  private mutating func write(
    _ plan: StoragePlan, _ onnx: borrowing OnnxModel, path: String, to output: inout ReplacementFile
  ) throws(RallyError) {
    let rewrite = try OnnxRewrite(onnx, plan.storages, location: Self.name(of: dataPath), path: path)
    guard plan.hasDataFile else { return try writeModel(plan, rewrite, scales: [:], to: &output) }
    guard FileIdentity(path: dataPath) == nil else {
      throw RallyError(
        .invalidArgument, dataPath, expected: "no such file, for the data that does not fit into the model",
        found: "one", remedy: "remove it with its model, or write to another name")
    }
    var data = try ReplacementFile(path: dataPath, madeOf: output.temporaryPath)
    let scales = try writeData(plan, &data)
    // Under its own name, so that the model can be checked. It was not there before, so nothing reads it.
    try data.commit()
    do throws(RallyError) {
      try writeModel(plan, rewrite, scales: scales, to: &output)
    } catch {
      data.withdraw()
      throw error
    }
    report.dataPath = dataPath
    report.byteCountAfter += data.byteCount
  }

  private static func name(of path: String) -> String {
    path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[path.index(after: $0)...]) } ?? path
  }

  /// - Returns: the scales of the matrices that were written, by their storage.
  private mutating func writeData(
    _ plan: StoragePlan, _ data: inout ReplacementFile
  ) throws(RallyError) -> [Int: [Float]] {
    var scales: [Int: [Float]] = [:]
    for (index, storage) in plan.storages.enumerated() where storage.offset != nil {
      try data.align(to: StoragePlan.alignment)
      scales[index] = try writeElements(of: storage, to: &data)
    }
    return scales
  }

  /// - Parameter scales: of the matrices in the data file.
  private mutating func writeModel(
    _ plan: StoragePlan, _ rewrite: borrowing OnnxRewrite, scales: [Int: [Float]], to file: inout ReplacementFile
  ) throws(RallyError) {
    var scales = scales
    for index in 0..<rewrite.pieceCount {
      let (bytes, data) = unsafe rewrite.piece(index)
      try unsafe file.write(bytes)
      switch data {
      case .none: break
      case .elements(let storage): scales[storage] = try writeElements(of: plan.storages[storage], to: &file)
      case .scales(let storage):
        let own = scales.removeValue(forKey: storage) ?? []
        if plan.storages[storage].dataType == .q4 { try file.write(own.halves) } else { try file.write(own) }
      case .balance(let storage): try file.write(plan.storages[storage].balance)
      }
    }
    for storage in plan.storages { count(storage) }
    try check(file)
    try file.commit()
    report.byteCountAfter += file.byteCount
  }

  /// As opening checks it; on a disk that is full, this is where reading fails.
  private func check(_ written: borrowing ReplacementFile) throws(RallyError) {
    let opened = try OpenedFile(path: written.temporaryPath)
    let file = try MappedFile(opened, access: .mapped, maxByteCount: .max)
    let limits = ModelLimits()
    var importer = ModelImporter(
      limits: limits, external: ExternalData(folders: try ExternalData.folders(of: opened), limits: limits), log: nil,
      progress: nil)
    importer.releasesChecked = true
    _ = try unsafe importer.run(file.bytes, path: outputPath, keeping: file)
  }
}

// MARK: Tensors

extension ModelQuantizer {
  /// - Returns: the scales of an int8 or q4 matrix.
  private mutating func writeElements(
    of storage: TensorStorage, to file: inout ReplacementFile
  ) throws(RallyError) -> [Float] {
    let entry = storage.entry
    defer { unsafe entry.storage?.release(entry.data) }
    guard storage.isConverted else {
      try unsafe file.write(entry.data)
      noteExact(storage)
      try step(byteCount: unsafe entry.data.count)
      return entry.scales
    }
    let rowCount = entry.shape.extents[0]
    let chunk = max(1, Self.chunkByteCount / (max(1, entry.rowWidth) * 4))
    converter.start(storage.dataType, balance: storage.balance, rounding: rounding(of: storage))
    for first in stride(from: 0, to: rowCount, by: chunk) {
      let rows = first..<min(first + chunk, rowCount)
      try converter.convert(rows, of: entry)
      try file.write(converter.bytes)
      for error in converter.errors { note(error, storage) }
      try step(byteCount: entry.dataType.byteCount(of: rows.count * entry.rowWidth))
    }
    return converter.scales
  }

  /// A tied embedding is looked up, too, which no error elsewhere makes up for.
  private func rounding(of storage: TensorStorage) -> CalibratedRounding? {
    guard storage.isConverted, storage.dataType == .q4 || !storage.balance.isEmpty, storage.kind != .embedding,
      let statistics = calibration?.statistics(of: storage.entry.name)
    else { return nil }
    return CalibratedRounding(statistics, balance: storage.balance, dataType: storage.dataType)
  }

  private mutating func step(byteCount: Int) throws(RallyError) {
    bytesDone += UInt64(byteCount)
    guard let progress, !progress(bytesDone, bytesTotal) else { return }
    throw RallyError(.cancelled, "quantising", found: "cancelled by the progress callback")
  }

  private mutating func count(_ storage: TensorStorage) {
    withGroup(of: storage) { $0.add(storage) }
  }

  private mutating func note(_ error: Double, _ storage: TensorStorage) {
    withGroup(of: storage) { $0.add(rowError: error) }
  }

  private mutating func noteExact(_ storage: TensorStorage) {
    guard storage.kind != nil else { return }
    for _ in 0..<storage.entry.shape.extents[0] { note(0, storage) }
  }

  private mutating func withGroup(of storage: TensorStorage, _ body: (inout QuantizationReport.Group) -> Void) {
    guard let kind = storage.kind else { return body(&report.others) }
    if let place = report.matrices.firstIndex(where: { $0.kind == kind }) { return body(&report.matrices[place].group) }
    var group = QuantizationReport.Group()
    body(&group)
    report.matrices.append((kind, group))
  }
}

extension [Float] {
  /// The bits of numbers of f16.
  fileprivate var halves: [UInt16] {
    var bits = [UInt16](repeating: 0, count: count)
    unsafe Conversion.f32(self, toF16: &bits, count: count)
    return bits
  }
}
