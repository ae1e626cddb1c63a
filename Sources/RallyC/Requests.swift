import CRally
import Glibc
import Rally

extension GenerationRequest {
  /// - Parameter name: what messages call the request.
  init(_ request: rally_request, _ name: String) throws(RallyError) {
    self.init(
      tokens: try unsafe copied(request.tokens, request.token_count, "\(name).tokens"))
    if unsafe request.max_tokens != 0 { unsafe maximumTokenCount = Int(clamping: UInt(bitPattern: request.max_tokens)) }
    unsafe sampling.temperature = request.temperature
    unsafe sampling.topK = Int(request.top_k)
    unsafe sampling.topP = request.top_p
    unsafe sampling.minP = request.min_p
    unsafe sampling.seed = request.seed
    unsafe penalties.repetition = request.repetition_penalty
    unsafe penalties.presence = request.presence_penalty
    unsafe penalties.frequency = request.frequency_penalty
    let biased = try unsafe copied(request.bias_tokens, request.bias_count, "\(name).bias_tokens")
    let values = try unsafe copied(request.bias_values, request.bias_count, "\(name).bias_values")
    logitBias = zip(biased, values).map { ($0, $1) }
    stopTokens = try unsafe copied(request.stop_tokens, request.stop_token_count, "\(name).stop_tokens")
    let texts = try unsafe copied(request.stop_strings, request.stop_string_count, "\(name).stop_strings")
    for index in unsafe texts.indices {
      guard let text = unsafe texts[index], let string = unsafe String(validatingCString: text) else {
        throw RallyError(
          .invalidArgument, "\(name).stop_strings[\(index)]", expected: "a text in UTF-8", found: "NULL or other bytes")
      }
      stopStrings.append(string)
    }
    includesStop = try unsafe request.include_stop.choice("\(name).include_stop") ?? false
    skipsSpecialTokens = try unsafe request.skip_special.choice("\(name).skip_special") ?? false
    stopsAtEndOfSequence = try unsafe request.stop_at_eos.choice("\(name).stop_at_eos") ?? true
    maximumDepth = unsafe request.max_depth == 0 ? nil : Int(request.max_depth)
    targetDepth = unsafe request.target_depth == 0 ? nil : request.target_depth
    exit = try unsafe ExitOptions(
      threshold: request.exit_threshold, minimumDepth: request.min_depth, request.kv_policy, "\(name).kv_policy")
    exitFrom = unsafe request.exit_from == -1 ? nil : Int(clamping: request.exit_from)
    topTokenCount = unsafe Int(request.top_logprobs)
    priority = unsafe Int(request.priority)
    unsafe tag = UInt(bitPattern: request.user)
    unsafe timeout = request.timeout_seconds
    if let function = unsafe request.on_logits {
      unsafe logitsProcessor = LogitsProcessor(function, request.on_logits_user)
    }
  }
}

extension rally_finish_reason {
  init(_ reason: FinishReason?) {
    self =
      switch reason {
      case nil: RALLY_NOT_FINISHED
      case .stop: RALLY_FINISH_STOP
      case .limit: RALLY_FINISH_LIMIT
      case .contextFull: RALLY_FINISH_CONTEXT_FULL
      case .cancelled: RALLY_FINISH_CANCELLED
      case .deadline: RALLY_FINISH_DEADLINE
      }
  }
}

extension LogitsProcessor {
  /// The caller's function, which sees the rows of its requests together.
  init(
    _ function: @escaping @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<UnsafePointer<rally_logits>?>?, Int) -> Int32,
    _ user: UnsafeMutableRawPointer?
  ) {
    let host = unsafe HostPointer(user)
    let identity = unsafe Identity(withUnsafeBytes(of: function) { unsafe $0.load(as: UInt.self) }, UInt(bitPattern: user))
    unsafe self.init(identity) { rows in
      let values = unsafe rows.map { unsafe rally_logits($0) }
      return unsafe values.withUnsafeBufferPointer { values in
        unsafe withUnsafeTemporaryAllocation(of: UnsafePointer<rally_logits>?.self, capacity: values.count) { pointers in
          guard let base = values.baseAddress else { return true }
          for index in values.indices { unsafe pointers.initializeElement(at: index, to: base + index) }
          let list = unsafe UnsafePointer(pointers.baseAddress)
          return calling { unsafe function(host.pointer, list, values.count) } == 0
        }
      }
    }
  }
}

extension rally_logits {
  fileprivate init(_ row: LogitsProcessor.Row) {
    unsafe self = rally_logits()
    unsafe struct_size = MemoryLayout<rally_logits>.size
    unsafe request = row.request
    unsafe user = UnsafeMutableRawPointer(bitPattern: row.tag)
    unsafe values = row.values.baseAddress
    unsafe count = row.values.count
    unsafe tokens = row.tokens.baseAddress
    unsafe token_count = row.tokens.count
    unsafe prompt_count = row.promptCount
    unsafe depth = row.depth
  }
}
