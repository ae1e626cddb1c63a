import Kernels
import Tensors
import Testing

@Suite struct RowOperationTests {
  /// Rows that an operation reads and writes: x [rows, width] in every other half row, source and summand without gaps.
  final class Data {
    static let width = 64
    let rowCount: Int
    var x: [Float], source: [Float], summand: [Float], weight: [Float], bias: [Float]

    init(rowCount: Int) {
      self.rowCount = rowCount
      var random = Random(seed: 21)
      x = random.floats(rowCount * 2 * Self.width, scale: 3)
      source = random.floats(rowCount * Self.width)
      summand = random.floats(rowCount * Self.width)
      (weight, bias) = (random.floats(Self.width), random.floats(Self.width))
    }

    /// `body` with x and the operation of this name.
    func with(_ name: String, _ body: (FloatRows, RowOperation) throws -> Void) rethrows {
      let (rowCount, width) = (rowCount, Self.width)
      try unsafe x.withUnsafeMutableBufferPointer { x in
        try unsafe source.withUnsafeMutableBufferPointer { source in
          try unsafe summand.withUnsafeMutableBufferPointer { summand in
            guard let x = x.baseAddress, let source = source.baseAddress, let summand = summand.baseAddress else { return }
            let rows = unsafe FloatRows(base: x, rowCount: rowCount, width: width, stride: 2 * width)
            let own = unsafe FloatRows(base: source, rowCount: rowCount, width: width, stride: width)
            let added = unsafe FloatRows(base: summand, rowCount: rowCount, width: width, stride: width)
            let rms = unsafe Norm.Parameters.rms(weight: weight, epsilon: 1e-5)
            let layer = unsafe Norm.Parameters.layer(weight: weight, bias: bias, epsilon: 1e-5)
            switch name {
            case "activate": try body(rows, .activate(.gelu))
            case "gate": try body(rows, .gate(.gelu))
            case "rms": try body(rows, .normalize(rms, source: own))
            case "sum": try body(rows, .normalize(layer, source: own, summand: added))
            default: try body(own, .normalize(layer, source: own, summand: added))
            }
          }
        }
      }
    }
  }

  static let names = ["activate", "gate", "rms", "sum", "in place"]

  /// The same bits of every buffer and product as the operation on all rows, and then the product.
  @Test(arguments: ProductForm.available, names)
  func productsDoItOnTheWay(form: ProductForm, name: String) throws {
    var random = Random(seed: 22)
    let matrix = try form.pack(random.floats(Data.width * 40), inputs: Data.width, outputs: 40)
    guard matrix.convertsRows else { return }
    for (rowCount, threads) in [(1, 1), (9, 2), (70, 1), (1030, 3)] {
      let (plain, fused) = (Data(rowCount: rowCount), Data(rowCount: rowCount))
      let matmul = try MatMul(pool: WorkerPool(threadCount: threads))
      var expected = [Float](repeating: .nan, count: rowCount * 40), found = expected
      try plain.with(name) { x, operation in
        operation.apply(to: x, rows: 0..<rowCount)
        try unsafe matmul.multiply(x.base, stride: x.stride, rows: rowCount, by: matrix, into: &expected, stride: 40)
      }
      try fused.with(name) { x, operation in
        try unsafe found.withUnsafeMutableBufferPointer { found in
          guard let base = found.baseAddress else { return }
          let y = unsafe FloatRows(base: base, rowCount: rowCount, width: 40, stride: 40)
          try unsafe matmul.multiply(x, after: operation, by: matrix, outputs: nil, bias: nil, into: y)
        }
      }
      #expect(bits(found) == bits(expected), "\(rowCount) rows")
      #expect(bits(fused.x) == bits(plain.x) && bits(fused.source) == bits(plain.source))
    }
  }

  /// Part after part, and an operation on some rows alone, give what all rows give.
  @Test(arguments: names)
  func partsMakeTheWhole(name: String) {
    let (whole, parts) = (Data(rowCount: 20), Data(rowCount: 20))
    whole.with(name) { x, operation in operation.apply(to: x, rows: 0..<20) }
    parts.with(name) { x, operation in
      operation.apply(to: x, rows: 0..<3)
      operation.rows(3..<20).apply(to: x.rows(3..<20), rows: 0..<17)
    }
    #expect(bits(parts.x) == bits(whole.x) && bits(parts.source) == bits(whole.source))
    #expect(bits(whole.x) != bits(Data(rowCount: 20).x) || name == "in place")
  }

  /// Against the functions that it is made of.
  @Test func sumAndNormAreTheirFunctions() {
    let (found, plain) = (Data(rowCount: 5), Data(rowCount: 5))
    found.with("sum") { x, operation in operation.apply(to: x, rows: 0..<5) }
    unsafe Rows.add(plain.summand, to: &plain.source, count: 5 * Data.width)
    unsafe Norm.layer(
      plain.source, stride: Data.width, weight: plain.weight, bias: plain.bias, epsilon: 1e-5, into: &plain.x,
      stride: 2 * Data.width, rows: 5, width: Data.width)
    #expect(bits(found.source) == bits(plain.source) && bits(found.x) == bits(plain.x))
  }
}
