import Kernels
import Models

/// A matrix [rows, columns] f32, row-major, whose rows are hidden units.
@safe
public struct UnitRows {
  public let name: String
  /// Matrices with the same one have the same hidden units; nil: its own.
  public let setName: String?
  @unsafe public let data: UnsafeBufferPointer<Float>
  public let rowCount: Int
  public let columnCount: Int

  /// - Parameters:
  ///   - name: the same for the partner in the other model.
  ///   - setName: the same for matrices with the same hidden units; nil: it has its own.
  ///   - data: rowCount · columnCount numbers, read until the comparison has ended.
  ///   - rowCount: hidden units.
  ///   - columnCount: numbers of each.
  @unsafe
  public init(name: String, setName: String?, data: UnsafeBufferPointer<Float>, rowCount: Int, columnCount: Int) {
    (self.name, self.setName, self.rowCount, self.columnCount) = (name, setName, rowCount, columnCount)
    unsafe self.data = data
  }
}
