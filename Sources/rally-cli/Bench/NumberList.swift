import ArgumentParser

/// Numbers of one option, as llama-bench reads them: `1,8,32`, `1-4`, `512-2048+512`, `1-64*2`.
struct NumberList: ExpressibleByArgument {
  let values: [Int]

  /// More is a slip of the keyboard.
  private static let countLimit = 1024

  init?(argument: String) {
    var values: [Int] = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let range = Self.range(part), values.count + range.count <= Self.countLimit else { return nil }
      values += range
    }
    self.values = values
  }

  private static func range(_ text: Substring) -> [Int]? {
    if let value = number(text) { return [value] }
    let bounds = text.split(separator: "-", omittingEmptySubsequences: false)
    guard bounds.count == 2, let first = number(bounds[0]) else { return nil }
    for (sign, next) in [("+", (&+)), ("*", (&*))] as [(Character, (Int, Int) -> Int)] {
      let parts = bounds[1].split(separator: sign, omittingEmptySubsequences: false)
      guard parts.count == 2 else { continue }
      guard let last = number(parts[0]), let stride = number(parts[1]) else { return nil }
      return numbers(from: first, through: last) { next($0, stride) }
    }
    return number(bounds[1]).flatMap { numbers(from: first, through: $0) { $0 + 1 } }
  }

  private static func numbers(from first: Int, through last: Int, next: (Int) -> Int) -> [Int]? {
    guard first <= last else { return nil }
    var values = [first]
    while let value = values.last.map(next), value <= last {
      // A stride of 0, or a factor of 1, goes on for ever.
      guard value > values[values.count - 1], values.count < countLimit else { return nil }
      values.append(value)
    }
    return values
  }

  /// Nothing that is measured needs more than 31 bits, and their products fit 63.
  private static func number(_ text: Substring) -> Int? {
    text.allSatisfy(\.isNumber) ? Int32(text).map(Int.init) : nil
  }
}

/// Two numbers of one option: `512,128`.
struct NumberPair: ExpressibleByArgument {
  let first: Int
  let second: Int

  init?(argument: String) { self.init(argument, separator: ",") }

  init?(_ text: String, separator: Character) {
    let parts = text.split(separator: separator, omittingEmptySubsequences: false)
    guard parts.count == 2, let first = Int32(parts[0]), let second = Int32(parts[1]) else { return nil }
    guard first >= 0, second >= 0 else { return nil }
    (self.first, self.second) = (Int(first), Int(second))
  }
}

/// The shortest and the longest of rows: `64-2048`.
struct LengthRange: ExpressibleByArgument {
  let bounds: ClosedRange<Int>

  init?(argument: String) {
    guard let pair = NumberPair(argument, separator: "-"), 1...pair.second ~= pair.first else { return nil }
    bounds = pair.first...pair.second
  }
}

/// Words of one option: `f32,bf16`.
struct WordList<Word: RawRepresentable<String> & CaseIterable>: ExpressibleByArgument {
  let values: [Word]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    values = parts.compactMap { Word(rawValue: String($0)) }
    guard values.count == parts.count else { return nil }
  }

  static var allValueStrings: [String] { Word.allCases.map(\.rawValue) }
}
