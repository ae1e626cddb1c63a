public import CRally
import Rally

@c @implementation
public func rally_model_open(
  _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<rally_model_options>?,
  _ model: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let result = try unsafe required(model, "model")
    let opened = try unsafe Model.open(path: RallyC.path(path, "path"), options: ModelOptions(options))
    unsafe result.pointee = try ModelHandle.table.insert(ModelHandle(opened))
  }
}

@c @implementation
public func rally_model_open_memory(
  _ data: UnsafeRawPointer?, _ size: Int, _ options: UnsafePointer<rally_model_options>?,
  _ model: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let result = try unsafe required(model, "model")
    guard let data = unsafe data, size >= 0 else {
      throw RallyError(.invalidArgument, "data", expected: "a pointer and a size", found: "NULL")
    }
    let opened = try unsafe Model.open(
      bytes: UnsafeRawBufferPointer(start: data, count: size), options: ModelOptions(options))
    unsafe result.pointee = try ModelHandle.table.insert(ModelHandle(opened))
  }
}

@c @implementation
public func rally_model_validate(
  _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<rally_model_options>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    try unsafe Model.validate(path: RallyC.path(path, "path"), options: ModelOptions(options))
  }
}

@c @implementation
public func rally_model_prepare(
  _ inPath: UnsafePointer<CChar>?, _ outPath: UnsafePointer<CChar>?,
  _ options: UnsafePointer<rally_prepare_options>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let read = try unsafe rally_prepare_options.read(options, "options")
    var options = PrepareOptions()
    options.dataType = try unsafe DataType(read.dtype)
    options.threads = unsafe Int(read.threads)
    options.calibrationText = try unsafe calibrationText(read.calibration_text, read.calibration_text_size)
    unsafe options.progress = progress(read.progress, read.progress_user)
    try unsafe Model.prepare(path: RallyC.path(inPath, "in_path"), to: RallyC.path(outPath, "out_path"), options: options)
  }
}

private func calibrationText(_ text: UnsafePointer<CChar>?, _ size: Int) throws(RallyError) -> [UInt8]? {
  guard unsafe text != nil || size != 0 else { return nil }
  return try unsafe buffer(text, size, "calibration_text").map { UInt8(bitPattern: $0) }
}

@c @implementation
public func rally_quantize(
  _ inPath: UnsafePointer<CChar>?, _ outPath: UnsafePointer<CChar>?,
  _ options: UnsafePointer<rally_quantize_options>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let read = try unsafe rally_quantize_options.read(options, "options")
    guard let dataType = try unsafe DataType(read.dtype) else {
      throw RallyError(.invalidArgument, "dtype", expected: "int8, q4, bf16 or f32", found: "auto")
    }
    let calibration = try unsafe calibrationText(read.calibration_text, read.calibration_text_size)
    try unsafe Model.quantize(
      path: RallyC.path(inPath, "in_path"), to: RallyC.path(outPath, "out_path"), dataType: dataType,
      calibrationText: calibration,
      progress: progress(read.progress, read.progress_user))
  }
}

@c @implementation
public func rally_model_close(_ model: OpaquePointer?) {
  closing { _ = unsafe ModelHandle.table.remove(model) }
}

// MARK: What a model is

@c @implementation
public func rally_model_get_info(
  _ model: OpaquePointer?, _ info: UnsafeMutablePointer<rally_model_info>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let model = try unsafe ModelHandle.table.object(model)
    try unsafe rally_model_info.write(rally_model_info(model.model.info), to: info, "info")
  }
}

@c @implementation
public func rally_model_label(_ model: OpaquePointer?, _ index: Int) -> UnsafePointer<CChar>? {
  do throws(RallyError) {
    let model = try unsafe ModelHandle.table.object(model)
    return model.labels.indices.contains(index) ? unsafe model.labels[index].pointer : nil
  } catch {
    return nil
  }
}

@c @implementation
public func rally_model_metadata_count(_ model: OpaquePointer?) -> Int {
  unsafe count(of: model) { $0.metadata.count }
}

