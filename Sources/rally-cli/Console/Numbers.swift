/// `value` with a fixed number of decimals, as `%.*f` writes it.
/// - Parameter places: 0…6.
func decimal(_ value: Double, _ places: Int) -> String {
  guard value.isFinite, abs(value) < 1e12 else { return "\(value)" }
  let scale = (0..<places).reduce(1.0) { product, _ in product * 10 }
  let units = Int((abs(value) * scale).rounded())
  let sign = value < 0 && units != 0 ? "-" : ""
  guard places > 0 else { return "\(sign)\(units)" }
  let divisor = Int(scale)
  let fraction = String(units % divisor)
  return "\(sign)\(units / divisor).\(String(repeating: "0", count: places - fraction.count))\(fraction)"
}

/// A setting as people write it: `0.1`, `10000`, `0.6667`, `1e-05`.
func setting(_ value: Double) -> String {
  if value == value.rounded(), abs(value) < 1e9 { return "\(Int(value))" }
  guard abs(value) >= 0.001, abs(value) < 1e6 else { return "\(value)" }
  var text = decimal(value, 4)
  while text.last == "0" { text.removeLast() }
  return text
}

/// Three digits that count, with a unit of thousands: `3.21 M`, `118 M`, `512`.
func short(_ count: Int) -> String {
  scaled(Double(count), units: ["", " k", " M", " G", " T"])
}

/// `12.9 MB`: decimal units.
func bytes(_ count: Int) -> String {
  scaled(Double(count), units: [" bytes", " kB", " MB", " GB", " TB"])
}

private func scaled(_ value: Double, units: [String]) -> String {
  var (rest, unit) = (value, 0)
  while rest >= 999.5 && unit + 1 < units.count { (rest, unit) = (rest / 1000, unit + 1) }
  guard unit > 0 else { return "\(Int(rest))\(units[0])" }
  return decimal(rest, rest < 9.995 ? 2 : rest < 99.95 ? 1 : 0) + units[unit]
}

/// `1 token`, `2 tokens`.
func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

/// Seconds as a clock shows them: `12:34`, `1:02:03`.
func duration(_ seconds: Double) -> String {
  guard seconds.isFinite, seconds < 1e9 else { return "?" }
  let whole = Int(seconds.rounded())
  let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60)
  let two = { (number: Int) in number < 10 ? "0\(number)" : "\(number)" }
  return hours > 0 ? "\(hours):\(two(minutes)):\(two(rest))" : "\(minutes):\(two(rest))"
}
