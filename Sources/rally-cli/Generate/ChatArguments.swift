import ArgumentParser
import Rally
import Templates

/// Whether prompts are what a user says, and what the model is told before.
struct ChatArguments: ParsableArguments {
  @Flag(help: "A prompt is what a user says: the model's chat template makes the text of it.")
  var chat = false

  @Option(parsing: .unconditional, help: "What the model is told before; with --chat.")
  var systemPrompt: String?

  func validate() throws {
    if systemPrompt != nil, !chat { throw ValidationError("--system-prompt: needs --chat") }
  }

  /// The text of a conversation in which a user has said one thing and an answer begins.
  func text(_ message: [UInt8], for model: Model) throws(CommandFailure) -> [UInt8] {
    guard let source = model.metadata.last(where: { $0.key == "rally.chat_template" })?.value else {
      throw CommandFailure(.model, "the model file has no chat template (rally.chat_template); leave out --chat, or convert it with one")
    }
    guard let said = String(validating: message, as: UTF8.self) else {
      throw CommandFailure(.input, "prompt: expected UTF-8 with --chat, found other bytes")
    }
    let system = systemPrompt.map { [ChatArguments.message("system", $0)] } ?? []
    var variables: [String: TemplateValue] = [
      "messages": .list(system + [ChatArguments.message("user", said)]), "add_generation_prompt": .bool(true), "tools": .none,
      "documents": .none,
    ]
    for (name, token) in [("bos_token", model.info.beginningOfSequence), ("eos_token", model.info.endOfSequence)] {
      guard let token, let bytes = try? model.requireTokenizer().decode([token]) else { continue }
      variables[name] = .string(String(decoding: bytes, as: UTF8.self))
    }
    do throws(TemplateError) {
      return Array(try Template(source).render(variables).utf8)
    } catch {
      throw CommandFailure(.model, "the model's chat template: \(error.description)")
    }
  }

  private static func message(_ role: String, _ content: String) -> TemplateValue {
    .object([.init("role", .string(role)), .init("content", .string(content))])
  }
}
