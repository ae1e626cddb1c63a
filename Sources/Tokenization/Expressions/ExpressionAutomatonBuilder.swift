/// Makes the table of an expression.
///
/// A state is the places of the program that a search may be at after the scalars before, the one that would be tried
/// first in front: going back means taking the next. Where a place is the end of the program, those after it cannot win
/// any more, and go. What a place asks of the next scalar (a look-ahead of one, the end of a line) is known when it is
/// read: that is when places without a scalar of their own are walked through.
struct ExpressionAutomatonBuilder {
  private let program: [Expression.Instruction]
  private let kindCount: Int
  private let lineFeed: Int
  private var states: [[Place]: UInt16] = [:]
  private var order: [[Place]] = []

  /// Each published expression takes fewer than 100.
  private static let stateLimit = 1024
  private static let countLimit = 16

  /// An instruction, and of a run how many scalars it has taken, as far as that matters.
  private struct Place: Hashable {
    var instruction: Int
    var count = 0
  }

  init(program: [Expression.Instruction], kinds: ScalarTable, kindCount: Int) {
    self.program = program
    self.kindCount = kindCount
    lineFeed = Int(kinds[0x0A])
  }

  /// [state, kind], or nil.
  mutating func build() -> [UInt16]? {
    guard state(of: []) == ExpressionAutomaton.dead, state(of: [Place(instruction: 0)]) == ExpressionAutomaton.start else {
      return nil
    }
    var transitions: [UInt16] = []
    var index = 0
    while index < order.count {
      for kind in 0...kindCount {
        var step = Step(kind: kind == kindCount ? nil : kind)
        for place in order[index] where !step.isAccepted { guard follow(place, &step) else { return nil } }
        guard let next = state(of: step.places) else { return nil }
        transitions.append(next | (step.isAccepted ? ExpressionAutomaton.acceptBit : 0))
      }
      index += 1
    }
    return transitions
  }

  private mutating func state(of places: [Place]) -> UInt16? {
    if let known = states[places] { return known }
    guard order.count < Self.stateLimit else { return nil }
    let number = UInt16(order.count)
    states[places] = number
    order.append(places)
    return number
  }

  /// What one kind of scalar makes of a state.
  private struct Step {
    /// nil: the end of the text.
    let kind: Int?
    var places: [Place] = []
    var isAccepted = false
    /// Places that were walked through; a later one in the order adds nothing.
    var seen: Set<Place> = []
    /// Those on the way to the present one.
    var path: Set<Place> = []

    func isMember(of mask: Expression.KindMask) -> Bool { kind.map { mask >> UInt64($0) & 1 != 0 } ?? false }

    mutating func take(_ place: Place) {
      if !places.contains(place) { places.append(place) }
    }
  }

  /// Walks from a place to those that take the scalar, or to the end of the program.
  ///
  /// - Returns: false for a part that has no table.
  private func follow(_ place: Place, _ step: inout Step) -> Bool {
    // A loop that takes no scalar: whether it is tried again depends on how it is searched.
    guard !step.path.contains(place) else { return false }
    guard !step.isAccepted, step.seen.insert(place).inserted else { return true }
    step.path.insert(place)
    defer { step.path.remove(place) }
    let next = Place(instruction: place.instruction + 1)
    switch program[place.instruction] {
    case .one(let mask):
      if step.isMember(of: mask) { step.take(next) }
      return true
    case .run(let run): return follow(run, place, &step)
    case .split(let other, let prefersOther, _):
      let other = Place(instruction: other)
      return follow(prefersOther ? other : next, &step) && follow(prefersOther ? next : other, &step)
    case .jump(let target): return follow(Place(instruction: target), &step)
    case .branches(let branches, _): return branches.allSatisfy { follow(Place(instruction: $0.start), &step) }
    case .look(let isNegative, let end):
      guard case .one(let mask) = program[place.instruction + 1], program[place.instruction + 2] == .accept else { return false }
      return step.isMember(of: mask) == isNegative || follow(Place(instruction: end), &step)
    case .anchor(.textEnd): return step.kind != nil || follow(next, &step)
    case .anchor(.lineEnd): return (step.kind != nil && step.kind != lineFeed) || follow(next, &step)
    case .atomic, .lookbehind, .anchor: return false
    case .accept:
      step.isAccepted = true
      return true
    }
  }

  private func follow(_ run: Expression.Run, _ place: Place, _ step: inout Step) -> Bool {
    guard run.greatestCount <= Self.countLimit else { return false }
    let next = Place(instruction: place.instruction + 1)
    let goesOn = place.count < run.maximum && step.isMember(of: run.mask)
    let isEnough = place.count >= run.minimum
    if goesOn, run.greed != .lazy || !isEnough { take(run, place, &step) }
    // A run that gives nothing back ends only where it cannot go on.
    if isEnough, run.greed != .possessive || !goesOn { guard follow(next, &step) else { return false } }
    if goesOn, run.greed == .lazy, isEnough, !step.isAccepted { take(run, place, &step) }
    return true
  }

  private func take(_ run: Expression.Run, _ place: Place, _ step: inout Step) {
    step.take(Place(instruction: place.instruction, count: min(place.count + 1, run.greatestCount)))
  }
}

extension Expression.Run {
  /// Beyond this many, one more changes nothing.
  fileprivate var greatestCount: Int { maximum == .max ? minimum : maximum }
}
