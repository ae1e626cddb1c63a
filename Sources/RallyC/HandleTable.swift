import CHost
import Files
import Rally

/// The objects behind the opaque pointers that C programs hold.
///
/// A handle is not an address but a slot number and the generation of the slot, so that a handle
/// that was closed, or never given out, is recognised. A slot remembers its process: after a fork
/// the child sees the parent's handles as foreign.
final class HandleTable<Object: AnyObject & Sendable>: Sendable {
  private struct Slot {
    var generation: UInt = 0
    var process: UInt64 = 0
    var object: Object?
  }
  private struct Slots: ~Copyable {
    var all: [Slot] = []
    var free: [Int] = []
  }

  private let noun: String
  /// Tells the handles of one table from those of another.
  private let tag: UInt
  private let slots = ForkSafe(Slots())

  /// - Parameters:
  ///   - noun: what the handle is called in messages.
  ///   - tag: below 16, its own for each table.
  init(_ noun: String, tag: UInt) {
    self.noun = noun
    self.tag = tag
  }

  /// - Throws: `limitExceeded` when a million handles are open.
  func insert(_ object: Object) throws(RallyError) -> OpaquePointer? {
    let handle = unsafe slots.withLock { slots -> OpaquePointer? in
      let index = slots.free.popLast() ?? slots.all.count
      guard index < 1 << Self.indexBitCount else { return nil }
      if index == slots.all.count { slots.all.append(Slot()) }
      slots.all[index].generation += 1
      slots.all[index].process = rh_process()
      slots.all[index].object = object
      return unsafe OpaquePointer(bitPattern: bits(index, slots.all[index].generation))
    }
    guard let handle = unsafe handle else {
      throw RallyError(
        .limitExceeded, noun, expected: "at most \(1 << Self.indexBitCount) open handles", found: "more",
        remedy: "close some")
    }
    return unsafe handle
  }

  /// - Throws: `invalidArgument` for NULL, `closed`, `forked`.
  func object(_ handle: OpaquePointer?) throws(RallyError) -> Object {
    guard let handle = unsafe handle else {
      throw RallyError(.invalidArgument, noun, expected: "a handle", found: "NULL")
    }
    let bits = UInt(bitPattern: handle)
    let found = slots.withLock { slots -> Slot? in
      let index = Self.index(bits)
      guard index < slots.all.count, self.bits(index, slots.all[index].generation) == bits else { return nil }
      return slots.all[index]
    }
    guard let found, let object = found.object else {
      throw RallyError(
        .closed, noun, expected: "an open handle", found: "one that was closed", remedy: "open it again")
    }
    guard found.process == rh_process() else {
      throw RallyError(
        .forked, noun, expected: "a handle of this process", found: "one of its parent, from before fork()",
        remedy: "open it again in the child")
    }
    return object
  }

  /// Takes the object out; nil for NULL, a closed handle or a parent's.
  func remove(_ handle: OpaquePointer?) -> Object? {
    guard let handle = unsafe handle else { return nil }
    let bits = UInt(bitPattern: handle)
    return slots.withLock { slots in
      let index = Self.index(bits)
      guard index < slots.all.count, self.bits(index, slots.all[index].generation) == bits,
        slots.all[index].process == rh_process(), let object = slots.all[index].object
      else { return nil }
      slots.all[index].object = nil
      slots.free.append(index)
      return object
    }
  }

  // Generation, slot and tag share a word. Generations begin at 1: no handle is NULL.
  private static var indexBitCount: UInt { 20 }
  private func bits(_ index: Int, _ generation: UInt) -> UInt {
    (generation << Self.indexBitCount | UInt(index)) << 4 | tag
  }
  private static func index(_ bits: UInt) -> Int { Int(bits >> 4 & (1 << indexBitCount - 1)) }
}
