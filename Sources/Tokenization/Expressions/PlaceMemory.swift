/// Places of a program and a text: a bit for each.
struct PlaceMemory {
  private(set) var isOn = false
  private var bits: [UInt64] = []

  mutating func forget() {
    guard isOn else { return }
    isOn = false
    bits = []
  }

  mutating func begin(slotCount: Int, _ text: Span<UInt8>) {
    isOn = true
    bits = Array(repeating: 0, count: (slotCount * (text.count + 1) + 63) / 64)
  }

  mutating func remember(_ slot: Int, _ position: Int, in text: Span<UInt8>) {
    guard isOn else { return }
    let bit = slot * (text.count + 1) + position
    bits[bit >> 6] |= 1 << UInt64(bit & 63)
  }

  func knows(_ slot: Int, _ position: Int, in text: Span<UInt8>) -> Bool {
    guard isOn else { return false }
    let bit = slot * (text.count + 1) + position
    return bits[bit >> 6] >> UInt64(bit & 63) & 1 != 0
  }
}
