public import CRally
import Curation
import Rally

@c @implementation
public func rally_cascade_choose(
  _ cheap: UnsafePointer<Float>?, _ expensive: UnsafePointer<Float>?, _ count: Int, _ discard: Double, _ agreement: Double,
  _ confidence: Double, _ cascade: UnsafeMutablePointer<rally_cascade>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let found = try unsafe Cascade.choose(
      cheap: copied(cheap, count, "cheap"), expensive: copied(expensive, count, "expensive"), discard: discard,
      agreement: agreement, confidence: confidence)
    var value = rally_cascade.defaults
    (value.lower, value.upper, value.middle, value.spread) = (found.lower, found.upper, found.middle, found.spread)
    (value.agreement, value.observed, value.band) = (found.agreement, found.observed, found.bandShare)
    (value.discard, value.confidence, value.sample_count) = (discard, confidence, count)
    try unsafe rally_cascade.write(value, to: cascade, "cascade")
  }
}

@c @implementation
public func rally_cascade_scores(
  _ cascade: UnsafePointer<rally_cascade>?, _ cheap: UnsafePointer<Float>?, _ expensive: UnsafePointer<Float>?, _ count: Int,
  _ scores: UnsafeMutablePointer<Float>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let told = try unsafe rally_cascade.read(required(cascade, "cascade"), "cascade")
    let band = Cascade(lower: told.lower, upper: told.upper, middle: told.middle, spread: told.spread)
    let found = try unsafe band.scores(cheap: copied(cheap, count, "cheap"), expensive: copied(expensive, count, "expensive"))
    try unsafe fill(scores, "scores", with: found)
  }
}
