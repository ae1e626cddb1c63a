import Curation
import Files
import JSON
import Rally

/// What a rater reads of a line that has more than a text: `{url}\n\n{text}`, where `{text}` is the text and `{{` a brace.
struct TextTemplate {
  let text: String
  /// What stands before each member, and at the end; `nil` there.
  private var parts: [(before: String, member: String?)] = []

  /// The text alone; no template is needed for it.
  static let plain = "{text}"

  /// The one that is asked for, or that of the rater's file; nil for the text alone.
  static func of(_ model: Model, asked: String?) throws(CommandFailure) -> TextTemplate? {
    guard let text = asked ?? fileText(of: model), text != plain else { return nil }
    do throws(LineError) { return try TextTemplate(text) } catch {
      let place = asked == nil ? "'\(model.info.name)': rally.text_template" : "--template"
      throw CommandFailure(asked == nil ? .model : .arguments, "\(place): \(error.message)")
    }
  }

  static func fileText(of model: Model) -> String? { model.metadata.last { $0.key == "rally.text_template" }?.value }

  /// - Throws: why it is no template.
  init(_ text: String) throws(LineError) {
    self.text = text
    var before = ""
    var rest = text.unicodeScalars[...]
    while let scalar = rest.popFirst() {
      guard scalar == "{" || scalar == "}" else {
        before.unicodeScalars.append(scalar)
        continue
      }
      if rest.first == scalar {
        before.unicodeScalars.append(rest.removeFirst())
        continue
      }
      guard scalar == "{", let end = rest.firstIndex(of: "}"), end > rest.startIndex,
        !rest[..<end].contains(where: { ["{", ":", "!"].contains($0) })
      else {
        let shown = text.clipped(to: 60)
        throw LineError(message: "expected a text with members such as {url}\\n\\n{text}, found '\(shown)'; {{ is a brace")
      }
      parts.append((before, String(rest[..<end])))
      (before, rest) = ("", rest[rest.index(after: end)...])
    }
    parts.append((before, nil))
    guard parts.contains(where: { $0.member == "text" }) else {
      throw LineError(message: "expected a text with {text}, found '\(text.clipped(to: 60))'")
    }
  }

  /// The text that is read, in UTF-8.
  /// - Throws: where the line has no such member.
  func filled(_ text: [UInt8], _ object: JSONObject) throws(LineError) -> [UInt8] {
    var result: [UInt8] = []
    for (before, member) in parts {
      result += Array(before.utf8)
      guard let member else { continue }
      result += try member == "text" ? text : Self.value(of: member, in: object)
    }
    return result
  }

  /// A text's own bytes, others as they were written.
  private static func value(of member: String, in object: JSONObject) throws(LineError) -> [UInt8] {
    guard let value = find(member, in: object), !["null", "NaN"].contains(where: { value.elementsEqual($0.utf8) }) else {
      throw LineError(message: "no \(member.clipped(to: 40)), which stands in the rater's text template")
    }
    guard value.first == UInt8(ascii: "\"") else { return Array(value) }
    var scanner = JSONScanner(Array(value))
    do throws(JSONError) { return try scanner.string(refusesHalves: true) } catch {
      throw LineError(message: "\"\(member.clipped(to: 40))\": \(error.message)")
    }
  }

  /// The member, or one of an object within: `metadata.url`, where there is none of that very name.
  private static func find(_ member: String, in object: JSONObject) -> ArraySlice<UInt8>? {
    if let value = object[member] { return value }
    guard let dot = member.firstIndex(of: "."), let outer = object[String(member[..<dot])],
      let inner = try? JSONObject(Array(outer))
    else { return nil }
    return find(String(member[member.index(after: dot)...]), in: inner)
  }

  /// The pair of a distribution's label that parts these scores from those of texts alone.
  func label(of model: Model) -> String {
    if text == Self.fileText(of: model) { return "template=file" }
    let digest = SHA256.digest(text.utf8).prefix(8).map { byte in
      (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    return "template=\(digest.joined())"
  }
}
