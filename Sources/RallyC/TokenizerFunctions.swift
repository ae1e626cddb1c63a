public import CRally
import Rally

@c @implementation
public func rally_encode(
  _ model: OpaquePointer?, _ text: UnsafePointer<CChar>?, _ length: Int,
  _ options: UnsafePointer<rally_tokenizer_options>?, _ tokens: UnsafeMutablePointer<Int32>?,
  _ capacity: Int, _ tokenCount: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let model = try unsafe ModelHandle.table.object(model)
    let read = try unsafe rally_tokenizer_options.read(options, "options")
    let options = EncodingOptions(
      addsBeginningOfSequence: try read.add_bos.choice("add_bos"),
      addsEndOfSequence: try read.add_eos.choice("add_eos"),
      parsesSpecialTokens: try read.parse_special.choice("parse_special") ?? TextSource.program.parsesSpecialTokens)
    let bytes = try unsafe buffer(text, length, "text")
    let encoded = try unsafe model.tokenizer().encode(bytes.map { UInt8(bitPattern: $0) }, options: options)
    try unsafe give(encoded, to: tokens, capacity, "tokens", count: tokenCount, "token_count")
  }
}

@c @implementation
public func rally_decode(
  _ model: OpaquePointer?, _ tokens: UnsafePointer<Int32>?, _ tokenCount: Int,
  _ options: UnsafePointer<rally_tokenizer_options>?, _ text: UnsafeMutablePointer<CChar>?,
  _ capacity: Int, _ length: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let model = try unsafe ModelHandle.table.object(model)
    let read = try unsafe rally_tokenizer_options.read(options, "options")
    let ids = try unsafe copied(tokens, tokenCount, "tokens")
    let bytes = try model.tokenizer().decode(
      ids, skipsSpecialTokens: try read.skip_special.choice("skip_special") ?? false)
    try unsafe give(bytes.map { CChar(bitPattern: $0) }, to: text, capacity, "text", count: length, "length")
  }
}

// MARK: Streams

@c @implementation
public func rally_decoder_open(
  _ model: OpaquePointer?, _ options: UnsafePointer<rally_tokenizer_options>?,
  _ decoder: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let model = try unsafe ModelHandle.table.object(model)
    let read = try unsafe rally_tokenizer_options.read(options, "options")
    let result = try unsafe required(decoder, "decoder")
    let made = StreamDecoder(
      tokenizer: try model.tokenizer(),
      skipsSpecialTokens: try read.skip_special.choice("skip_special") ?? false)
    unsafe result.pointee = try DecoderHandle.table.insert(DecoderHandle(made))
  }
}

@c @implementation
public func rally_decoder_push(
  _ decoder: OpaquePointer?, _ token: Int32, _ text: UnsafeMutablePointer<CChar>?, _ capacity: Int,
  _ length: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    try unsafe DecoderHandle.table.object(decoder).advance(if: text != nil) { (decoder) throws(RallyError) in
      let bytes = try decoder.push(token).map { CChar(bitPattern: $0) }
      try unsafe give(bytes, to: text, capacity, "text", count: length, "length")
    }
  }
}

@c @implementation
public func rally_decoder_finish(
  _ decoder: OpaquePointer?, _ text: UnsafeMutablePointer<CChar>?, _ capacity: Int,
  _ length: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    try unsafe DecoderHandle.table.object(decoder).advance(if: text != nil) { (decoder) throws(RallyError) in
      let bytes = decoder.finish().map { CChar(bitPattern: $0) }
      try unsafe give(bytes, to: text, capacity, "text", count: length, "length")
    }
  }
}

@c @implementation
public func rally_decoder_close(_ decoder: OpaquePointer?) {
  closing { _ = unsafe DecoderHandle.table.remove(decoder) }
}

// MARK: Conversions

extension ModelHandle {
  fileprivate func tokenizer() throws(RallyError) -> TextTokenizer {
    guard let tokenizer = model.tokenizer else {
      throw RallyError(
        .unsupported, "'\(model.info.name)'", expected: "a model with a tokenizer", found: "none in the file",
        remedy: "pass token ids, or convert the model with its tokenizer.json")
    }
    return tokenizer
  }
}

extension rally_switch {
  /// nil for DEFAULT.
  func choice(_ name: String) throws(RallyError) -> Bool? {
    switch self {
    case RALLY_DEFAULT: return nil
    case RALLY_OFF: return false
    case RALLY_ON: return true
    default:
      throw RallyError(.invalidArgument, name, expected: "RALLY_DEFAULT, RALLY_OFF or RALLY_ON", found: "\(rawValue)")
    }
  }
}

// MARK: The vocabulary

@c @implementation
public func rally_model_vocabulary(
  _ model: OpaquePointer?, _ bytes: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ offsets: UnsafeMutablePointer<Int>?,
  _ special: UnsafeMutablePointer<UInt8>?, _ longest: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let model = try unsafe ModelHandle.table.object(model)
    let tokenizer = try model.tokenizer()
    let offsets = try unsafe required(offsets, "offsets")
    let special = try unsafe optional(special, "special")
    let longest = try unsafe optional(longest, "longest")
    let count = model.model.info.vocabularySize
    var all: [UInt8] = []
    var ends: [Int] = []
    ends.reserveCapacity(count)
    for id in 0..<Int32(count) {
      if id < tokenizer.tokenCount { all.append(contentsOf: try tokenizer.tokenBytes(id)) }
      ends.append(all.count)
    }
    if let bytes = unsafe bytes {
      guard capacity >= all.count else {
        throw RallyError(
          .bufferTooSmall, "bytes", expected: "a capacity of at least \(all.count)", found: "\(UInt(bitPattern: capacity))")
      }
      for (index, byte) in all.enumerated() { unsafe bytes[index] = CChar(bitPattern: byte) }
    } else if capacity != 0 {
      throw RallyError(.invalidArgument, "bytes", expected: "a buffer of \(UInt(bitPattern: capacity))", found: "NULL")
    }
    unsafe offsets.pointee = 0
    for (index, end) in ends.enumerated() {
      unsafe offsets[index + 1] = end
      if let special = unsafe special { unsafe special[index] = tokenizer.isSpecial(Int32(index)) ? 1 : 0 }
    }
    if let longest = unsafe longest { unsafe longest.pointee = tokenizer.greatestByteCount }
  }
}
