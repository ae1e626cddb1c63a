/// The windows that a text is read in, and the tokens that each of them scores.
struct WindowPlan {
  struct Window {
    var tokens: Range<Int>
    /// Tokens that no window before contained.
    var new: Range<Int>
  }

  let length: Int
  let stride: Int
  let windows: [Window]

  /// - Parameters:
  ///   - length: tokens of a window, at least 2.
  ///   - stride: 1 ..< length: every new token has one before it in its window.
  init(tokenCount: Int, length: Int, stride: Int) {
    self.length = length
    self.stride = stride
    var windows: [Window] = []
    var known = 0
    var start = 0
    while known < tokenCount {
      let end = min(start + length, tokenCount)
      windows.append(Window(tokens: start..<end, new: known..<end))
      known = end
      start += stride
    }
    self.windows = windows
  }

  var computedTokenCount: Int { windows.reduce(0) { $0 + $1.tokens.count } }
}
