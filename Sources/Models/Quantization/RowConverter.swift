import Files
import Kernels
import Tensors

/// Turns rows of a matrix into another element type, and measures what that costs.
struct RowConverter: ~Copyable {
  /// The stored bytes of the rows that were converted last.
  private(set) var bytes: [UInt8] = []
  /// [rows of the matrix, groups], with int8 and q4.
  private(set) var scales: [Float] = []
  /// Of each row that was converted last; 0 for rows of zeros.
  private(set) var errors: [Double] = []

  /// Of the matrix at hand: f32, bf16, int8 or q4, what its columns are divided by before they are stored, and how they are
  /// rounded.
  private var dataType = DataType.f32
  private var balance: [Float] = []
  private var rounding: CalibratedRounding?

  /// Begins another matrix.
  mutating func start(_ dataType: DataType, balance: [Float], rounding: CalibratedRounding?) {
    scales.removeAll(keepingCapacity: true)
    self.dataType = dataType
    self.balance = balance
    self.rounding = rounding
  }

  mutating func convert(_ rows: Range<Int>, of entry: TensorEntry) throws(RallyError) {
    let width = entry.rowWidth
    let old = try FloatStorage(count: rows.count * width)
    let new = try FloatStorage(count: width)
    unsafe entry.copyFloats(rows: rows, into: old.base)
    bytes = [UInt8](repeating: 0, count: dataType.byteCount(of: rows.count * width))
    errors.removeAll(keepingCapacity: true)
    for row in 0..<rows.count {
      let values = unsafe old.base + row * width
      unsafe store(values, width: width, at: dataType.byteCount(of: row * width), widened: new.base)
      unsafe errors.append(Self.error(of: new.base, against: values, count: width))
    }
  }

  /// - Parameters:
  ///   - values: [width]; divided by the balance.
  ///   - widened: [width], what the stored row stands for, divided by the balance.
  @unsafe
  private mutating func store(
    _ values: UnsafeMutablePointer<Float>, width: Int, at offset: Int, widened: UnsafeMutablePointer<Float>
  ) {
    let (dataType, balance, rounding) = (dataType, balance, rounding)
    let groupCount = PackedMatrix.groupCount(inputs: width)
    var own = [Float](repeating: 1, count: dataType.hasScales ? groupCount : 0)
    unsafe bytes.withUnsafeMutableBytes { buffer in
      guard let base = unsafe buffer.baseAddress.map({ unsafe $0 + offset }) else { return }
      switch dataType {
      case .int8:
        let target = unsafe base.assumingMemoryBound(to: Int8.self)
        for index in balance.indices { unsafe values[index] /= balance[index] }
        if let rounding {
          unsafe widened.update(from: values, count: width)
          unsafe rounding.round(widened, to: target, scales: &own)
        } else {
          unsafe Conversion.f32(values, toInt8: target, scales: &own, groupCount: groupCount, count: width)
        }
        for index in 0..<width { unsafe widened[index] = Float(target[index]) * own[index / (width / groupCount)] }
      case .q4:
        let target = unsafe base.assumingMemoryBound(to: UInt8.self)
        for index in balance.indices { unsafe values[index] /= balance[index] }
        if let rounding {
          unsafe widened.update(from: values, count: width)
          unsafe withUnsafeTemporaryAllocation(of: Int8.self, capacity: width) { numbers in
            guard let numbers = numbers.baseAddress else { return }
            unsafe rounding.round(widened, to: numbers, scales: &own)
            unsafe Conversion.int8(numbers, toQ4: target, count: width)
          }
        } else {
          unsafe Conversion.f32(values, toQ4: target, scales: &own, count: width)
        }
        unsafe Conversion.q4(target, scales: own, to: widened, count: width)
      case .bf16:
        let target = unsafe base.assumingMemoryBound(to: UInt16.self)
        unsafe Conversion.f32(values, toBF16: target, count: width)
        unsafe Conversion.bf16(target, to: widened, count: width)
      default:
        unsafe base.copyMemory(from: values, byteCount: width * 4)
        unsafe widened.update(from: values, count: width)
      }
    }
    scales += own
  }

  /// ‖new − old‖ / ‖old‖; 0 for a row of zeros.
  @unsafe
  private static func error(
    of new: UnsafeMutablePointer<Float>, against old: UnsafeMutablePointer<Float>, count: Int
  ) -> Double {
    // Four sums each, so that a sum need not wait for the one before.
    var (difference, magnitude) = (SIMD4<Double>.zero, SIMD4<Double>.zero)
    for start in stride(from: 0, to: count, by: 4) {
      var (value, stored) = (SIMD4<Double>.zero, SIMD4<Double>.zero)
      for lane in 0..<min(4, count - start) {
        unsafe (value[lane], stored[lane]) = (Double(old[start + lane]), Double(new[start + lane]))
      }
      difference += (stored - value) * (stored - value)
      magnitude += value * value
    }
    let norm = magnitude.sum()
    return norm > 0 ? (difference.sum() / norm).squareRoot() : 0
  }
}
