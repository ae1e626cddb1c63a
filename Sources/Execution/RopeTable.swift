import Files
import Kernels
package import Models
import Tensors

/// The rotations of the positions below `positionCount`, as an object that a pass can exchange for a
/// longer one. A context of a million tokens costs nothing until something uses it.
package final class RopeTable: Sendable {
  private let rope: Rope

  var positionCount: Int { rope.positionCount }

  /// Cosines and sines of so many positions, of each kind of layer.
  package static func byteCount(_ description: ModelDescription, positionCount: Int) -> Int {
    guard case .rope(let tables) = description.positions else { return 0 }
    return tables.count * positionCount * description.headWidth * MemoryLayout<Float>.stride
  }

  /// - Throws: `outOfMemory`.
  init(positionCount: Int, headWidth: Int, theta: Float) throws(RallyError) {
    rope = try Rope(positionCount: positionCount, headWidth: headWidth, theta: theta)
  }

  /// - Parameters:
  ///   - frequencies: ω [K/2].
  ///   - factor: of cosines and sines.
  /// - Throws: `outOfMemory`.
  init(positionCount: Int, frequencies: FloatStorage, factor: Float) throws(RallyError) {
    rope = try Rope(positionCount: positionCount, frequencies: frequencies, factor: factor)
  }

  /// Turns `heads` heads of each row by the row's position.
  func rotate(_ x: FloatRows, positions: UnsafePointer<Int32>, heads: Int) {
    unsafe rope.rotate(
      x.base, stride: x.stride, positions: positions, rows: x.rowCount, heads: heads)
  }
}
