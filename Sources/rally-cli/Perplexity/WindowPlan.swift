import Curation

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
    let cut = DocumentWindows(tokenCount: tokenCount, length: length, stride: stride)
    windows = (0..<(tokenCount == 0 ? 0 : cut.count)).map { index in
      let known = index == 0 ? 0 : cut[index - 1].upperBound
      return Window(tokens: cut[index], new: known..<cut[index].upperBound)
    }
  }

  var computedTokenCount: Int { windows.reduce(0) { $0 + $1.tokens.count } }
}
