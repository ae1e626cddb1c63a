/// A number for some of the scalars, in two stages: a page for each 256 scalars, those without numbers shared.
struct ScalarIndex: Sendable {
  private var pages = [UInt16](repeating: 0, count: 0x1100)
  private var numbers = [Int32](repeating: -1, count: 256)  // [page, 256], −1 for none

  /// The number of a scalar, at most U+10FFFF, or −1. Setting it takes no memory but the first time in a page.
  subscript(scalar: UInt32) -> Int32 {
    get { numbers[place(of: scalar)] }
    set {
      if pages[Int(scalar >> 8)] == 0 {
        pages[Int(scalar >> 8)] = UInt16(numbers.count / 256)
        numbers += repeatElement(-1, count: 256)
      }
      numbers[place(of: scalar)] = newValue
    }
  }

  private func place(of scalar: UInt32) -> Int { Int(pages[Int(scalar >> 8)]) << 8 | Int(scalar & 255) }
}
