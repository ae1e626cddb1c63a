import Curation
import Testing

@Suite struct EValueTests {
  @Test func theLargestCounts() {
    var value = EValue()
    #expect(value.logarithm == 0 && value.largest == 0 && !value.rejects(at: 0.99))
    for ratio in [1.0, 2.5, -9] { value.add(ratio) }
    #expect(value.logarithm == -5.5 && value.largest == 3.5 && value.count == 3)
    #expect(value.rejects(at: 0.05) && !value.rejects(at: 0.01))
    value.add(.nan)
    #expect(value.largest.isNaN && !value.rejects(at: 0.05))
  }
}
