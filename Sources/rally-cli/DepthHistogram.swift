import JSON

/// How many tokens ran how many recursions.
struct DepthHistogram {
  /// By depth, from 0; [R + 1].
  private(set) var counts: [Int]

  init(greatestDepth: Int) { counts = Array(repeating: 0, count: greatestDepth + 1) }

  var tokenCount: Int { counts.reduce(0, +) }
  var greatestDepth: Int { counts.count - 1 }

  /// NaN without tokens.
  var mean: Double {
    let sum = counts.enumerated().reduce(0) { $0 + $1.offset * $1.element }
    return Double(sum) / Double(tokenCount)
  }

  mutating func add(_ depth: Int32) { counts[min(max(0, Int(depth)), greatestDepth)] += 1 }

  /// A table with bars. Depth 0 only where a token has it.
  func lines(_ style: Style) -> [String] {
    var lines = [style.bold("depth  tokens  share")]
    for (depth, count) in counts.enumerated() where depth > 0 || count > 0 {
      let share = Double(count) / Double(max(1, tokenCount))
      let bar = style.depth(depth, of: greatestDepth, Bar.text(share, width: 40))
      let numbers = [("\(depth)", 5), ("\(count)", 6), ("\(decimal(share * 100, 1)) %", 7)]
      let cells = numbers.map { $0.0.padded(to: $0.1, .right) }.joined(separator: "  ")
      lines.append("\(cells)  \(style.isColoured ? bar : bar.trimmedEnd)")
    }
    return lines
  }

  /// Tokens by depth, from 0.
  var json: JSONValue { .array(counts.map { .integer($0) }) }
}

extension String {
  fileprivate var trimmedEnd: String {
    var text = self
    while text.last == " " { text.removeLast() }
    return text
  }
}
