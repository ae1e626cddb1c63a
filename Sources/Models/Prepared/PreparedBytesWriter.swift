/// Numbers, texts and lists one after the other: 64-bit little-endian numbers, and a count before whatever has one.
struct PreparedBytesWriter {
  private(set) var bytes: [UInt8] = []

  mutating func append(_ number: UInt64) {
    for shift in stride(from: UInt64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: number >> shift)) }
  }

  mutating func append(_ number: Int) { append(UInt64(bitPattern: Int64(number))) }

  mutating func append(_ list: some Collection<UInt8>) {
    append(list.count)
    bytes.append(contentsOf: list)
  }

  mutating func append(_ text: String) { append(Array(text.utf8)) }

  mutating func append<Element>(_ list: [Element], _ body: (inout PreparedBytesWriter, Element) -> Void) {
    append(list.count)
    for element in list { body(&self, element) }
  }
}