@c @implementation
public func rally_model_metadata_at(
  _ model: OpaquePointer?, _ index: Int, _ key: UnsafeMutablePointer<UnsafePointer<CChar>?>?,
  _ value: UnsafeMutablePointer<UnsafePointer<CChar>?>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let model = try unsafe ModelHandle.table.object(model)
    let key = try unsafe required(key, "key")
    let value = try unsafe required(value, "value")
    try check(index, "index", below: model.metadata.count)
    unsafe key.pointee = model.metadata[index].key.pointer
    unsafe value.pointee = model.metadata[index].value.pointer
  }
}

@c @implementation
public func rally_model_metadata_get(
  _ model: OpaquePointer?, _ key: UnsafePointer<CChar>?,
  _ value: UnsafeMutablePointer<UnsafePointer<CChar>?>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let model = try unsafe ModelHandle.table.object(model)
    let key = try unsafe text(key, "key")
    let value = try unsafe required(value, "value")
    guard let index = model.model.metadata.firstIndex(where: { $0.key == key }) else {
      throw RallyError(.missingKey, "metadata key '\(key)'", expected: "one of the model's", found: "none of this name")
    }
    unsafe value.pointee = model.metadata[index].value.pointer
  }
}

@c @implementation
public func rally_model_tensor_count(_ model: OpaquePointer?) -> Int {
  unsafe count(of: model) { $0.tensorNames.count }
}

@c @implementation
public func rally_model_tensor_at(
  _ model: OpaquePointer?, _ index: Int, _ info: UnsafeMutablePointer<rally_tensor_info>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let model = try unsafe ModelHandle.table.object(model)
    try check(index, "index", below: model.tensorNames.count)
    let tensor = model.model.tensors[index]
    var value = unsafe rally_tensor_info.defaults
    unsafe value.name = model.tensorNames[index].pointer
    unsafe value.dtype = staticText(tensor.dataType.description)
    unsafe value.rank = Int32(tensor.shape.count)
    for (axis, extent) in tensor.shape.prefix(2).enumerated() {
      if axis == 0 { unsafe value.shape.0 = Int64(extent) } else { unsafe value.shape.1 = Int64(extent) }
    }
    unsafe value.byte_count = UInt64(tensor.byteCount)
    try unsafe rally_tensor_info.write(value, to: info, "info")
  }
}

private func count(of model: OpaquePointer?, _ count: (ModelHandle) -> Int) -> Int {
  do throws(RallyError) {
    return count(try unsafe ModelHandle.table.object(model))
  } catch {
    return 0
  }
}

// MARK: Conversions

extension ModelOptions {
  init(_ options: UnsafePointer<rally_model_options>?) throws(RallyError) {
    let read = try unsafe rally_model_options.read(options, "options")
    self.init()
    dataType = try unsafe DataType(read.dtype)
    threads = unsafe Int(read.threads)
    pool = try unsafe sharedPool(read.pool, threads: read.threads)
    memoryByteLimit = unsafe Int(clamping: read.max_memory_bytes)
    if unsafe read.max_file_bytes > 0 { unsafe limits.maximumFileByteCount = Int(clamping: read.max_file_bytes) }
    if unsafe read.max_tensor_bytes > 0 { unsafe limits.maximumTensorByteCount = Int(clamping: read.max_tensor_bytes) }
    cacheFolder = try unsafe read.cache_folder == nil ? nil : RallyC.path(read.cache_folder, "cache_folder")
    sharesWeights = try unsafe read.share_weights.choice("share_weights") ?? true
    unsafe progress = RallyC.progress(read.progress, read.progress_user)
    if let callback = unsafe read.log {
      let user = unsafe HostPointer(read.log_user)
      log = { level, line in
        calling { unsafe callback(user.pointer, rally_log_level(UInt32(level.rawValue)), line) }
      }
    }
  }
}

/// The caller's function in Swift: false cancels.
func progress(
  _ callback: rally_progress_callback?, _ user: UnsafeMutableRawPointer?
) -> (@Sendable (UInt64, UInt64) -> Bool)? {
  guard let callback = unsafe callback else { return nil }
  let user = unsafe HostPointer(user)
  return { done, total in calling { unsafe callback(user.pointer, done, total) } == 0 }
}

