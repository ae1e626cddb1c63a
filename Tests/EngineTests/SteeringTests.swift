import Testing

@testable import Engine

struct SteeringTests {
  @Test func theThresholdMovesBehindEachWindow() {
    var steering = DepthSteering(target: 2, natural: 2, recursionCount: 3)
    for _ in 0..<DepthSteering.window - 1 { steering.observe(3) }
    #expect(steering.threshold == 0)
    steering.observe(3)
    #expect(steering.threshold == 16, "too deep by 1")
    for _ in 0..<DepthSteering.window { steering.observe(1) }
    #expect(steering.threshold == 0)
  }

  @Test func itStartsWhereLogisticScoresWouldNeedIt() {
    let shallow = DepthSteering(target: 1.5, natural: 2, recursionCount: 3)
    #expect(abs(shallow.threshold - 6 * 1.0986123) < 1e-4, "logit 1/2 − logit 1/4 = ln 3")
    let deep = DepthSteering(target: 2.5, natural: 2, recursionCount: 3, scale: 1.0 / 16)
    #expect(abs(deep.threshold + 6 * 1.0986123 / 16) < 1e-5)
  }

  @Test(arguments: [Float(0.2), 1, 2, 3, 7]) func theEndsAreBeyondAllScores(natural: Float) {
    let shallowest = DepthSteering(target: 1, natural: natural, recursionCount: 3)
    let deepest = DepthSteering(target: 3, natural: natural, recursionCount: 3)
    #expect(shallowest.threshold == (natural <= 1 ? 0 : 40))
    #expect(deepest.threshold == (natural >= 3 ? 0 : -40))
  }

  @Test func aSingleRecursionNeedsNone() {
    #expect(DepthSteering(target: 1, natural: 1, recursionCount: 1).threshold == 0)
  }

  @Test func itStaysBounded() {
    var steering = DepthSteering(target: 1, natural: 3, recursionCount: 3)
    for _ in 0..<100 * DepthSteering.window { steering.observe(3) }
    #expect(steering.threshold == 40)
  }
}
