// Examples/swift/Sources/Quickstart/main.swift
import Rally

let model = try Model.open(path: "Examples/models/rally-tiny.onnx")
let client = try EngineClient(model: model)  // any task may submit and cancel

var request = try GenerationRequest("Once upon a time", for: model)
request.maximumTokenCount = 64
print("Once upon a time", terminator: "")
for try await event in try client.submit(request) { print(event.text, terminator: "") }
print()

let rater = try Runner(model: .open(path: "Examples/models/rally-rater-tiny.onnx"))
let scores = try rater.rate(texts: ["The tide had gone out, and the boats lay on the sand.", "CLICK here >>> win win win"])
print(scores[0] > scores[1] ? "the first text is the better one" : "the second text is the better one")
