import ArgumentParser
import Rally

/// How the next token is drawn, in llama.cpp's words.
struct SamplingArguments: ParsableArguments {
  @Option(help: "Temperature; 0 takes the most probable token.")
  var temp: Float = 0

  @Option(help: "Draw among the k most probable tokens; 0 among all.")
  var topK = 0

  @Option(help: "Draw among the fewest tokens whose probabilities add up to this.")
  var topP: Float = 1

  @Option(help: "Draw among tokens at least this fraction as probable as the most probable one.")
  var minP: Float = 0

  @Option(name: [.short, .long], help: "Seed; the same seed gives the same text.")
  var seed: UInt64 = 0

  var parameters: SamplingParameters {
    var parameters = SamplingParameters()
    parameters.temperature = temp
    parameters.topK = topK
    parameters.topP = topP
    parameters.minP = minP
    parameters.seed = seed
    return parameters
  }

  func validateRanges() throws {
    do throws(RallyError) {
      try parameters.validate()
    } catch {
      let option = error.subject == "temperature" ? "--temp" : "--" + error.subject.replacing("_", with: "-")
      throw ValidationError("\(option): expected \(error.expected), found \(error.found)")
    }
  }
}
