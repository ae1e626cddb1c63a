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

  @Option(
    name: [.short, .long], parsing: .unconditional,
    help: "Seed; the same seed gives the same text. -1 draws one, which is named at the end.")
  var seed = Seed(value: 0)

  var parameters: SamplingParameters {
    var parameters = SamplingParameters()
    parameters.temperature = temp
    parameters.topK = topK
    parameters.topP = topP
    parameters.minP = minP
    parameters.seed = seed.value
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

/// A number, or one that was drawn for `-1`.
struct Seed: ExpressibleByArgument, CustomStringConvertible {
  let value: UInt64
  var isDrawn = false

  init(value: UInt64) { self.value = value }

  init?(argument: String) {
    if argument == "-1" {
      self.init(value: .random(in: 0...UInt64(UInt32.max)))
      isDrawn = true
    } else {
      guard let number = UInt64(argument) else { return nil }
      self.init(value: number)
    }
  }

  var description: String { String(value) }
}
