/// A chat template: the part of Jinja in which models' makers write how a conversation becomes text.
///
/// Known: `if`, `for` (with a condition and `else`), `set`, `break`, `continue`, `generation`; operators, slices, comparisons and
/// `a if c else b` as in Python; `namespace`, `range`, `raise_exception`; the filters, tests and methods that error messages list.
/// Everything else is refused by name. A template is a stranger's program: steps, length and nesting are limited.
public struct Template: Sendable {
  private let nodes: [TemplateNode]

  /// Reads a template.
  ///
  /// - Throws: when it is no Jinja, or uses what is not known.
  public init(_ source: String) throws(TemplateError) {
    nodes = try TemplateParser.parse(source)
  }

  /// The text of a conversation.
  ///
  /// - Parameter variables: what the template may read, such as `messages` and `add_generation_prompt`.
  /// - Throws: when the template refuses the conversation, asks for a part of what is not there, or exceeds a limit.
  public func render(_ variables: [String: TemplateValue]) throws(TemplateError) -> String {
    var renderer = TemplateRenderer(variables: variables)
    _ = try renderer.run(nodes)
    return renderer.output
  }
}
