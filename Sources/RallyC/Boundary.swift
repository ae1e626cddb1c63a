import CRally
import Rally

// Every pointer that a C program passes goes through one of these.

func isAligned<T>(_ pointer: UnsafePointer<T>) -> Bool {
  UInt(bitPattern: pointer) % UInt(MemoryLayout<T>.alignment) == 0
}
func isAligned<T>(_ pointer: UnsafeMutablePointer<T>) -> Bool {
  unsafe isAligned(UnsafePointer(pointer))
}

/// A pointer that must not be NULL.
/// - Throws: `invalidArgument`, naming the argument.
func required<T>(
  _ pointer: UnsafePointer<T>?, _ name: String
) throws(RallyError) -> UnsafePointer<T> {
  guard let pointer = try unsafe optional(pointer, name) else {
    throw RallyError(.invalidArgument, name, expected: "a pointer", found: "NULL")
  }
  return unsafe pointer
}

func required<T>(
  _ pointer: UnsafeMutablePointer<T>?, _ name: String
) throws(RallyError) -> UnsafeMutablePointer<T> {
  unsafe UnsafeMutablePointer(mutating: try required(UnsafePointer(pointer), name))
}

/// A pointer that may be NULL.
/// - Throws: `invalidArgument` when it is misaligned.
func optional<T>(
  _ pointer: UnsafePointer<T>?, _ name: String
) throws(RallyError) -> UnsafePointer<T>? {
  guard let pointer = unsafe pointer else { return nil }
  guard unsafe isAligned(pointer) else {
    throw RallyError(
      .invalidArgument, name, expected: "an address that is a multiple of \(MemoryLayout<T>.alignment)",
      found: "one that is not")
  }
  return unsafe pointer
}

func optional<T>(
  _ pointer: UnsafeMutablePointer<T>?, _ name: String
) throws(RallyError) -> UnsafeMutablePointer<T>? {
  unsafe try optional(UnsafePointer(pointer), name).map { unsafe UnsafeMutablePointer(mutating: $0) }
}

/// A number that must be finite.
func finite(_ value: Double, _ name: String) throws(RallyError) -> Double {
  guard value.isFinite else {
    throw RallyError(.invalidArgument, name, expected: "a finite number", found: "\(value)")
  }
  return value
}

/// A `size_t` that a Swift count can hold.
func natural(_ value: Int, _ name: String) throws(RallyError) -> Int {
  guard value >= 0 else {
    throw RallyError(.invalidArgument, name, expected: "a count", found: "\(UInt(bitPattern: value))")
  }
  return value
}

// MARK: Structs that begin with their size

/// A public struct of `rally.h` that a program passes.
protocol SizedStruct {
  var struct_size: Int { get set }
  /// Every field at its default.
  static var defaults: Self { get }
  static var structName: String { get }
}

extension SizedStruct {
  /// `*_init` of the header: defaults in as many bytes as the caller's struct has.
  static func initialize(_ pointer: UnsafeMutablePointer<Self>?, _ size: Int) {
    guard let pointer = unsafe pointer, unsafe isAligned(pointer) else { return }
    guard size >= MemoryLayout<Int>.size else { return }
    var value = defaults
    value.struct_size = size
    unsafe write(value, to: pointer, size: size)
  }

  /// The caller's struct, completed by the defaults of the fields that it does not have.
  /// - Throws: `invalidArgument` for a size that is none.
  static func read(_ pointer: UnsafePointer<Self>?, _ name: String) throws(RallyError) -> Self {
    var value = defaults
    guard let pointer = try unsafe optional(pointer, name) else { return value }
    let size = try unsafe checkedSize(pointer.pointee.struct_size)
    unsafe withUnsafeMutableBytes(of: &value) { bytes in
      unsafe bytes.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: size))
    }
    return value
  }

  /// Fills the caller's struct, as much of it as there is; its size stays.
  static func write(
    _ value: Self, to pointer: UnsafeMutablePointer<Self>?, _ name: String
  ) throws(RallyError) {
    let pointer = try unsafe required(pointer, name)
    let size = try unsafe checkedSize(pointer.pointee.struct_size)
    var value = value
    value.struct_size = size
    unsafe write(value, to: pointer, size: size)
  }

  private static func write(_ value: Self, to pointer: UnsafeMutablePointer<Self>, size: Int) {
    unsafe withUnsafeBytes(of: value) { bytes in
      let count = min(size, bytes.count)
      unsafe UnsafeMutableRawBufferPointer(start: pointer, count: count)
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
    }
  }

  private static func checkedSize(_ size: Int) throws(RallyError) -> Int {
    guard size >= MemoryLayout<Int>.size, size <= MemoryLayout<Self>.size else {
      throw RallyError(
        .invalidArgument, "\(structName).struct_size",
        expected: "at most \(MemoryLayout<Self>.size) bytes, the size in this library",
        found: "\(UInt(bitPattern: size))",
        remedy: "call \(structName)_init first; a program built for a newer header needs a newer library")
    }
    return size
  }
}

// MARK: Buffers

/// `count` values that the caller lends; NULL is an empty buffer.
/// - Throws: `invalidArgument` when it is misaligned, too long for this machine, or NULL with a count.
func buffer<T>(
  _ pointer: UnsafePointer<T>?, _ count: Int, _ name: String
) throws(RallyError) -> UnsafeBufferPointer<T> {
  guard count >= 0, !count.multipliedReportingOverflow(by: MemoryLayout<T>.stride).overflow else {
    throw RallyError(
      .invalidArgument, name, expected: "a count that fits this machine", found: "\(UInt(bitPattern: count))")
  }
  guard count > 0 else { return unsafe UnsafeBufferPointer(start: nil, count: 0) }
  return unsafe UnsafeBufferPointer(start: try required(pointer, name), count: count)
}

/// A copy of `count` values that the caller lends.
/// - Throws: as `buffer`, and `invalidArgument` for more values than any call takes, whose copy no memory would hold.
func copied<T>(_ pointer: UnsafePointer<T>?, _ count: Int, _ name: String) throws(RallyError) -> [T] {
  guard UInt(bitPattern: count) <= UInt(Int32.max) else {
    throw RallyError(
      .invalidArgument, name, expected: "at most \(Int32.max) values", found: "\(UInt(bitPattern: count))")
  }
  return try unsafe Array(buffer(pointer, count, name))
}

/// Copies values into the caller's buffer and sets the count; without a buffer only the count.
/// - Throws: `bufferTooSmall`, `invalidArgument`.
func give<Element>(
  _ values: [Element], to pointer: UnsafeMutablePointer<Element>?, _ capacity: Int, _ name: String,
  count: UnsafeMutablePointer<Int>?, _ countName: String
) throws(RallyError) {
  let count = try unsafe required(count, countName)
  if let pointer = try unsafe optional(pointer, name) {
    guard capacity >= values.count else {
      throw RallyError(
        .bufferTooSmall, name, expected: "a capacity of at least \(values.count)",
        found: "\(UInt(bitPattern: capacity))")
    }
    unsafe pointer.update(from: values, count: values.count)
  } else if capacity != 0 {
    throw RallyError(.invalidArgument, name, expected: "a buffer of \(UInt(bitPattern: capacity))", found: "NULL")
  }
  unsafe count.pointee = values.count
}
