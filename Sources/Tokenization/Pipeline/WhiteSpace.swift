/// White space as Rust's standard library has it: the property White_Space.
enum WhiteSpace {
  /// After the white space at `start`.
  static func end(in text: Span<UInt8>, from start: Int) -> Int {
    var position = start
    while position < text.count, case .scalar(let scalar, let byteCount) = text.symbol(at: position),
      BertTable.shared[scalar].kind == .space
    {
      position += byteCount
    }
    return position
  }

  /// Where the white space starts that ends at `end`, not before `floor`.
  static func start(in text: Span<UInt8>, before end: Int, downTo floor: Int) -> Int {
    var position = end
    while position > floor {
      var start = position - 1
      while start > max(floor, position - 4), text[start] & 0xC0 == 0x80 { start -= 1 }
      guard case .scalar(let scalar, let byteCount) = text.symbol(at: start), start + byteCount == position,
        BertTable.shared[scalar].kind == .space
      else { break }
      position = start
    }
    return position
  }
}
