import Kernels
import Tensors
import Testing

/// Four bits: the rule of rounding, and products that are exact but for the sums of groups.
@Suite struct Q4Tests {
  private static let rows = [
    [Float](repeating: 0, count: 32), [Float](repeating: 0.7, count: 32), (0..<32).map { Float($0) - 16 },
    (0..<32).map { $0 == 5 ? -3 : 0.01 * Float($0) }, (0..<32).map { Float($0) * 1e-9 }, (0..<32).map { Float($0) * -1e30 },
    (0..<32).map { $0 == 31 ? 7 * Float.leastNonzeroMagnitude : 0 }, (0..<32).map { $0 % 2 == 0 ? 6e4 : -1e6 },
  ]

  @Test func theRuleIsThatOfTheFormat() {
    var random = Random(seed: 21)
    let groups = Self.rows + (0..<300).map { random.floats(32, scale: Float(sign: .plus, exponent: $0 % 40 - 30, significand: 1)) }
    for group in groups {
      var stored = [UInt8](repeating: 0, count: 16)
      var scale: Float = 0
      unsafe Conversion.f32(group, toQ4: &stored, scales: &scale, count: 32)
      let expected = Int8Row(q4: group)
      #expect(scale.bitPattern == expected.scales[0].bitPattern, "\(group)")
      #expect(stored == (0..<16).map { UInt8(expected.numbers[$0] + 8) | UInt8(expected.numbers[$0 + 16] + 8) << 4 })
      var values = [Float](repeating: .nan, count: 32)
      unsafe Conversion.q4(stored, scales: &scale, to: &values, count: 32)
      #expect(values == expected.numbers.map { Float($0) * scale })
    }
  }

  /// Of 16 levels of a group that has them all, each is met; the rest is not worse than by the largest number alone.
  @Test func lessIsLostThanByTheLargestNumberAlone() {
    var random = Random(seed: 22)
    var (found, plain) = (0.0, 0.0)
    for _ in 0..<200 {
      let group = random.floats(32)
      let row = Int8Row(q4: group)
      let most = group.max { abs($0) < abs($1) } ?? 0
      for (value, number) in zip(group, row.numbers) {
        found += Double((value - Float(number) * row.scales[0]) * (value - Float(number) * row.scales[0]))
        let scale = Twin.half(most / -8)
        let error = value - max(-8, min(7, (value / scale).rounded(.toNearestOrEven))) * scale
        plain += Double(error * error)
      }
    }
    #expect(found < 0.95 * plain)
  }

  /// Every instruction set and every tile gives these bits.
  @Test(arguments: [(1, 32, 1), (1, 64, 33), (2, 96, 70), (3, 32, 300), (8, 160, 129), (14, 64, 31), (15, 96, 64), (66, 64, 40)])
  func productsAreExact(size: (rows: Int, inputs: Int, outputs: Int)) throws {
    let (rows, inputs, outputs) = size
    var random = Random(seed: UInt64(rows + inputs * outputs))
    let x = random.floats(rows * inputs, scale: 3)
    let w = random.floats(outputs * inputs, scale: 0.1)
    let matrix = try ProductForm.q4.pack(w, inputs: inputs, outputs: outputs)
    let y = try MatMulTests.product(x, matrix, rows: rows)
    let weights = Int8Row.rows(w, width: inputs) { Int8Row(q4: $0) }
    let expected = Int8Row.rows(x, width: inputs) { Int8Row(activations: $0) }.flatMap { row in
      weights.map { Int8Row.product(row, $0) }
    }
    #expect(bits(y) == bits(expected))
    #expect(matrix.byteCount == (outputs + 31) / 32 * inputs * 18)
  }

  /// All sixteen numbers, scales of every kind, and a balance.
  @Test func storedRowsAreTakenOver() throws {
    let (inputs, outputs) = (64, 40)
    var random = Random(seed: 23)
    let x = random.floats(2 * inputs)
    let factors = (0..<inputs).map { Float(sign: .plus, exponent: $0 % 7 - 3, significand: 1) }
    let rows = (0..<outputs).map { output in
      var row = Int8Row(q4: random.floats(inputs))
      for index in 0..<16 { row.numbers[index] = Int8(index) - 8 }
      row.scales = [[0x1p-24, 0], [-0.5, 65504], [-0x1p-15, 1]][output % 3]
      return row
    }
    let stored = unsafe WeightRows(outputs: outputs, dataType: .q4, scales: rows.flatMap(\.scales)) { range, destination in
      for (place, row) in range.enumerated() {
        let bytes = unsafe (destination + place * inputs / 2).assumingMemoryBound(to: UInt8.self)
        unsafe Conversion.int8(rows[row].numbers, toQ4: bytes, count: inputs)
      }
    }
    let matrix = try PackedMatrix(inputs: inputs, sources: [stored], dataType: .q4, factors: factors)
    let balanced = x.indices.map { x[$0] * factors[$0 % inputs] }
    let expected = Int8Row.rows(balanced, width: inputs) { Int8Row(activations: $0) }.flatMap { row in
      rows.map { Int8Row.product(row, $0) }
    }
    #expect(try bits(MatMulTests.product(x, matrix, rows: 2)) == bits(expected))
  }
}
