import JSON

/// One line to be scored.
struct Document {
  var object: JSONObject
  var tokens: [Int32]
  /// Names it where it is decided on by its name; any bytes.
  var id: [UInt8] = []
  /// Whether its score came with it.
  var isScored = false
  /// What is written after the scores.
  var additions: [(key: String, value: JSONValue)] = []
  /// By each rater, in their order; nil by one whose outputs make no score.
  var scores: [Float?] = []
  /// What raters say besides.
  var details: [(key: String, value: JSONValue)] = []
  /// Of the first rater.
  var windowCount = 0

  init(object: JSONObject, tokens: [Int32]) {
    self.object = object
    self.tokens = tokens
  }

  /// By the first rater.
  var score: Float { (scores.first ?? nil) ?? .nan }

  /// The line with its scores.
  /// - Parameter fields: one name per rater.
  func json(fields: [String]) -> JSONValue {
    var object = object
    if !isScored {
      for case (let field, let score?) in zip(fields, scores) { object.set(field, .float(score)) }
      for (key, value) in details { object.set(key, value) }
      object.set("token_count", .integer(tokens.count))
      object.set("windows", .integer(windowCount))
    }
    for (key, value) in additions { object.set(key, value) }
    return .object(object.members)
  }

  /// A few words to recognise it by: its "id", if it has one, and the beginning of its text.
  func label(width: Int) -> String {
    let parts = ["id", "text"].compactMap { key -> String? in
      guard let bytes = object[key] else { return nil }
      var scanner = JSONScanner(Array(bytes))
      return String(decoding: (try? scanner.string()) ?? Array(bytes), as: UTF8.self)
    }
    return parts.joined(separator: "  ").clipped(to: width)
  }
}
