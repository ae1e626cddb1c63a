import CKernels
public import Files
import Glibc
public import Tensors

/// Rotary position embedding, rotate-half layout (Su et al. 2021, as in Llama and GPT-NeoX).
///
/// A table of cosines and sines for every position up to the context length: `positionCount · headWidth · 4`
/// bytes, 0.5 MB for 2048 positions of 64.
public struct Rope: ~Copyable, Sendable {
  public let positionCount: Int
  /// K, even.
  public let headWidth: Int
  private let cosines: AlignedStorage<Float>  // [positionCount, K/2]
  private let sines: AlignedStorage<Float>  // [positionCount, K/2]

  /// Angles as PyTorch's Llama computes them, every step rounded to f32:
  /// inv_freq_i = 1 / theta^(2i/K), angle = position · inv_freq_i.
  ///
  /// - Throws: `outOfMemory`; `invalidValue` for an odd width, or a theta that is not finite and positive.
  public init(positionCount: Int, headWidth: Int, theta: Float) throws(RallyError) {
    guard headWidth > 0, headWidth % 2 == 0, positionCount >= 0, theta.isFinite, theta > 0 else {
      throw RallyError(
        .invalidValue, "rotary embedding", expected: "an even head width and a positive theta",
        found: "width \(headWidth), theta \(theta)")
    }
    try self.init(positionCount: positionCount, headWidth: headWidth, factor: 1) { i in
      1 / powf(theta, Float(2 * i) / Float(headWidth))
    }
  }

  /// - Parameters:
  ///   - frequencies: ω [K/2]; angle = position · ω.
  ///   - factor: multiplies cosines and sines, and so attention scores by its square (yarn).
  /// - Throws: `outOfMemory`.
  public init(positionCount: Int, frequencies: FloatStorage, factor: Float) throws(RallyError) {
    try self.init(positionCount: positionCount, headWidth: 2 * frequencies.count, factor: factor) { frequencies[$0] }
  }

  private init(
    positionCount: Int, headWidth: Int, factor: Float, frequency: (Int) -> Float
  ) throws(RallyError) {
    let half = headWidth / 2
    let (count, overflow) = positionCount.multipliedReportingOverflow(by: half)
    let cosines = try AlignedStorage<Float>(count: overflow ? .max : count)
    let sines = try AlignedStorage<Float>(count: overflow ? .max : count)
    for i in 0..<half {
      let frequency = frequency(i)
      for position in 0..<positionCount {
        let angle = Float(position) * frequency
        unsafe cosines.base[position * half + i] = cosf(angle) * factor
        unsafe sines.base[position * half + i] = sinf(angle) * factor
      }
    }
    self.cosines = cosines
    self.sines = sines
    self.positionCount = positionCount
    self.headWidth = headWidth
  }

  /// Rotates heads in place: (a, b) ← (a·cos − b·sin, b·cos + a·sin) for the two halves a, b of each head.
  ///
  /// - Parameters:
  ///   - x: [rows, heads·K] f32, `stride` floats from row to row; queries or keys.
  ///   - positions: [rows], the tokens' own positions in their sequence, each in `0 ..< positionCount`.
  public func rotate(
    _ x: UnsafeMutablePointer<Float>, stride: Int, positions: UnsafePointer<Int32>, rows: Int, heads: Int
  ) {
    unsafe rk_rope(x, stride, cosines.base, sines.base, positions, rows, heads, headWidth)
  }
}
