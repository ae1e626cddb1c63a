import Files
import Models

/// The error that opening these bytes from memory, tokenizer included, ends with, or nil.
func failure(_ bytes: [UInt8], limits: ModelLimits = ModelLimits()) -> RallyError? {
  unsafe bytes.withUnsafeBytes { buffer -> RallyError? in
    do throws(RallyError) {
      let file = try unsafe ModelFile.open(bytes: buffer, limits: limits)
      _ = try file.facts.makeTokenizer()
      return nil
    } catch {
      return error
    }
  }
}
