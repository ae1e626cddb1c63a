import JSON

/// Writes compared rows as they come: columns of fixed width, or lines of JSON.
struct ExposurePrinter {
  let output: StandardOutput
  let isJSON: Bool
  let alpha: Double

  func begin() throws(CommandFailure) {
    guard !isJSON else { return }
    try output.line(output.style.bold(line(["row", "tokens", "jeffreys", "per token", "log ratio", "log E"])))
  }

  func write(_ rows: [ExposedRow]) throws(CommandFailure) {
    for row in rows {
      if isJSON {
        try write([
          ("row", .integer(row.index)), ("tokens", .integer(row.tokenCount)), ("jeffreys", .number(row.divergence)),
          ("log_ratio", .number(row.logRatio)), ("log_e", .number(row.logE)),
        ])
      } else {
        let share = row.divergence / Double(max(row.tokenCount, 1))
        let numbers = [row.divergence, share, row.logRatio, row.logE].map { decimal($0, 4) }
        try output.line(line(["\(row.index)", "\(row.tokenCount)"] + numbers))
      }
    }
  }

  func end(_ meter: ExposureMeter) throws(CommandFailure) {
    let evidence = meter.evidence
    let isRejected = evidence.rejects(at: alpha)
    guard !isJSON else {
      return try write([
        ("rows", .integer(evidence.count)), ("tokens", .integer(meter.tokenCount)),
        ("jeffreys", .number(meter.divergence)),
        ("log_e", .number(evidence.logarithm)), ("largest_log_e", .number(evidence.largest)),
        ("alpha", .number(alpha)), ("rejected", .bool(isRejected)),
      ])
    }
    let share = decimal(meter.divergence / Double(max(meter.tokenCount, 1)), 4)
    try output.line(
      "\(output.style.bold("all"))  \(counted(evidence.count, "row")), \(short(meter.tokenCount)) tokens, "
        + "jeffreys \(share) per token, log E \(decimal(evidence.logarithm, 2)), largest \(decimal(evidence.largest, 2))")
    try output.line(
      "\(output.style.bold("verdict"))  that the base wrote these rows is \(isRejected ? "" : "not ")rejected at "
        + "\(setting(alpha))")
  }

  private func write(_ members: [(key: String, value: JSONValue)]) throws(CommandFailure) {
    try output.write(JSONValue.object(members).text + [0x0A])
  }

  private func line(_ cells: [String]) -> String {
    cells.enumerated().map { $1.padded(to: $0 < 2 ? 7 : 12, .right) }.joined(separator: " ")
  }
}
