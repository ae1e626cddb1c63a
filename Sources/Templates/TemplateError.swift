/// Why a template cannot be read or filled in: one sentence for people.
public struct TemplateError: Error, Equatable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }

  static func unsupported(_ what: String, known: [String]) -> TemplateError {
    TemplateError("\(what) is not supported; known: \(known.joined(separator: ", "))")
  }
}
