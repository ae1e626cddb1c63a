import Rally

/// What a line is.
enum LineKind {
  case text
  /// An object with a text or tokens.
  case object
  /// An object with a score in this member.
  case scored(String)
}

/// Makes documents of lines.
struct DocumentReader: ~Copyable {
  private var input: TextInput
  private let kind: LineKind
  /// Nil where nothing is rated.
  private let model: Model?
  /// How a rater reads texts; nil where no rater does.
  private let reading: DocumentOptions?
  /// The member that names a line; nil where lines need no names.
  private let id: String?
  private let members: ContentMembers
  private let template: TextTemplate?
  private var lineNumber = 0

  init(
    input: consuming TextInput, kind: LineKind, model: Model?, reading: DocumentOptions? = nil, id: String?,
    members: ContentMembers = ContentMembers(), template: TextTemplate? = nil
  ) {
    self.input = input
    self.kind = kind
    self.model = model
    self.reading = reading
    self.id = id
    self.members = members
    self.template = template
  }

  /// Whether the next line would have to be waited for.
  var isWaiting: Bool { input.isWaiting }

  /// Bytes of the file, as stored, that were read.
  var readCount: Int { input.readCount }

  /// - Returns: nil after the last line.
  /// - Throws: `input` failures name file and line, and the next call goes on after it.
  mutating func next() throws(CommandFailure) -> Document? {
    while let line = try input.readLine() {
      lineNumber += 1
      guard !line.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) else { continue }
      if case .text = kind { _ = try model?.requireTokenizer() }
      do throws(LineError) { return try document(line) } catch {
        throw CommandFailure(.input, "\(input.name):\(lineNumber): \(error.message)")
      }
    }
    return nil
  }

  private func document(_ line: [UInt8]) throws(LineError) -> Document {
    let parser = DocumentParser(model: model, reading: reading, members: members, template: template)
    var document =
      switch kind {
      case .text: try parser.plain(line)
      case .object: try parser.object(line)
      case .scored(let field): try DocumentParser.scored(line, field: field)
      }
    if let id { document.id = try DocumentParser.name(document.object, field: id) }
    return document
  }
}
