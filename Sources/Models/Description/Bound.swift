/// The greatest sizes that a file may ask for.
///
/// Far beyond any model of these kinds, and small enough that everything computed from them fits
/// into 63 bits: parameters are below (4 · 2²² + 3 · 2²²) · 2²⁰ · 2¹⁶ < 2⁶¹.
enum Bound {
  /// Token ids are 32-bit.
  static let vocabulary = Int(Int32.max)
  static let tokens = Int(Int32.max)
  /// D
  static let width = 1 << 20
  /// H · K, and so G · K.
  static let heads = 1 << 22
  /// F
  static let feedForward = 1 << 22
  /// Rows of half a table of distances.
  static let distances = 1 << 20
  /// Outputs of a rater.
  static let labels = 1 << 16
  /// Unrolled layers, and so each of their factors.
  static let layers = 1 << 16
  /// R: depths are kept in a byte.
  static let recursions = 255
}
