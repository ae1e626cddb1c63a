import Curation
import Testing

struct DocumentWindowsTests {
  /// All small shapes: every property is checked against the set of tokens that the windows hold.
  @Test(arguments: 0..<41, 1..<12)
  func windowsFollowEachOtherToTheEnd(tokenCount: Int, length: Int) {
    for stride in 1..<16 {
      let cut = DocumentWindows(tokenCount: tokenCount, length: length, stride: stride)
      let windows = (0..<cut.count).map { cut[$0] }
      for (index, window) in windows.enumerated() {
        #expect(window.lowerBound == index * stride)
        #expect(window.upperBound == min(window.lowerBound + length, tokenCount))
        #expect(tokenCount == 0 || !window.isEmpty)
        if index > 0 { #expect(windows[index - 1].upperBound < tokenCount, "the one before had reached the end") }
      }
      if stride <= length { #expect(windows.last?.upperBound == tokenCount) }
      #expect(cut.seenCount == Set(windows.flatMap { Array($0) }).count)
      if stride <= length { #expect(cut.seenCount == tokenCount) }
    }
  }

  @Test(arguments: 1..<30)
  func aLimitSpreadsTheWindowsEvenly(limit: Int) {
    for (length, stride) in [(5, 5), (5, 3), (3, 5)] {
      let all = DocumentWindows(tokenCount: 83, length: length, stride: stride)
      let some = DocumentWindows(tokenCount: 83, length: length, stride: stride, limit: limit)
      #expect(some.count == min(limit, all.count))
      let places = (0..<some.count).map { some[$0].lowerBound / stride }
      #expect(Set(places).count == places.count && places == places.sorted())
      for (index, place) in places.enumerated() {
        #expect(some[index] == all[place])
        // The middle of its part: within half a window of where an exact division puts it.
        let exact = (Double(index) + 0.5) * Double(all.count) / Double(some.count) - 0.5
        #expect(abs(Double(place) - exact) <= 0.5)
      }
      #expect(some.seenCount == Set((0..<some.count).flatMap { Array(some[$0]) }).count)
    }
  }

  /// Numbers that a caller can give and no document has.
  @Test func nothingOverflows() {
    let huge = DocumentWindows(tokenCount: .max, length: 1, stride: 1)
    #expect(huge.count == .max && huge[.max - 1] == Int.max - 1..<Int.max && huge.seenCount == .max)
    let few = DocumentWindows(tokenCount: .max, length: .max - 1, stride: 1, limit: 3)
    #expect(few.count == 2 && few[1] == 1..<Int.max)
    let apart = DocumentWindows(tokenCount: .max, length: 1, stride: .max)
    #expect(apart.count == 1 && apart[0] == 0..<1 && apart.seenCount == 1)
    let middle = DocumentWindows(tokenCount: .max, length: 1, stride: 1, limit: 1)
    #expect(middle[0].lowerBound == Int.max / 2)
  }
}
