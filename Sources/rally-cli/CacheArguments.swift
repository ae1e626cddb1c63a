public import ArgumentParser
public import Kernels
import Rally

extension CacheType: ExpressibleByArgument {}

/// What keys and values are kept as, in llama.cpp's words.
struct CacheArguments: ParsableArguments {
  @Option(
    name: [.customLong("ctk", withSingleDash: true), .customLong("cache-type-k")], help: "What keys are kept as.")
  var keys = CacheType.f32

  @Option(
    name: [.customLong("ctv", withSingleDash: true), .customLong("cache-type-v")],
    help: "What values are kept as: the same as keys.")
  var values = CacheType.f32

  var type: CacheType { keys }

  func validate() throws { try Self.require(keys, values) }

  static func require(_ keys: CacheType, _ values: CacheType) throws {
    guard keys != values else { return }
    throw ValidationError("-ctk, -ctv: expected one type for keys and values, found \(keys.rawValue) and \(values.rawValue)")
  }
}
