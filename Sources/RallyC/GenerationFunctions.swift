public import CRally
import Rally

@c @implementation
public func rally_generate(
  _ runner: OpaquePointer?, _ requests: UnsafePointer<rally_request>?, _ requestCount: Int,
  _ onToken: rally_event_callback?, _ user: UnsafeMutableRawPointer?,
  _ generation: UnsafeMutablePointer<rally_generation>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    try unsafe RunnerHandle.table.object(runner).use { (runner) throws(RallyError) in
      let requests = try unsafe readRequests(requests, requestCount)
      let sink = try unsafe GenerationSink(generation, requests, isRequired: onToken == nil)
      let callback = unsafe EventCallback(function: onToken, user: user)
      try runner.generate(requests, timeout: sink.timeout, onPromptToken: sink.promptWriter) { event in
        sink.write(event)
        return callback(event)
      }
    }
  }
}

/// The requests, which all have the size that the first one states.
private func readRequests(
  _ requests: UnsafePointer<rally_request>?, _ count: Int
) throws(RallyError) -> [GenerationRequest] {
  guard count > 0 else { throw .noRows }
  let first = try unsafe required(requests, "requests")
  let size = unsafe first.pointee.struct_size
  guard !size.multipliedReportingOverflow(by: count).overflow else {
    throw RallyError(
      .invalidArgument, "request_count", expected: "a count that fits this machine",
      found: "\(UInt(bitPattern: count))")
  }
  var list: [GenerationRequest] = []
  for index in 0..<count {
    let address = unsafe UnsafeRawPointer(first) + index * size
    let request = unsafe address.assumingMemoryBound(to: rally_request.self)
    list.append(
      try unsafe GenerationRequest(rally_request.read(request, "requests[\(index)]"), "requests[\(index)]"))
  }
  return list
}

/// The caller's arrays that collect the tokens.
@safe
private struct GenerationSink {
  @unsafe private let arrays: rally_generation
  private let isPresent: Bool
  /// First place of each request's prompt among all prompt tokens.
  private let promptStarts: [Int]

  var timeout: Double { unsafe arrays.timeout_seconds }

  init(
    _ generation: UnsafeMutablePointer<rally_generation>?, _ requests: [GenerationRequest], isRequired: Bool
  ) throws(RallyError) {
    let pointer = try unsafe optional(generation, "generation")
    unsafe arrays = try rally_generation.read(UnsafePointer(pointer), "generation")
    isPresent = unsafe pointer != nil
    var starts = [0]
    for request in requests { starts.append(starts[starts.count - 1] + request.tokens.count) }
    promptStarts = starts
    guard isPresent else {
      if isRequired {
        throw RallyError(.invalidArgument, "on_token", expected: "a callback or a rally_generation", found: "neither")
      }
      return
    }
    _ = try unsafe seconds(arrays.timeout_seconds)
    _ = try unsafe optional(arrays.depths, "generation.depths")
    _ = try unsafe optional(arrays.logprobs, "generation.logprobs")
    _ = try unsafe optional(arrays.finish_reasons, "generation.finish_reasons")
    _ = try unsafe optional(arrays.prompt_depths, "generation.prompt_depths")
    _ = try unsafe optional(arrays.stop_strings, "generation.stop_strings")
    _ = try unsafe optional(arrays.cut_lengths, "generation.cut_lengths")
    let tokens = try unsafe optional(arrays.tokens, "generation.tokens")
    let counts = try unsafe optional(arrays.token_counts, "generation.token_counts")
    if unsafe isRequired || tokens != nil {
      _ = try unsafe required(tokens, "generation.tokens")
      _ = try unsafe required(counts, "generation.token_counts")
    }
    let (places, overflow) = unsafe arrays.stride.multipliedReportingOverflow(by: requests.count)
    guard !overflow, places >= 0, places <= Int.max / MemoryLayout<Int32>.stride else {
      throw RallyError(
        .invalidArgument, "generation.stride", expected: "\(requests.count) times of it fit this machine",
        found: "\(unsafe UInt(bitPattern: arrays.stride))")
    }
    for (index, request) in requests.enumerated() {
      try checkStride(request, "requests[\(index)].max_tokens")
    }
  }

  private func checkStride(_ request: GenerationRequest, _ name: String) throws(RallyError) {
    let stride = unsafe arrays.stride
    guard let wanted = request.maximumTokenCount else {
      throw RallyError(
        .invalidArgument, name, expected: "a number, with a rally_generation", found: "0, no limit")
    }
    guard wanted <= stride else {
      throw RallyError(
        .bufferTooSmall, "generation.stride", expected: "at least \(name), \(wanted)",
        found: "\(UInt(bitPattern: stride))")
    }
  }

  func write(_ event: TokenEvent) {
    guard isPresent else { return }
    if let token = event.token {
      let place = unsafe event.request * arrays.stride + event.index
      if let tokens = unsafe arrays.tokens { unsafe tokens[place] = token }
      if let depths = unsafe arrays.depths { unsafe depths[place] = event.depth }
      if let logprobs = unsafe arrays.logprobs { unsafe logprobs[place] = event.logProbability }
    }
    if let counts = unsafe arrays.token_counts {
      unsafe counts[event.request] = event.index + (event.token == nil ? 0 : 1)
    }
    if let stops = unsafe arrays.stop_strings { unsafe stops[event.request] = Int32(event.stopString ?? -1) }
    if let cuts = unsafe arrays.cut_lengths { unsafe cuts[event.request] = event.cutByteCount }
    if let reasons = unsafe arrays.finish_reasons {
      unsafe reasons[event.request] = rally_finish_reason(event.finishReason)
    }
  }

  /// Writes prompt depths where the caller wants them.
  var promptWriter: ((Int, Int, Int32) -> Void)? {
    guard let depths = unsafe arrays.prompt_depths else { return nil }
    return { request, index, depth in unsafe depths[promptStarts[request] + index] = depth }
  }
}
