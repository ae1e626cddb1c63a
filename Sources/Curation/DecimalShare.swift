import Files

/// A share in [0, 1) as the decimal number that was meant: digits · 10^−places, the shortest that rounds to the double.
struct DecimalShare {
  /// At most 17 digits.
  private let digits: Int128
  private let places: Int

  /// - Throws: `invalidArgument` for a NaN and numbers outside [0, 1).
  init(_ value: Double, _ name: String) throws(RallyError) {
    guard value >= 0, value < 1 else {
      throw RallyError(.invalidArgument, name, expected: "a share in [0, 1)", found: "\(value)")
    }
    // Swift describes a double by the shortest decimal that reads back as it: "0.9", "1e-05", "1.25e-07".
    let parts = "\(value.magnitude)".split(separator: "e")
    let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    let fraction = mantissa.count > 1 ? mantissa[1] : ""
    digits = Int128(mantissa[0] + fraction) ?? 0
    places = fraction.count - (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
  }

  /// ⌊count · share⌋.
  func part(of count: Int) -> Int {
    guard places <= 38 else { return 0 }
    return Int(digits * Int128(count) / power)
  }

  private var power: Int128 { repeatElement(10, count: places).reduce(1) { $0 * $1 } }

  /// ⌈count · share / (1 − share)⌉.
  func extra(for count: Int) -> Int128 {
    guard digits > 0, count > 0 else { return 0 }
    // A share below 10^−21 of fewer than 2^63 is less than one.
    guard places <= 38 else { return 1 }
    // At most 17 digits times 63 bits: below 2^120.
    return (digits * Int128(count) - 1) / (power - digits) + 1
  }
}
