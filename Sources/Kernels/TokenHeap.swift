import Glibc

/// The largest logits first, as many as asked for: a binary heap in the caller's memory.
///
/// Building it is linear, each pop logarithmic; popped tokens collect after the heap, so that the last of
/// them stands first. Order: larger logit, then lower id; total, so a draw never depends on the sort.
@safe struct TokenHeap {
  private let logits: UnsafePointer<Float>
  private let tokens: UnsafeMutablePointer<Int32>
  /// Tokens still in the heap, tokens[0 ..< count].
  private(set) var count = 0
  /// One past the popped tokens, tokens[count ..< end].
  private var end = 0

  init(_ logits: UnsafePointer<Float>, _ tokens: UnsafeMutablePointer<Int32>) {
    unsafe self.logits = logits
    unsafe self.tokens = tokens
  }

  /// Takes in the tokens of `0 ..< vocabularySize` with a logit of at least `lowest`; never NaN or −∞.
  mutating func collect(_ vocabularySize: Int, atLeast lowest: Float) {
    for token in 0..<vocabularySize where unsafe logits[token] >= lowest && logits[token] > -.infinity {
      unsafe tokens[count] = Int32(truncatingIfNeeded: token)
      count += 1
    }
    end = count
  }

  private var isHeap = false

  /// Σ exp(logit − shift) over the tokens taken in, before any is popped.
  func mass(_ shift: Float) -> Double {
    var mass = 0.0
    for i in 0..<end { mass += unsafe exp(Double(logits[Int(tokens[i])] - shift)) }
    return mass
  }

  /// Moves the largest token from the heap to the popped ones; the heap must not be empty.
  @discardableResult
  mutating func popLargest() -> Int32 {
    if !isHeap {
      for root in stride(from: count / 2 - 1, through: 0, by: -1) { sink(root) }
      isHeap = true
    }
    let token = unsafe tokens[0]
    count -= 1
    unsafe tokens[0] = tokens[count]
    unsafe tokens[count] = token
    sink(0)
    return token
  }

  /// Pops `limit` tokens and returns Σ exp(logit − shift) over them.
  mutating func popMass(_ limit: Int, _ shift: Float) -> Double {
    var mass = 0.0
    for _ in 0..<limit { mass += unsafe exp(Double(logits[Int(popLargest())] - shift)) }
    return mass
  }

  /// Shrinks or grows the popped tokens to the fewest whose Σ exp(logit − shift) reaches `mass`, at least one
  /// and at most `limit`.
  mutating func popUntil(mass: Double, limit: Int, shift: Float) {
    var popped = 0
    var sum = 0.0
    while popped < limit, sum < mass || popped == 0 {
      if end - popped == count { popLargest() }
      popped += 1
      sum += unsafe exp(Double(logits[Int(tokens[end - popped])] - shift))
    }
    // Tokens popped beyond the sum leave the range, as if they were still in the heap.
    count = end - popped
  }

  /// Moves the popped tokens with a logit of at least `lowest` to the front, most likely first; their number.
  mutating func movePoppedToFront(atLeast lowest: Float) -> Int {
    let popped = end - count
    // In place: reverse the popped part, then shift it down.
    var (low, high) = (count, end - 1)
    while low < high {
      unsafe (tokens[low], tokens[high]) = (tokens[high], tokens[low])
      low += 1
      high -= 1
    }
    var kept = 0
    for i in 0..<popped {
      let token = unsafe tokens[count + i]
      if unsafe logits[Int(token)] < lowest { break }
      unsafe tokens[kept] = token
      kept += 1
    }
    return kept
  }

  private func precedes(_ a: Int32, _ b: Int32) -> Bool {
    let (x, y) = unsafe (logits[Int(a)], logits[Int(b)])
    return x > y || (x == y && a < b)
  }

  private mutating func sink(_ start: Int) {
    var parent = start
    while true {
      var child = 2 * parent + 1
      guard child < count else { return }
      if child + 1 < count, unsafe precedes(tokens[child + 1], tokens[child]) { child += 1 }
      guard unsafe precedes(tokens[child], tokens[parent]) else { return }
      unsafe (tokens[parent], tokens[child]) = (tokens[child], tokens[parent])
      parent = child
    }
  }
}
