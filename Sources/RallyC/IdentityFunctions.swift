public import CRally
import Rally

@c @implementation
public func rally_score_fingerprint(
  _ model: OpaquePointer?, _ squash: rally_switch, _ text: UnsafeMutablePointer<CChar>?, _ capacity: Int,
  _ size: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let model = try unsafe ModelHandle.table.object(model).model
    let fingerprint = try model.scoreFingerprint(squashes: squash.choice("squash") ?? false)
    try unsafe give(terminated(fingerprint), to: text, capacity, "text", count: size, "size")
  }
}

@c @implementation
public func rally_score_label(
  _ model: OpaquePointer?, _ options: UnsafePointer<rally_label_options>?, _ text: UnsafeMutablePointer<CChar>?,
  _ capacity: Int, _ size: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let model = try unsafe ModelHandle.table.object(model).model
    let options = try unsafe rally_label_options.read(options, "options")
    let squashes = try unsafe options.squash.choice("squash") ?? false
    let label = try unsafe model.scoreLabel(ScoreReading(options), squashes: squashes)
    try unsafe give(terminated(label.text), to: text, capacity, "text", count: size, "size")
  }
}

@c @implementation
public func rally_same_tokens(
  _ model: OpaquePointer?, _ other: OpaquePointer?, _ same: UnsafeMutablePointer<Int32>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let model = try unsafe ModelHandle.table.object(model).model
    let other = try unsafe ModelHandle.table.object(other).model
    let result = try unsafe required(same, "same")
    unsafe result.pointee = model.readsTokens(of: other) ? 1 : 0
  }
}

private func terminated(_ text: String) -> [CChar] { text.utf8.map { CChar(bitPattern: $0) } + [0] }

extension ScoreReading {
  fileprivate init(_ options: rally_label_options) throws(RallyError) {
    self.init()
    rowTokenCount = try unsafe Self.count(options.row_tokens, "row_tokens")
    windowTokenCount = try unsafe Self.count(options.window_tokens, "window_tokens")
    stride = try unsafe Self.count(options.stride_tokens, "stride_tokens")
    maximumWindowCount = try unsafe Self.count(options.max_windows, "max_windows")
    if let pairs = unsafe options.more { more = try unsafe text(pairs, "more") }
  }

  private static func count(_ value: Int, _ name: String) throws(RallyError) -> Int? {
    let count = try natural(value, name)
    return count == 0 ? nil : count
  }
}
