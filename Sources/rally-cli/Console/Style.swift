import Glibc

/// Colours, where they are wanted.
struct Style {
  let isColoured: Bool

  /// https://no-color.org: any value but an empty one.
  static func allowsColour(_ descriptor: CInt) -> Bool {
    if let value = unsafe getenv("NO_COLOR"), unsafe value.pointee != 0 { return false }
    if let terminal = unsafe getenv("TERM"), unsafe String(cString: terminal) == "dumb" { return false }
    return isatty(descriptor) == 1
  }

  func bold(_ text: String) -> String { paint("1", text) }
  func dim(_ text: String) -> String { paint("2", text) }
  func red(_ text: String) -> String { paint("1;31", text) }

  /// The colour of a depth, from blue for the shallowest to red for the deepest.
  func depth(_ depth: Int, of greatest: Int, _ text: String) -> String {
    guard depth > 0 else { return dim(text) }
    // Of the 256-colour cube: blue, cyan, green, yellow, orange, red.
    let scale = [33, 43, 40, 220, 208, 196]
    let place = greatest > 1 ? (min(depth, greatest) - 1) * (scale.count - 1) / (greatest - 1) : 0
    return paint("38;5;\(scale[place])", text)
  }

  private func paint(_ code: String, _ text: String) -> String {
    isColoured && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
  }
}
