import Foundation
import Rally
import Testing

@testable import Engine

/// The table of cases of stop strings that every host runs.
@Suite struct StopTests {
  struct Case: CustomTestStringConvertible {
    var name: String
    var prompt: String
    var request: GenerationRequest
    var pieces: [String]
    var stopString: Int?
    var cutByteCount: Int
    var finishReason: FinishReason

    var testDescription: String { name }
  }

  static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures/stops")

  static let cases: [Case] = {
    let table = (try? String(contentsOf: folder.appending(path: "cases.tsv"), encoding: .utf8)) ?? ""
    return table.split(separator: "\n").dropFirst().map { line in
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      var request = GenerationRequest(tokens: [])
      request.includesStop = fields[2] == "1"
      request.skipsSpecialTokens = fields[3] == "1"
      request.maximumTokenCount = Int(fields[4])
      request.stopStrings = fields[5].split(separator: ",").map(String.init)
      return Case(
        name: fields[0], prompt: fields[1], request: request,
        pieces: fields[6].split(separator: "/", omittingEmptySubsequences: false).map(String.init),
        stopString: fields[7] == "-1" ? nil : Int(fields[7]), cutByteCount: Int(fields[8]) ?? -1,
        finishReason: fields[9] == "stop" ? .stop : .limit)
    }
  }()

  @Test func thereAreCases() { #expect(Self.cases.count >= 19) }

  @Test(arguments: cases) func everyCase(_ one: Case) throws {
    let model = try Model.open(path: Self.folder.appending(path: "stops.onnx").path)
    var request = one.request
    request.tokens = try #require(model.tokenizer).encode(Array(one.prompt.utf8))
    var events: [TokenEvent] = []
    try Runner(model: model).generate([request]) { event in
      events.append(event)
      return .goOn
    }
    #expect(events.map(\.text) == one.pieces)
    let last = try #require(events.last)
    #expect(last.stopString == one.stopString)
    #expect(last.cutByteCount == one.cutByteCount)
    #expect(last.finishReason == one.finishReason)
  }

  /// A text that repeats itself: every byte is looked at a bounded number of times, and the longest border is kept.
  @Test func aTextThatRepeatsItself() {
    var matcher = StopMatcher(["aaab", "ab"])
    #expect(Array("aaaa".utf8).map { matcher.push($0) } == [nil, nil, nil, nil])
    #expect(matcher.heldByteCount == 3)
    #expect(matcher.push(UInt8(ascii: "b")) == 0)
    matcher.reset()
    #expect(matcher.heldByteCount == 0)
    #expect(matcher.push(UInt8(ascii: "b")) == nil)
  }
}
