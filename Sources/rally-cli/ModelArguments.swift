import ArgumentParser
import Kernels
import Rally

/// The element type of the matrix products.
enum ComputeType: String, ExpressibleByArgument, CaseIterable {
  case auto, f32, bf16, int8, q4

  var dataType: DataType? {
    switch self {
    case .auto: nil
    case .f32: .f32
    case .bf16: .bf16
    case .int8: .int8
    case .q4: .q4
    }
  }
}

/// What every command says about its model.
struct ModelArguments: ParsableArguments {
  @Option(name: [.short, .long], help: "Model file (.onnx).")
  var model: String

  @OptionGroup var computing: ComputeArguments

  func open() throws -> Model { try computing.open(model) }
}

struct ComputeArguments: ParsableArguments {
  @Option(name: [.short, .long], help: "Threads. (default: as many as the process may use)")
  var threads: Int?

  @Option(help: "Element type of the matrix products.")
  var dtype = ComputeType.auto

  @Option(
    help: ArgumentHelp(
      "Folder of prepared files: the model is opened through one, which is written where it is missing.", valueName: "folder"))
  var cache: String?

  func validate() throws {
    guard let threads, !(1...WorkerPool.threadLimit ~= threads) else { return }
    throw ValidationError("--threads: expected 1…\(WorkerPool.threadLimit), found \(threads)")
  }

  func open(_ path: String) throws -> Model { try Model.open(path, dtype: dtype, threads: threads ?? 0, cache: cache) }

  func makeRunner(_ model: Model) throws -> Runner { try makeRunner(model, cacheType: .f32) }

  func makeRunner(_ model: Model, cacheType: CacheType) throws -> Runner {
    try Runner(model: model, threads: threads ?? 0, cacheType: cacheType)
  }
}

extension Model {
  /// Opens the model file and shows how far it is; Ctrl-C ends it.
  /// - Parameter threads: 0 for as many as the process may use.
  static func open(_ path: String, dtype: ComputeType, threads: Int, cache: String? = nil) throws -> Model {
    let progress = ProgressLine("opening")
    defer { progress.clear() }
    var options = ModelOptions()
    options.dataType = dtype.dataType
    options.threads = threads
    options.cacheFolder = cache
    options.progress = { done, total in
      progress.update(Double(done) / Double(max(total, 1)), bytes(Int(total)))
      return !Interrupt.isRequested
    }
    return try Interrupt.during(stop: {}) { try Model.open(path: path, options: options) }
  }

  /// - Throws: when the file has no tokenizer.
  func requireTokenizer() throws(CommandFailure) -> TextTokenizer {
    guard let tokenizer else {
      throw CommandFailure(
        .model, "'\(info.name)' has no tokenizer, so it cannot read text; convert it again with its tokenizer.json")
    }
    return tokenizer
  }
}
