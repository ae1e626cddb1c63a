import Files
import Kernels
import Testing

@Suite struct MatMulTests {
  /// y of one product, [rows, outputs].
  static func product(
    _ x: [Float], _ matrix: PackedMatrix, rows: Int, threads: Int = 1, outputs: Range<Int>? = nil
  ) throws -> [Float] {
    let pool = try WorkerPool(threadCount: threads)
    let matmul = try MatMul(pool: pool)
    let width = outputs?.count ?? matrix.outputs
    var y = [Float](repeating: .nan, count: rows * width)
    unsafe try matmul.multiply(x, stride: matrix.inputs, rows: rows, by: matrix, outputs: outputs, into: &y, stride: width)
    return y
  }

  /// Rows around the tiles of registers, the tiles of a call and the blocks of converted rows; outputs around
  /// strips and panels; inputs that fill no vector.
  static let sizes = [
    (1, 1, 1), (1, 64, 3), (2, 9, 33), (3, 17, 5), (4, 30, 160), (6, 31, 95), (7, 96, 257), (14, 12, 31),
    (15, 25, 64), (29, 2, 127), (63, 5, 129), (65, 40, 300), (130, 64, 64), (2, 576, 1000), (515, 21, 40),
  ]

  @Test(arguments: ProductForm.available, sizes)
  func matchesTwin(form: ProductForm, size: (rows: Int, inputs: Int, outputs: Int)) throws {
    let (rows, inputs, outputs) = size
    var random = Random(seed: UInt64(rows * inputs + outputs))
    let x = random.floats(rows * inputs)
    let w = random.floats(outputs * inputs)
    let y = try Self.product(x, form.pack(w, inputs: inputs, outputs: outputs), rows: rows)
    let expected = form.expected(x, w, rows: rows, inputs: inputs, outputs: outputs)
    #expect(excess(y, expected, absolute: Double(inputs) * 0x1p-24, relative: 1e-6) <= 1)
  }

  @Test(arguments: ProductForm.available, [(960, 320), (100, 33), (37, 1)])
  func aRowIsTheSameForEveryNumberOfRowsAndThreads(form: ProductForm, size: (inputs: Int, outputs: Int)) throws {
    let (inputs, outputs) = size
    var random = Random(seed: 11)
    let rows = 150
    let x = random.floats(rows * inputs)
    let w = random.floats(outputs * inputs)
    let matrix = try form.pack(w, inputs: inputs, outputs: outputs)
    let whole = try Self.product(x, matrix, rows: rows)
    for threads in [2, 3] {
      #expect(try bits(Self.product(x, matrix, rows: rows, threads: threads)) == bits(whole))
    }
    let pool = try WorkerPool(threadCount: 1)
    let matmul = try MatMul(pool: pool)
    for count in Array(1...66) + [100, 128, 129] {
      let first = random.below(rows - count + 1)
      var y = [Float](repeating: .nan, count: count * outputs)
      unsafe try matmul.multiply(
        Array(x[(first * inputs)...]), stride: inputs, rows: count, by: matrix, into: &y, stride: outputs)
      #expect(bits(y) == bits(whole[first * outputs..<(first + count) * outputs]), "\(count) rows from \(first)")
    }
  }

  @Test(arguments: ProductForm.available)
  func sourcesAreStackedAndCanBeAskedForAlone(form: ProductForm) throws {
    var random = Random(seed: 5)
    let inputs = 64
    let counts = [300, 70, 70]
    let parts = counts.map { random.floats($0 * inputs) }
    let x = random.floats(9 * inputs)
    let pool = try WorkerPool(threadCount: 2)
    let sources = parts.indices.map { source in
      unsafe WeightRows(outputs: counts[source]) { range, destination in
        let floats = unsafe destination.assumingMemoryBound(to: Float.self)
        for i in 0..<range.count * inputs { unsafe floats[i] = parts[source][range.lowerBound * inputs + i] }
      }
    }
    let matrix = try PackedMatrix(
      inputs: inputs, sources: sources, dataType: form.dataType, method: form.method, pool: pool)
    #expect(matrix.sources == [0..<300, 300..<370, 370..<440])
    #expect(matrix.byteCount >= form.dataType.byteCount(of: 440 * inputs))
    let all = try Self.product(x, matrix, rows: 9, threads: 2)
    for (part, range) in zip(parts, matrix.sources) {
      let expected = try Self.product(x, form.pack(part, inputs: inputs, outputs: range.count), rows: 9)
      #expect(try bits(Self.product(x, matrix, rows: 9, outputs: range)) == bits(expected))
      for row in 0..<9 {
        let part = all[row * 440 + range.lowerBound..<row * 440 + range.upperBound]
        #expect(bits(part) == bits(expected[row * range.count..<(row + 1) * range.count]))
      }
    }
    let two = try Self.product(x, matrix, rows: 9, outputs: 300..<440)
    #expect(bits(two[..<140]) == bits(all[300..<440]))
  }