extension DataType {
  fileprivate init?(_ dtype: rally_dtype) throws(RallyError) {
    switch dtype {
    case RALLY_DTYPE_AUTO: return nil
    case RALLY_DTYPE_F32: self = .f32
    case RALLY_DTYPE_BF16: self = .bf16
    case RALLY_DTYPE_INT8: self = .int8
    case RALLY_DTYPE_Q4: self = .q4
    default:
      throw RallyError(.invalidArgument, "dtype", expected: "a rally_dtype", found: "\(dtype.rawValue)")
    }
  }
}

extension CacheType {
  init(_ dtype: rally_dtype) throws(RallyError) {
    switch dtype {
    case RALLY_DTYPE_AUTO, RALLY_DTYPE_F32: self = .f32
    case RALLY_DTYPE_BF16: self = .bf16
    case RALLY_DTYPE_INT8: self = .int8
    default:
      throw RallyError(.invalidArgument, "cache_dtype", expected: "RALLY_DTYPE_F32, _BF16 or _INT8", found: "\(dtype.rawValue)")
    }
  }
}

extension rally_dtype {
  fileprivate init(_ type: DataType) {
    self =
      switch type {
      case .bf16: RALLY_DTYPE_BF16
      case .int8: RALLY_DTYPE_INT8
      case .q4: RALLY_DTYPE_Q4
      default: RALLY_DTYPE_F32
      }
  }
}

extension rally_model_info {
  init(_ info: ModelInfo) {
    self = .defaults
    kind = info.kind == .rater ? RALLY_KIND_RATER : RALLY_KIND_LM
    routing =
      switch info.routing {
      case .none: RALLY_ROUTING_NONE
      case .expert: RALLY_ROUTING_EXPERT
      case .token: RALLY_ROUTING_TOKEN
      }
    dtype = rally_dtype(info.dataType)
    vocab_size = Int32(clamping: info.vocabularySize)
    hidden_size = Int32(clamping: info.hiddenSize)
    num_attention_heads = Int32(clamping: info.headCount)
    num_key_value_heads = Int32(clamping: info.keyValueHeadCount)
    head_dim = Int32(clamping: info.headWidth)
    intermediate_size = Int32(clamping: info.feedForwardSize)
    max_position_embeddings = Int32(clamping: info.contextLength)
    num_layers = Int32(clamping: info.layerCount)
    num_effective_layers = Int32(clamping: info.effectiveLayerCount)
    num_recursion = Int32(clamping: info.recursionCount)
    bos_token_id = info.beginningOfSequence ?? -1
    eos_token_id = info.endOfSequence ?? -1
    has_tokenizer = info.hasTokenizer ? 1 : 0
    parameter_count = UInt64(info.parameterCount)
    effective_parameter_count = UInt64(info.effectiveParameterCount)
    weight_bytes = UInt64(info.weightByteCount)
    kv_bytes_per_token = UInt64(info.keyValueByteCountPerToken())
    num_labels = Int32(clamping: info.labels.count)
    (score_rule, score_index) = Self.score(info.scoreRule)
    has_score = info.scoreRule?.makesScore == true ? 1 : 0
    guard let exit = info.exit else { return }
    self.exit =
      switch exit.rule {
      case .hazard: RALLY_EXIT_HAZARD
      case .latentDifference: RALLY_EXIT_LATENT_DIFF
      }
    kv_policy = rally_kv_policy(exit.keyValues)
    exit_threshold = exit.threshold
  }

  private static func score(_ rule: ModelDescription.Rater.ScoreRule?) -> (rally_score_rule, Int32) {
    switch rule {
    case .logit(let index): (RALLY_SCORE_LOGIT, Int32(clamping: index))
    case .expectation: (RALLY_SCORE_EXPECTATION, -1)
    case .softmax(let index): (RALLY_SCORE_SOFTMAX, index.map { Int32(clamping: $0) } ?? -1)
    case .sigmoid(let index): (RALLY_SCORE_SIGMOID, index.map { Int32(clamping: $0) } ?? -1)
    case nil, .some(.none): (RALLY_SCORE_NONE, -1)
    }
  }
}
