import JSON
import Rally

/// What is wrong with a line.
struct LineError: Error {
  var message: String
}

/// Where a line of JSON has what is scored.
struct ContentMembers {
  var text = "text"
  var tokens = "tokens"
}

/// Makes a document of a line.
struct DocumentParser {
  /// nil: lines have their scores already.
  let model: Model?
  /// How a rater reads texts; nil where no rater does.
  let reading: DocumentOptions?
  /// The members with the text, and with the ids.
  var members = ContentMembers()
  /// What is read besides the text; nil: nothing.
  var template: TextTemplate?

  /// A line of plain text.
  func plain(_ line: [UInt8]) throws(LineError) -> Document {
    guard let string = String(validating: line, as: UTF8.self) else {
      throw LineError(message: "expected UTF-8, found other bytes")
    }
    let object = JSONObject(key: "text", value: JSONValue.string(string))
    return try document(object, tokens: encode(line, object))
  }

  /// A line of JSON; "tokens" counts where both are there. A member that is null is not there.
  func object(_ line: [UInt8]) throws(LineError) -> Document {
    let object = try Self.parse(line)
    if let tokens = value(of: members.tokens, in: object) { return try document(object, tokens: tokenList(tokens)) }
    guard let text = value(of: members.text, in: object) else { throw missing(in: object) }
    return try document(object, tokens: encode(string(text), object))
  }

  private func value(of member: String, in object: JSONObject) -> ArraySlice<UInt8>? {
    guard let bytes = object[member], !bytes.elementsEqual("null".utf8) else { return nil }
    return bytes
  }

  private func missing(in object: JSONObject) -> LineError {
    let names = object.members.prefix(12).map { $0.key.clipped(to: 40) }.joined(separator: ", ")
    return LineError(
      message:
        "expected a member \"\(members.text)\" or \"\(members.tokens)\", found \(names.isEmpty ? "none" : names); --text names the one to score"
    )
  }

  /// A line that has its score already.
  static func scored(_ line: [UInt8], field: String) throws(LineError) -> Document {
    let object = try parse(line)
    guard let value = object[field], let score = Float(String(decoding: value, as: UTF8.self)), score.isFinite else {
      let found = object[field].map { String(decoding: $0, as: UTF8.self).clipped(to: 40) } ?? "none"
      throw LineError(message: "expected a member \"\(field)\" that is a number, found \(found)")
    }
    var document = Document(object: object, tokens: [])
    document.scores = [score]
    document.isScored = true
    return document
  }

  /// The bytes that a document is named by: a text's own, a number's as it was written.
  static func name(_ object: JSONObject, field: String) throws(LineError) -> [UInt8] {
    guard let value = object[field] else {
      throw LineError(message: "expected a member \"\(field)\" to decide by, found none; --id names another")
    }
    if Int(String(decoding: value, as: UTF8.self)) != nil { return Array(value) }
    var scanner = JSONScanner(Array(value))
    do throws(JSONError) { return try scanner.string() } catch {
      throw LineError(message: "\"\(field)\": expected a text or a whole number; \(error.message)")
    }
  }

  private static func parse(_ line: [UInt8]) throws(LineError) -> JSONObject {
    do throws(JSONError) { return try JSONObject(line) } catch { throw LineError(message: error.message) }
  }

  private func document(_ object: JSONObject, tokens: [Int32]) throws(LineError) -> Document {
    guard !tokens.isEmpty else { throw LineError(message: "expected at least one token, found none") }
    return Document(object: object, tokens: tokens)
  }

  private func encode(_ text: [UInt8], _ object: JSONObject) throws(LineError) -> [Int32] {
    guard let model, let tokenizer = model.tokenizer else {
      throw LineError(message: "the rater has no tokenizer; give \"tokens\", or convert it again with its tokenizer.json")
    }
    let text = try template.map { (template) throws(LineError) in try template.filled(text, object) } ?? text
    do throws(RallyError) {
      guard let reading else { return try tokenizer.encode(text, options: EncodingOptions(of: .anybody)) }
      return try model.encodeDocument(text, options: reading)
    } catch { throw LineError(message: error.message) }
  }

  private func string(_ value: ArraySlice<UInt8>) throws(LineError) -> [UInt8] {
    var scanner = JSONScanner(Array(value))
    do throws(JSONError) { return try scanner.string(refusesHalves: true) } catch {
      throw LineError(message: "\"\(members.text)\": \(error.message)")
    }
  }

  private func tokenList(_ value: ArraySlice<UInt8>) throws(LineError) -> [Int32] {
    let vocabularySize = model?.info.vocabularySize ?? 0
    var scanner = JSONScanner(Array(value))
    var tokens: [Int32] = []
    do throws(JSONError) {
      try scanner.elements { (scanner) throws(JSONError) in
        let token = try scanner.integer()
        guard 0..<vocabularySize ~= token else {
          throw JSONError(message: "expected ids in [0, \(vocabularySize)), found \(token) at place \(tokens.count)")
        }
        tokens.append(Int32(token))
      }
    } catch {
      throw LineError(message: "\"\(members.tokens)\": \(error.message)")
    }
    return tokens
  }
}
