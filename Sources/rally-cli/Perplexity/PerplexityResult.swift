import Glibc
import JSON

struct PerplexityResult {
  let tokenCount: Int
  /// Mean −log p per token, in nats, and its standard error.
  let loss: Double
  let lossError: Double
  /// Of the text that the scored tokens stand for; NaN without bytes.
  let bitsPerByte: Double
  let byteCount: Int
  let depths: DepthHistogram

  var perplexity: Double { exp(loss) }
  /// To first order.
  var perplexityError: Double { perplexity * lossError }

  init(losses: [Double], byteCount: Int, depths: DepthHistogram) {
    let count = Double(losses.count)
    let mean = losses.reduce(0, +) / count
    let squares = losses.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    tokenCount = losses.count
    loss = mean
    // One token says nothing about the spread.
    lossError = losses.count > 1 ? (squares / (count - 1) / count).squareRoot() : .nan
    bitsPerByte = byteCount > 0 ? mean * count / log(2) / Double(byteCount) : .nan
    self.byteCount = byteCount
    self.depths = depths
  }

  func lines(_ windows: WindowPlan, _ style: Style) -> [String] {
    let rows = [
      ("perplexity", style.bold("\(decimal(perplexity, 4)) ± \(decimal(perplexityError, 4))")),
      ("nats per token", "\(decimal(loss, 4)) ± \(decimal(lossError, 4))"),
      ("bits per byte", decimal(bitsPerByte, 4)),
      ("tokens scored", "\(tokenCount), \(byteCount) bytes"),
      ("windows", "\(windows.windows.count) of \(windows.length), stride \(windows.stride)"),
      ("mean depth", decimal(depths.mean, 3)),
    ]
    return rows.map { "\(style.dim($0.0.padded(to: 14, .left)))  \($0.1)" } + [""] + depths.lines(style)
  }

  func json(_ windows: WindowPlan) -> JSONValue {
    .object([
      ("perplexity", .number(perplexity)), ("perplexity_error", .number(perplexityError)),
      ("nll", .number(loss)), ("nll_error", .number(lossError)), ("bits_per_byte", .number(bitsPerByte)),
      ("token_count", .integer(tokenCount)), ("byte_count", .integer(byteCount)),
      ("windows", .integer(windows.windows.count)), ("ctx_size", .integer(windows.length)),
      ("stride", .integer(windows.stride)), ("mean_depth", .number(depths.mean)), ("depths", depths.json),
    ])
  }
}
