public import CRally
import Curation
import Rally

@c @implementation
public func rally_distribution_open(
  _ label: UnsafePointer<CChar>?, _ capacity: Int, _ distribution: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let capacity = try natural(capacity, "capacity")
    let made = try unsafe Distribution(
      label: label == nil ? "" : text(label, "label"),
      capacity: capacity == 0 ? Distribution.defaultCapacity : capacity)
    try unsafe give(made, to: distribution)
  }
}

@c @implementation
public func rally_distribution_add(
  _ distribution: OpaquePointer?, _ scores: UnsafePointer<Float>?, _ count: Int,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let handle = try unsafe DistributionHandle.table.object(distribution)
    let scores = try unsafe copied(scores, count, "scores")
    try handle.change { (distribution) throws(RallyError) in try distribution.add(scores) }
  }
}

@c @implementation
public func rally_distribution_merge(
  _ distribution: OpaquePointer?, _ other: OpaquePointer?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let handle = try unsafe DistributionHandle.table.object(distribution)
    let other = try unsafe DistributionHandle.table.object(other).distribution
    try handle.change { (distribution) throws(RallyError) in try distribution.merge(other) }
  }
}

@c @implementation
public func rally_distribution_cdf(
  _ distribution: OpaquePointer?, _ scores: UnsafePointer<Float>?, _ count: Int,
  _ quantiles: UnsafeMutablePointer<Double>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let ranks = try unsafe DistributionHandle.table.object(distribution).ranks()
    try unsafe fill(quantiles, "quantiles", with: ranks.cdf(copied(scores, count, "scores")))
  }
}

@c @implementation
public func rally_distribution_quantile(
  _ distribution: OpaquePointer?, _ quantiles: UnsafePointer<Double>?, _ count: Int,
  _ scores: UnsafeMutablePointer<Float>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let ranks = try unsafe DistributionHandle.table.object(distribution).ranks()
    try unsafe fill(scores, "scores", with: ranks.quantiles(copied(quantiles, count, "quantiles")))
  }
}

@c @implementation
public func rally_distribution_get_info(
  _ distribution: OpaquePointer?, _ info: UnsafeMutablePointer<rally_distribution_info>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let handle = try unsafe DistributionHandle.table.object(distribution)
    let distribution = handle.distribution
    var value = unsafe rally_distribution_info.defaults
    unsafe value.label = handle.label.pointer
    unsafe value.capacity = distribution.capacity
    unsafe value.count = UInt64(distribution.count)
    unsafe value.minimum = distribution.minimum
    unsafe value.maximum = distribution.maximum
    unsafe value.rank_error = distribution.rankError
    try unsafe rally_distribution_info.write(value, to: info, "info")
  }
}

@c @implementation
public func rally_distribution_save(
  _ distribution: OpaquePointer?, _ data: UnsafeMutableRawPointer?, _ capacity: Int,
  _ size: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let bytes = try unsafe DistributionHandle.table.object(distribution).distribution.bytes()
    let data = unsafe data?.assumingMemoryBound(to: UInt8.self)
    try unsafe give(bytes, to: data, capacity, "data", count: size, "size")
  }
}

@c @implementation
public func rally_distribution_load(
  _ data: UnsafeRawPointer?, _ size: Int, _ distribution: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let bytes = try unsafe copied(data?.assumingMemoryBound(to: UInt8.self), size, "data")
    try unsafe give(Distribution(bytes: bytes), to: distribution)
  }
}

@c @implementation
public func rally_distribution_close(_ distribution: OpaquePointer?) {
  closing { _ = unsafe DistributionHandle.table.remove(distribution) }
}

private func give(
  _ made: Distribution, to distribution: UnsafeMutablePointer<OpaquePointer?>?
) throws(RallyError) {
  let result = try unsafe required(distribution, "distribution")
  unsafe result.pointee = try DistributionHandle.table.insert(DistributionHandle(made))
}
