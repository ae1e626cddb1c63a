import Glibc
import Kernels
import Models

/// The normal numbers that a looped model starts from, the same wherever a token stands in a batch.
///
/// Number (p, c) is deviation · √(−2 ln u) · cos(2π v), where u = (high + ½) / 2³² and v = (low + ½) / 2³² are the halves of
/// SplitMix64's output number p · 2²⁰ + c of the seed (Steele et al. 2014; Box & Muller 1958). Computed in f64.
package struct SeededState: Sendable {
  private let deviation: Double
  private let seed: UInt64

  package init(deviation: Double, seed: UInt64) {
    self.deviation = deviation
    self.seed = seed
  }

  package subscript(position: Int, channel: Int) -> Float {
    let index = UInt64(position) << 20 | UInt64(channel)
    var word = seed &+ (index &+ 1) &* 0x9E37_79B9_7F4A_7C15
    word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
    word ^= word >> 31
    let u = (Double(word >> 32) + 0.5) / 0x1p32
    let v = (Double(word & 0xFFFF_FFFF) + 0.5) / 0x1p32
    return Float(deviation * (-2 * log(u)).squareRoot() * cos(2 * .pi * v))
  }
}
