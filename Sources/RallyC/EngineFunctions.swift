public import CRally
import Rally

@c @implementation
public func rally_engine_memory(
  _ model: OpaquePointer?, _ options: UnsafePointer<rally_engine_options>?, _ bytes: UnsafeMutablePointer<UInt64>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let bytes = try unsafe required(bytes, "bytes")
    let model = try unsafe ModelHandle.table.object(model).model
    unsafe bytes.pointee = try UInt64(EngineMemory(model: model, options: EngineOptions(options)).byteCount)
  }
}

@c @implementation
public func rally_engine_open(
  _ model: OpaquePointer?, _ options: UnsafePointer<rally_engine_options>?, _ engine: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let result = try unsafe required(engine, "engine")
    let model = try unsafe ModelHandle.table.object(model).model
    let opened = try unsafe Engine(model: model, options: EngineOptions(options))
    unsafe result.pointee = try unsafe EngineHandle.table.insert(EngineHandle(opened))
  }
}

@c @implementation
public func rally_engine_close(_ engine: OpaquePointer?) {
  closing { unsafe EngineHandle.table.remove(engine)?.stop() }
}

// MARK: Requests

@c @implementation
public func rally_engine_submit(
  _ engine: OpaquePointer?, _ request: UnsafePointer<rally_request>?, _ id: UnsafeMutablePointer<Int>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let id = try unsafe optional(id, "id")
    let handle = try unsafe EngineHandle.table.object(engine)
    let request = try unsafe GenerationRequest(rally_request.read(required(request, "request"), "request"), "request")
    let number = try handle.submit(request)
    if let id = unsafe id { unsafe id.pointee = number }
  }
}

@c @implementation
public func rally_engine_cancel(_ engine: OpaquePointer?, _ id: Int) {
  unsafe (try? EngineHandle.table.object(engine))?.cancel(id)
}

@c @implementation
public func rally_engine_cancel_all(_ engine: OpaquePointer?) {
  unsafe (try? EngineHandle.table.object(engine))?.cancelAll()
}

@c @implementation
public func rally_engine_wait(
  _ engine: OpaquePointer?, _ timeout: Double, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let handle = try unsafe EngineHandle.table.object(engine)
    guard timeout >= 0 else {
      throw RallyError(.invalidArgument, "timeout_seconds", expected: "a number that is not below 0", found: "\(timeout)")
    }
    try handle.wait(seconds: timeout)
  }
}

// MARK: Steps

@c @implementation
public func rally_engine_step(
  _ engine: OpaquePointer?, _ onEvent: rally_event_callback?, _ user: UnsafeMutableRawPointer?,
  _ busy: UnsafeMutablePointer<Int32>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let busy = try unsafe optional(busy, "busy")
    let callback = unsafe EventCallback(function: onEvent, user: user)
    try unsafe EngineHandle.table.object(engine).use { (engine) throws(RallyError) in
      let isBusy = try engine.step { event in callback(event) }
      if let busy = unsafe busy { unsafe busy.pointee = isBusy ? 1 : 0 }
    }
  }
}

@c @implementation
public func rally_engine_run(
  _ engine: OpaquePointer?, _ onEvent: rally_event_callback?, _ user: UnsafeMutableRawPointer?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let callback = unsafe EventCallback(function: onEvent, user: user)
    try unsafe EngineHandle.table.object(engine).use { (engine) throws(RallyError) in
      try engine.run { event in callback(event) }
    }
  }
}

// MARK: Counters

@c @implementation
public func rally_engine_counter_count(_ engine: OpaquePointer?) -> Int {
  unsafe (try? EngineHandle.table.object(engine))?.counterNames.count ?? 0
}

@c @implementation
public func rally_engine_counter_name(_ engine: OpaquePointer?, _ index: Int) -> UnsafePointer<CChar>? {
  guard let names = unsafe (try? EngineHandle.table.object(engine))?.counterNames, names.indices.contains(index) else {
    return nil
  }
  return unsafe names[index].pointer
}

@c @implementation
public func rally_engine_counters(
  _ engine: OpaquePointer?, _ values: UnsafeMutablePointer<Double>?, _ capacity: Int,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let values = try unsafe required(values, "values")
    let counters = try unsafe EngineHandle.table.object(engine).counters
    guard capacity >= counters.count else {
      throw RallyError(
        .bufferTooSmall, "capacity", expected: "at least \(counters.count)", found: "\(UInt(bitPattern: capacity))")
    }
    for (index, counter) in counters.enumerated() { unsafe values[index] = counter.value }
  }
}

// MARK: Saved states

@c @implementation
public func rally_engine_save(
  _ engine: OpaquePointer?, _ id: Int, _ data: UnsafeMutableRawPointer?, _ capacity: Int,
  _ size: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let size = try unsafe required(size, "size")
    try unsafe EngineHandle.table.object(engine).use { (engine) throws(RallyError) in
      let needed = try engine.savedByteCount(id)
      if unsafe data == nil && capacity == 0 {
        unsafe size.pointee = needed
        return
      }
      guard let data = unsafe data else {
        throw RallyError(.invalidArgument, "data", expected: "a pointer, or a capacity of 0", found: "NULL")
      }
      guard capacity >= needed else {
        throw RallyError(
          .bufferTooSmall, "capacity", expected: "at least \(needed)", found: "\(UInt(bitPattern: capacity))")
      }
      unsafe try engine.save(id, into: UnsafeMutableRawBufferPointer(start: data, count: needed))
      unsafe size.pointee = needed
    }
  }
}

@c @implementation
public func rally_engine_restore(
  _ engine: OpaquePointer?, _ data: UnsafeRawPointer?, _ size: Int, _ request: UnsafePointer<rally_request>?,
  _ id: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let id = try unsafe optional(id, "id")
    let bytes = try unsafe buffer(data?.assumingMemoryBound(to: UInt8.self), size, "data")
    let request = try unsafe GenerationRequest(rally_request.read(request, "request"), "request")
    try unsafe EngineHandle.table.object(engine).use { (engine) throws(RallyError) in
      let number = unsafe try engine.restore(UnsafeRawBufferPointer(bytes), request)
      if let id = unsafe id { unsafe id.pointee = number }
    }
  }
}

// MARK: Conversions

extension EngineOptions {
  fileprivate init(_ options: UnsafePointer<rally_engine_options>?) throws(RallyError) {
    let read = try unsafe rally_engine_options.read(options, "options")
    self.init()
    threads = unsafe Int(read.threads)
    pool = try unsafe sharedPool(read.pool, threads: read.threads)
    memoryByteLimit = unsafe Int(clamping: read.max_memory_bytes)
    if unsafe read.max_step_tokens != 0 { stepTokenCount = unsafe Int(read.max_step_tokens) }
    if unsafe read.max_sequences != 0 { sequenceLimit = unsafe Int(read.max_sequences) }
    cacheByteCount = unsafe Int(clamping: read.cache_bytes)
    queueLimit = unsafe Int(read.max_queue)
    switch unsafe read.batching {
    case RALLY_BATCH_DEPTH: batching = .depthWise
    case RALLY_BATCH_SEQUENCE: batching = .sequenceWise
    default:
      throw RallyError(
        .invalidArgument, "batching", expected: "a rally_batching", found: "\(unsafe read.batching.rawValue)")
    }
    cacheType = try unsafe CacheType(read.cache_dtype)
    sharesPrefixes = try unsafe read.share_prefixes.choice("share_prefixes") ?? true
  }
}
