import CKernels
public import Files
import Glibc
import Tensors

/// Draws tokens. Owns the scratch for one vocabulary: one per worker.
public struct Sampler: ~Copyable, Sendable {
  let vocabularySize: Int
  private let candidates: AlignedStorage<Int32>
  private let weights: AlignedStorage<Double>
  private let scaled: AlignedStorage<Float>

  /// Memory of a sampler.
  public static func byteCount(vocabularySize: Int) -> Int { 16 * vocabularySize }

  /// Tokens whose probabilities are added up at once where no filter holds: the last of them is found one by one.
  private static let stretch = 256

  /// - Throws: `outOfMemory`.
  public init(vocabularySize: Int) throws(RallyError) {
    precondition(vocabularySize > 0)
    let candidates = try AlignedStorage<Int32>(count: vocabularySize)
    let weights = try AlignedStorage<Double>(count: vocabularySize)
    let scaled = try AlignedStorage<Float>(count: vocabularySize)
    self.vocabularySize = vocabularySize
    self.candidates = candidates
    self.weights = weights
    self.scaled = scaled
  }

  /// The next token of a request.
  ///
  /// The same logits, parameters and `index` give the same token in every batch: the random number is a hash
  /// of seed and index, not a state.
  ///
  /// - Parameters:
  ///   - logits: [vocabularySize] f32. NaN counts as impossible.
  ///   - parameters: validated.
  ///   - index: of the token in its request, so that each draw is a new one.
  /// - Returns: a token; the most likely one when no logit is finite.
  /// - Complexity: O(V) without top-k and top-p, O(V + n log V) for the n tokens these look at. Allocates nothing.
  public mutating func token(
    from logits: UnsafePointer<Float>, parameters: SamplingParameters, index: UInt64
  ) -> Int {
    let best = unsafe rk_argmax(logits, vocabularySize)
    let largest = unsafe logits[best]
    guard parameters.temperature > 0, largest.isFinite, parameters.topK != 1 else { return best }
    let number = uniform(parameters.seed, index)
    if parameters.topK == 0, parameters.topP == 1, parameters.minP == 0,
      let token = unsafe drawFromAll(logits, largest, parameters.temperature, number)
    {
      return token
    }
    let kept = unsafe filter(logits, largest, parameters)
    return unsafe draw(logits, largest, kept, parameters.temperature, number) ?? best
  }

  /// One of all tokens with probability ∝ exp((logit − largest) / temperature): first the stretch that the number falls
  /// into, then the token. nil when a logit is NaN.
  private mutating func drawFromAll(
    _ logits: UnsafePointer<Float>, _ largest: Float, _ temperature: Float, _ uniform: Double
  ) -> Int? {
    let scale = 1 / temperature
    guard scale.isFinite, (largest * scale).isFinite else { return nil }
    unsafe scaled.base.update(from: logits, count: vocabularySize)
    unsafe rk_scale(scaled.base, scale, vocabularySize)
    let shift = largest * scale
    let stretchCount = (vocabularySize + Self.stretch - 1) / Self.stretch
    var total = 0.0
    for index in 0..<stretchCount {
      let first = index * Self.stretch
      let sum = unsafe rk_sum_exp(scaled.base + first, min(Self.stretch, vocabularySize - first), shift)
      guard !sum.isNaN else { return nil }
      total += Double(sum)
      unsafe weights.base[index] = total
    }
    let point = uniform * total
    var hit = 0
    while hit < stretchCount - 1, unsafe weights.base[hit] <= point { hit += 1 }
    return unsafe token(in: hit, from: hit == 0 ? point : point - weights.base[hit - 1], shift)
  }

  /// The token of a stretch at which the sum of its probabilities passes `point`; by rounding it may not quite: then the last
  /// that has any.
  private func token(in stretch: Int, from point: Double, _ shift: Float) -> Int {
    var (sum, last) = (0.0, stretch * Self.stretch)
    for token in stretch * Self.stretch..<min((stretch + 1) * Self.stretch, vocabularySize) {
      let weight = unsafe exp(Double(scaled.base[token] - shift))
      guard weight > 0 else { continue }
      sum += weight
      last = token
      if sum > point { break }
    }
    return last
  }

  /// Calls `body` with the `count` tokens of the largest logits, the largest first, the lower id on ties.
  public mutating func forEachLargest(
    _ count: Int, of logits: UnsafePointer<Float>, _ body: (_ token: Int) -> Void
  ) {
    var heap = unsafe TokenHeap(logits, candidates.base)
    heap.collect(vocabularySize, atLeast: -.infinity)
    for _ in 0..<min(count, heap.count) { body(Int(heap.popLargest())) }
  }

  /// Leaves the tokens that pass the filters in `candidates[0 ..< result]`.
  private mutating func filter(
    _ logits: UnsafePointer<Float>, _ largest: Float, _ parameters: SamplingParameters
  ) -> Int {
    // p ≥ minP · p_max is a bound on the logit; −∞ when min-p is off.
    let lowest = largest + logf(parameters.minP)
    var heap = unsafe TokenHeap(logits, candidates.base)
    guard parameters.topK > 0 || parameters.topP < 1 else {
      heap.collect(vocabularySize, atLeast: lowest)
      return heap.count
    }
    heap.collect(vocabularySize, atLeast: -.infinity)
    let limit = parameters.topK > 0 ? min(parameters.topK, heap.count) : heap.count
    let total = heap.count
    if parameters.topP >= 1 {
      for _ in 0..<limit { heap.popLargest() }
    } else {
      let all = unsafe rk_sum_exp(logits, vocabularySize, largest)
      let mass = limit < total ? heap.popMass(limit, largest) : all.isNaN ? heap.mass(largest) : Double(all)
      heap.popUntil(mass: mass * Double(parameters.topP), limit: limit, shift: largest)
    }
    return heap.movePoppedToFront(atLeast: lowest)
  }

  /// One of `candidates[0 ..< count]` with probability ∝ exp((logit − largest) / temperature).
  private mutating func draw(
    _ logits: UnsafePointer<Float>, _ largest: Float, _ count: Int, _ temperature: Float, _ uniform: Double
  ) -> Int? {
    var total = 0.0
    for i in 0..<count {
      let logit = unsafe logits[Int(candidates.base[i])]
      total += exp(Double(logit - largest) / Double(temperature))
      unsafe weights.base[i] = total
    }
    guard total > 0 else { return nil }
    let point = uniform * total
    var (low, high) = (0, count - 1)
    while low < high {
      let middle = (low + high) / 2
      if unsafe weights.base[middle] > point { high = middle } else { low = middle + 1 }
    }
    return unsafe Int(candidates.base[low])
  }
}

/// A number in [0, 1) from a request's seed and a token's index, by SplitMix64's output function (Steele et al.
/// 2014) applied to the seed, then to the index on top of it: 53 random bits, no state.
func uniform(_ seed: UInt64, _ index: UInt64) -> Double {
  func mix(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
  return Double(mix(mix(seed) &+ index) >> 11) * 0x1p-53
}