  /// The bits of the sum and the bias added afterwards, for all outputs and for a source.
  @Test(arguments: ProductForm.available, [1, 3])
  func biasIsAddedAtTheEnd(form: ProductForm, threads: Int) throws {
    var random = Random(seed: 13)
    let (inputs, outputs, rows) = (64, 300, 70)
    let x = random.floats(rows * inputs)
    let bias = random.floats(outputs)
    let matrix = try form.pack(random.floats(outputs * inputs), inputs: inputs, outputs: outputs)
    let plain = try Self.product(x, matrix, rows: rows)
    let matmul = try MatMul(pool: WorkerPool(threadCount: threads))
    for count in [1, rows] {
      var y = [Float](repeating: .nan, count: count * outputs)
      try unsafe matmul.multiply(x, stride: inputs, rows: count, by: matrix, bias: bias, into: &y, stride: outputs)
      #expect(bits(y) == bits(y.indices.map { plain[$0] + bias[$0 % outputs] }))
    }
  }

  @Test(arguments: ProductForm.available)
  func stridesLeaveGapsAlone(form: ProductForm) throws {
    var random = Random(seed: 6)
    let w = random.floats(20 * 24)
    let x = random.floats(3 * 31)
    let matmul = try MatMul(pool: WorkerPool(threadCount: 1))
    var y = [Float](repeating: 7, count: 3 * 29)
    unsafe try matmul.multiply(
      x, stride: 31, rows: 3, by: form.pack(w, inputs: 24, outputs: 20), into: &y, stride: 29)
    for row in 0..<3 {
      let expected = form.expected(Array(x[row * 31..<row * 31 + 24]), w, rows: 1, inputs: 24, outputs: 20)
      #expect(excess(Array(y[row * 29..<row * 29 + 20]), expected, absolute: 1e-5, relative: 1e-6) <= 1)
      #expect(y[row * 29 + 20..<(row + 1) * 29].allSatisfy { $0 == 7 })
    }
  }

