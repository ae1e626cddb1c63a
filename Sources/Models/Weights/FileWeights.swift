import Files
import Kernels
import Tensors

/// The weights of an open model file, which are packed one after the other.
struct FileWeights: WeightSource {
  let facts: ModelFacts
  private let file: ModelFile
  private let pool: WorkerPool
  /// Called with the bytes of the file that are packed; false cancels.
  private let progress: ((_ done: UInt64) -> Bool)?
  private var bytesDone: UInt64 = 0

  init(_ file: ModelFile, _ pool: WorkerPool, _ progress: ((_ done: UInt64) -> Bool)?) {
    (self.file, self.pool, self.progress) = (file, pool, progress)
    facts = file.facts
  }

  mutating func table(_ tensor: TensorInfo) throws(RallyError) -> EmbeddingTable {
    let entry = try file.required(tensor.name)
    let table = try EmbeddingTable(entry)
    file.release(entry)
    return table
  }

  mutating func floats(_ parts: WeightParts) throws(RallyError) -> FloatStorage {
    let storage = try FloatStorage(count: parts.count)
    var start = 0
    for (tensor, count) in parts.parts {
      if let tensor {
        let entry = try file.required(tensor.name)
        unsafe entry.copyFloats(rows: 0..<entry.shape.extents[0], into: storage.base + start)
        try self.count([entry])
      } else {
        unsafe (storage.base + start).update(repeating: 0, count: count)
      }
      start += count
    }
    return storage
  }

  mutating func matrix(_ tensors: [TensorInfo], _ dataType: DataType) throws(RallyError) -> PackedMatrix {
    var entries: [TensorEntry] = []
    for tensor in tensors { entries.append(try file.required(tensor.name)) }
    // Parts that share their rows share a balance: where they do not, all are converted.
    let balance = entries[0].balance
    let isShared = dataType.hasScales && entries.allSatisfy { $0.dataType == dataType && $0.balance == balance }
    let factors = isShared ? balance : []
    let matrix = try PackedMatrix(
      inputs: entries[0].shape.extents[1], sources: entries.map { $0.rows(as: dataType, balance: factors) },
      dataType: dataType, factors: factors, pool: pool)
    try count(entries)
    return matrix
  }

  private mutating func count(_ entries: [TensorEntry]) throws(RallyError) {
    for entry in entries {
      unsafe bytesDone += UInt64(entry.data.count)
      file.release(entry)
    }
    guard let progress, !progress(bytesDone) else { return }
    throw RallyError(.cancelled, "opening", found: "the progress callback ended it")
  }
}

extension ModelFile {
  /// A tensor that the importer has already made sure of.
  fileprivate func required(_ name: String) throws(RallyError) -> TensorEntry {
    guard let entry = tensor(named: name) else {
      throw RallyError(.missingTensor, name, expected: "a tensor of this name", found: "none")
    }
    return entry
  }
}
