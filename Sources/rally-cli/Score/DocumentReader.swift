import Rally

/// Makes documents of lines.
struct DocumentReader: ~Copyable {
  private var input: TextInput
  private let isPlain: Bool
  private let model: Model
  private var lineNumber = 0

  init(input: consuming TextInput, isPlain: Bool, model: Model) {
    self.input = input
    self.isPlain = isPlain
    self.model = model
  }

  /// - Returns: nil after the last line.
  /// - Throws: `input` failures name file and line, and the next call goes on behind it.
  mutating func next() throws(CommandFailure) -> Document? {
    while let line = try input.readLine() {
      lineNumber += 1
      guard !line.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) else { continue }
      let tokenizer = isPlain ? try model.requireTokenizer() : model.tokenizer
      do throws(LineError) {
        let reader = DocumentParser(tokenizer: tokenizer, vocabularySize: model.info.vocabularySize)
        return isPlain ? try reader.plain(line) : try reader.object(line)
      } catch {
        throw CommandFailure(.input, "\(input.name):\(lineNumber): \(error.message)")
      }
    }
    return nil
  }
}