  @Test(arguments: ProductForm.available)
  func aRowDoesNotDependOnStrides(form: ProductForm) throws {
    var random = Random(seed: 16)
    let (inputs, outputs, rows) = (96, 70, 70)
    let w = random.floats(outputs * inputs)
    let dense = random.floats(rows * inputs)
    var gapped = random.floats(rows * (inputs + 3))
    for row in 0..<rows {
      for k in 0..<inputs { gapped[row * (inputs + 3) + k] = dense[row * inputs + k] }
    }
    let matrix = try form.pack(w, inputs: inputs, outputs: outputs)
    let matmul = try MatMul(pool: WorkerPool(threadCount: 2))
    var one = [Float](repeating: 0, count: rows * outputs)
    var other = [Float](repeating: 0, count: rows * (outputs + 5))
    try unsafe matmul.multiply(dense, stride: inputs, rows: rows, by: matrix, into: &one, stride: outputs)
    try unsafe matmul.multiply(gapped, stride: inputs + 3, rows: rows, by: matrix, into: &other, stride: outputs + 5)
    for row in 0..<rows {
      #expect(
        bits(one[row * outputs..<(row + 1) * outputs])
          == bits(other[row * (outputs + 5)..<row * (outputs + 5) + outputs]))
    }
  }

  /// A NaN or an infinity stays in its row.
  @Test(arguments: ProductForm.available, [Float.nan, .infinity, -.infinity])
  func whatIsNotFiniteStaysInItsRow(form: ProductForm, value: Float) throws {
    var random = Random(seed: 8)
    var x = random.floats(3 * 40)
    x[40 + 7] = value
    let y = try Self.product(x, form.pack(random.floats(50 * 40), inputs: 40, outputs: 50), rows: 3)
    #expect(y[50..<100].allSatisfy { !$0.isFinite })
    #expect((y[..<50] + y[100...]).allSatisfy { $0.isFinite })
  }

  /// Integer sums are exact, and what follows is rounded in one way: every instruction set and every tile gives these bits.
  @Test(arguments: sizes)
  func int8IsExact(size: (rows: Int, inputs: Int, outputs: Int)) throws {
    let (rows, inputs, outputs) = size
    var random = Random(seed: UInt64(rows + inputs * outputs))
    let x = random.floats(rows * inputs, scale: 3)
    let w = random.floats(outputs * inputs, scale: 0.1)
    let y = try Self.product(x, ProductForm.int8.pack(w, inputs: inputs, outputs: outputs), rows: rows)
    let weights = Int8Row.rows(w, width: inputs) { Int8Row(weights: $0) }
    let expected = Int8Row.rows(x, width: inputs) { Int8Row(activations: $0) }.flatMap { row in
      weights.map { Int8Row.product(row, $0) }
    }
    #expect(bits(y) == bits(expected))
  }

  /// The greatest sum fits; one input more might not.
  @Test func int8SumsDoNotOverflow() throws {
    let inputs = 66_311
    let ones = [Float](repeating: 1, count: inputs)
    let w = ones + ones.map { -$0 }
    let y = try Self.product(ones, ProductForm.int8.pack(w, inputs: inputs, outputs: 2), rows: 1)
    let sum = Float(127 * 127 * inputs) * (Float(1) / 127) * (Float(1) / 127)
    #expect(y == [sum, -sum])
    let error = #expect(throws: RallyError.self) {
      _ = try ProductForm.int8.pack(w + [1, 1], inputs: inputs + 1, outputs: 2)
    }
    #expect(error?.code == .limitExceeded)
  }

  @Test func int8RowsOfZerosAndOfTinyNumbersGiveZeros() throws {
    var random = Random(seed: 3)
    let matrix = try ProductForm.int8.pack(random.floats(5 * 40), inputs: 40, outputs: 5)
    let x = [Float](repeating: 0, count: 40) + random.floats(40, scale: 0x1p-120)
    #expect(try Self.product(x, matrix, rows: 2).allSatisfy { $0 == 0 })
  }

  /// Groups that no scale fits, among others and with nothing but such: zeros, tiny numbers, what is not finite.
  @Test func int8GroupsAreAsTheyAreAlone() throws {
    let (inputs, outputs) = (20 * 32, 40)
    var random = Random(seed: 14)
    let w = random.floats(outputs * inputs)
    let matrix = try ProductForm.int8.pack(w, inputs: inputs, outputs: outputs)
    let weights = Int8Row.rows(w, width: inputs) { Int8Row(weights: $0) }
    var x = random.floats(inputs)
    for index in 32..<64 { x[index] = 0 }
    for index in 17 * 32..<18 * 32 { x[index] *= 0x1p-120 }
    let row = Int8Row(activations: x)
    #expect(try bits(Self.product(x, matrix, rows: 1)) == bits(weights.map { Int8Row.product(row, $0) }))
    x[18 * 32 + 3] = .nan
    #expect(try Self.product(x, matrix, rows: 1).allSatisfy { $0.isNaN })
  }

  /// One scale of a row makes a matrix of one group, whatever its width.
  @Test(arguments: [(37, 1), (96, 1), (96, 3)])
  func storedInt8IsTakenOverWithItsScales(inputs: Int, groupCount: Int) throws {
    let outputs = 70
    var random = Random(seed: 10)
    let rows = (0..<outputs).map { _ in
      var row = Int8Row(weights: random.floats(inputs), groupCount: groupCount)
      row.numbers[0] = -128
      return row
    }
    let stored = unsafe WeightRows(outputs: outputs, dataType: .int8, scales: rows.flatMap(\.scales)) { range, destination in
      for (place, row) in range.enumerated() {
        unsafe (destination + place * inputs).copyMemory(from: rows[row].numbers, byteCount: inputs)
      }
    }
    let x = random.floats(3 * inputs)
    let y = try Self.product(x, PackedMatrix(inputs: inputs, sources: [stored], dataType: .int8), rows: 3)
    let expected = Int8Row.rows(x, width: inputs) { Int8Row(activations: $0, groupCount: groupCount) }.flatMap { row in
      rows.map { Int8Row.product(row, $0) }
    }
    #expect(bits(y) == bits(expected))
  }

  /// A balance divides a channel between the weights and the rows: only what both are rounded to changes.
  @Test func factorsMultiplyRows() throws {
    let (inputs, outputs) = (64, 40)
    var random = Random(seed: 12)
    let w = random.floats(outputs * inputs)
    var x = random.floats(2 * inputs)
    let factors = (0..<inputs).map { Float(sign: .plus, exponent: $0 % 7 - 3, significand: 1) }
    let rows = Int8Row.rows(w, width: inputs) { Int8Row(weights: $0) }
    let stored = unsafe WeightRows(outputs: outputs, dataType: .int8, scales: rows.flatMap(\.scales)) { range, destination in
      for (place, row) in range.enumerated() {
        unsafe (destination + place * inputs).copyMemory(from: rows[row].numbers, byteCount: inputs)
      }
    }
    let matrix = try PackedMatrix(inputs: inputs, sources: [stored], dataType: .int8, factors: factors)
    let found = try Self.product(x, matrix, rows: 2)
    for index in x.indices { x[index] *= factors[index % inputs] }
    let plain = try PackedMatrix(inputs: inputs, sources: [stored], dataType: .int8)
    #expect(try bits(found) == bits(Self.product(x, plain, rows: 2)))
  }

  @Test func storedBF16IsTakenOverBitForBit() throws {
    var random = Random(seed: 9)
    let (inputs, outputs) = (33, 70)
    let w = random.floats(outputs * inputs).map(Twin.bf16)
    let x = random.floats(5 * inputs)
    let stored = unsafe WeightRows(outputs: outputs, dataType: .bf16) { range, destination in
      let words = unsafe destination.assumingMemoryBound(to: UInt16.self)
      for i in 0..<range.count * inputs {
        unsafe words[i] = UInt16(w[range.lowerBound * inputs + i].bitPattern >> 16)
      }
    }
    for form in ProductForm.available where form.dataType == .bf16 {
      let matrix = try PackedMatrix(inputs: inputs, sources: [stored], dataType: .bf16, method: form.method)
      let rounded = try form.pack(w, inputs: inputs, outputs: outputs)
      #expect(try bits(Self.product(x, matrix, rows: 5)) == bits(Self.product(x, rounded, rows: 5)))
    }
  }
}
