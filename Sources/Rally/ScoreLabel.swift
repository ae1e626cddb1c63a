import Files

/// The label of a distribution: whose scores they are and how documents were read, as one line.
///
///     version=1 model=<fingerprint> measure=score reading=documents window=512 stride=256 max_windows=8 more=…
///
/// `max_windows` is there where there is a limit; a packed row is `reading=rows tokens=512`. Features that came later append pairs.
public struct ScoreLabel: Sendable, Equatable {
  public let fingerprint: String
  public let text: String
  /// The same as older versions and documents wrote it.
  private let olderTexts: [String]

  init(fingerprint: String, isPerplexity: Bool, reading: ScoreReading, contextLength: Int) {
    self.fingerprint = fingerprint
    let more = reading.more.isEmpty ? "" : " \(reading.more)"
    let measure = isPerplexity ? "perplexity" : "score"
    let beginning = "version=1 model=\(fingerprint) measure=\(measure)"
    let older = "\(fingerprint):\(isPerplexity ? "perplexity " : "")"
    if let count = reading.rowTokenCount {
      text = "\(beginning) reading=rows tokens=\(count)\(more)"
      olderTexts = more.isEmpty ? ["\(older)packed \(count)"] : []
      return
    }
    let window = reading.windowTokenCount ?? contextLength
    let stride = reading.stride ?? window
    let limit = reading.maximumWindowCount
    text = "\(beginning) reading=documents window=\(window) stride=\(stride)\(limit.map { " max_windows=\($0)" } ?? "")\(more)"
    let isPlain = window == contextLength && stride == window && limit == nil
    let long = "\(older)document window \(window) stride \(stride)\(limit.map { " max_windows \($0)" } ?? "")"
    olderTexts = !more.isEmpty ? [] : isPlain ? [long, "\(older)document"] : [long]
  }

  /// Whether a distribution with this label has such scores, also where an older version wrote it.
  public func accepts(_ label: String) -> Bool { label == text || olderTexts.contains(label) }

  /// The fingerprint that a label names, in pairs or, as older versions wrote it, before a colon.
  public static func fingerprint(in label: String) -> String {
    let pair = label.hasPrefix("version=") ? label.split(separator: " ").first { $0.hasPrefix("model=") } : nil
    return pair.map { String($0.dropFirst(6)) } ?? String(label.prefix { $0 != ":" })
  }
}
