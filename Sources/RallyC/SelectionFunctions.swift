public import CRally
import Curation
import Rally

@c @implementation
public func rally_draw_count(
  _ keep: Int, _ discard: Double, _ count: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let result = try unsafe required(count, "count")
    unsafe result.pointee = try BatchFilter.drawCount(keeping: natural(keep, "keep"), discarding: discard)
  }
}

@c @implementation
public func rally_select_top(
  _ scores: UnsafePointer<Float>?, _ count: Int, _ keep: Int, _ indices: UnsafeMutablePointer<Int>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let kept = try unsafe BatchFilter.top(copied(scores, count, "scores"), keeping: natural(keep, "keep"))
    try unsafe fill(indices, "indices", with: kept)
  }
}

@c @implementation
public func rally_softmax_weights(
  _ scores: UnsafePointer<Float>?, _ count: Int, _ weights: UnsafeMutablePointer<Float>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    try unsafe fill(weights, "weights", with: BatchFilter.softmaxWeights(copied(scores, count, "scores")))
  }
}

@c @implementation
public func rally_acceptance(
  _ quantiles: UnsafePointer<Double>?, _ count: Int, _ batch: Int, _ keep: Int,
  _ probabilities: UnsafeMutablePointer<Double>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let found = try unsafe Acceptance.probabilities(
      copied(quantiles, count, "quantiles"), batch: natural(batch, "batch"), keeping: natural(keep, "keep"))
    try unsafe fill(probabilities, "probabilities", with: found)
  }
}

@c @implementation
public func rally_decide(
  _ ids: UnsafePointer<CChar>?, _ idOffsets: UnsafePointer<Int>?, _ probabilities: UnsafePointer<Double>?, _ count: Int,
  _ fingerprint: UnsafePointer<CChar>?, _ seed: UInt64, _ keeps: UnsafeMutablePointer<UInt8>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let probabilities = try unsafe copied(probabilities, count, "probabilities")
    let decisions = try unsafe Acceptance.decide(
      ids: slices(ids, idOffsets, count), probabilities: probabilities, fingerprint: text(fingerprint, "fingerprint"),
      seed: seed)
    try unsafe fill(keeps, "keeps", with: decisions.map { $0 ? 1 : 0 })
  }
}

@c @implementation
public func rally_rating_cost(
  _ raterParameters: Double, _ modelParameters: Double, _ discard: Double, _ cost: UnsafeMutablePointer<Double>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let result = try unsafe required(cost, "cost")
    unsafe result.pointee = try BatchFilter.ratingCost(
      raterParameters: raterParameters, modelParameters: modelParameters, discarding: discard)
  }
}

/// The pieces of `bytes` between neighbouring offsets.
/// - Throws: `invalidArgument` for offsets that do not ascend from 0.
private func slices(
  _ bytes: UnsafePointer<CChar>?, _ offsets: UnsafePointer<Int>?, _ count: Int
) throws(RallyError) -> [ArraySlice<UInt8>] {
  guard count > 0 else { return [] }
  let places = try unsafe copied(required(offsets, "id_offsets"), count + 1, "id_offsets")
  guard places[0] == 0, zip(places, places.dropFirst()).allSatisfy({ $0 <= $1 }) else {
    throw RallyError(.invalidArgument, "id_offsets", expected: "numbers that ascend from 0", found: "others")
  }
  let all = try unsafe buffer(bytes, places[count], "ids").map { UInt8(bitPattern: $0) }
  return zip(places, places.dropFirst()).map { all[$0..<$1] }
}

/// Copies values to where the caller wants them; NULL only where there are none.
func fill<Element>(
  _ pointer: UnsafeMutablePointer<Element>?, _ name: String, with values: [Element]
) throws(RallyError) {
  guard !values.isEmpty else { return }
  try unsafe required(pointer, name).update(from: values, count: values.count)
}
