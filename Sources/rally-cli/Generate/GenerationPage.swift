import Files
import Rally

/// Texts with the depths of their tokens as a page of its own: no script, nothing from elsewhere.
struct GenerationPage {
  private let transcripts: [Transcript]
  private let histogram: DepthHistogram
  private let name: String

  init(_ transcripts: [Transcript], _ histogram: DepthHistogram, name: String) {
    self.transcripts = transcripts
    self.histogram = histogram
    self.name = name
  }

  /// Writes the file, whole or not at all.
  func write(to path: String) throws(CommandFailure) {
    do throws(RallyError) {
      var file = try ReplacementFile(path: path)
      try file.write(Array(html.utf8))
      try file.commit()
    } catch { throw CommandFailure(error) }
  }

  private var html: String {
    let title = "Depths of \(escaped(name))"
    let texts = transcripts.enumerated().map { section($0.element, number: $0.offset + 1) }.joined()
    return """
      <!doctype html><html lang="en"><head><meta charset="utf-8">\
      <meta name="viewport" content="width=device-width, initial-scale=1"><title>\(title)</title><style>\(Self.style)</style></head>\
      <body><main><h1>\(title)</h1><p>\(summary)</p><p class="legend" aria-label="Colours">\(legend)</p>\(texts)\(table)</main></body></html>

      """
  }

  private var summary: String {
    guard histogram.tokenCount > 0 else { return "No token was computed." }
    return "\(counted(histogram.tokenCount, "token")), \(decimal(histogram.mean, 2)) recursions each on average, "
      + "\(histogram.greatestDepth) at most. A token of the prompt shows the recursions it ran, a generated one those it was predicted with."
  }

  private var legend: String {
    (1...max(histogram.greatestDepth, 1)).map { "<span class=\"\(shade(Int32($0)))\">depth \($0)</span>" }.joined(separator: " ")
  }

  // MARK: Texts

  private func section(_ transcript: Transcript, number: Int) -> String {
    let heading = transcripts.count > 1 ? "Text \(number)" : "Text"
    let pieces = transcript.promptPieces().map { token($0, isPrompt: true) } + transcript.allPieces.map { token($0, isPrompt: false) }
    return "<h2>\(heading)</h2><p class=\"text\">\(pieces.joined())</p>"
  }

  private func token(_ piece: Transcript.Piece, isPrompt: Bool) -> String {
    let depths = piece.depths.map(String.init).joined(separator: ", ")
    let kind = isPrompt ? "\(shade(piece.depths.max() ?? 0)) prompt" : shade(piece.depths.max() ?? 0)
    return "<span class=\"\(kind)\" title=\"depth \(depths)\">\(escaped(String(decoding: piece.text, as: UTF8.self)))</span>"
  }

  /// One of five colours, from the shallowest to the deepest; the first for no depth.
  private func shade(_ depth: Int32) -> String {
    guard depth > 0 else { return "d0" }
    let greatest = max(histogram.greatestDepth, 1)
    return "d\(greatest > 1 ? 1 + (min(Int(depth), greatest) - 1) * 4 / (greatest - 1) : 1)"
  }

  // MARK: Numbers

  private var table: String {
    let tokens = histogram.tokenCount
    let recursions = histogram.counts.enumerated().reduce(0) { $0 + $1.offset * $1.element }
    let rows = histogram.counts.enumerated().filter { $0.offset > 0 || $0.element > 0 }.map { depth, count in
      let share = Double(count) / Double(max(tokens, 1))
      let compute = Double(depth * count) / Double(max(recursions, 1))
      return
        "<tr><th scope=\"row\">\(depth)</th><td>\(count)</td><td>\(decimal(share * 100, 1)) %</td><td>\(bar(share, depth, "of the tokens"))</td>"
        + "<td>\(decimal(compute * 100, 1)) %</td><td>\(bar(compute, depth, "of the recursions"))</td></tr>"
    }
    return """
      <h2>Where compute went</h2><table><caption>Tokens by depth, and the recursions they took of all \(recursions).</caption><thead><tr>\
      <th scope="col">depth</th><th scope="col">tokens</th><th scope="col" colspan="2">of the tokens</th>\
      <th scope="col" colspan="2">of the recursions</th></tr></thead><tbody>\(rows.joined())</tbody></table>
      """
  }

  private func bar(_ share: Double, _ depth: Int, _ of: String) -> String {
    let label = "\(decimal(share * 100, 1)) % \(of) at depth \(depth)"
    return
      "<svg role=\"img\" aria-label=\"\(label)\" viewBox=\"0 0 100 12\" preserveAspectRatio=\"none\"><title>\(label)</title>"
      + "<rect class=\"\(shade(Int32(depth)))\" width=\"\(decimal(share * 100, 1))\" height=\"12\"/></svg>"
  }

  private func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\n", "\t": result.unicodeScalars.append(scalar)
      default: result.unicodeScalars.append(scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) ? " " : scalar)
      }
    }
    return result
  }

  /// Every text at least 4.5 : 1 on its colour, in light and dark.
  private static let style = """
    :root { color-scheme: light dark; --back: #fff; --text: #1d2125; --quiet: #555b61; --line: #d5d9de; --0: #eceef0; --1: #dbe8fb;
      --2: #c9efe9; --3: #f6efb5; --4: #fbd9b0; --5: #f9bcb2 }
    @media (prefers-color-scheme: dark) { :root { --back: #16181c; --text: #f0f2f4; --quiet: #a9b0b8; --line: #3a4048; --0: #2a2e34;
      --1: #1f3d66; --2: #17504a; --3: #5a5110; --4: #6b4312; --5: #74291f } }
    * { box-sizing: border-box }
    body { font: 16px/1.6 system-ui, sans-serif; background: var(--back); color: var(--text); max-width: 52rem; margin: 0 auto;
      padding: 1rem; overflow-wrap: anywhere }
    h1 { font-size: 1.4rem } h2 { font-size: 1.15rem; margin-top: 2rem } p, caption { color: var(--quiet) }
    .text { white-space: pre-wrap; color: var(--text); line-height: 2 } .legend span, .text span { color: var(--text); padding: .15em 0 }
    .legend span { padding: .15em .5em; border-radius: .3em; white-space: nowrap } .prompt { font-weight: 600 }
    .d0 { background: var(--0); fill: var(--0) } .d1 { background: var(--1); fill: var(--1) } .d2 { background: var(--2); fill: var(--2) }
    .d3 { background: var(--3); fill: var(--3) } .d4 { background: var(--4); fill: var(--4) } .d5 { background: var(--5); fill: var(--5) }
    table { border-collapse: collapse; width: 100% } caption { text-align: left }
    th, td { text-align: right; padding: .3rem .4rem; border-bottom: 1px solid var(--line); font-weight: 400;
      font-variant-numeric: tabular-nums; white-space: nowrap }
    th { color: var(--quiet); overflow-wrap: normal } svg { width: 100%; min-width: 2rem; height: .8rem; display: block }
    @media (max-width: 30rem) { svg { min-width: .8rem } th, td { padding: .3rem .3rem } thead th { white-space: normal } }
    """
}
