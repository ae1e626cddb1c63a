/// Finds the matches of an expression in one text after the other; scratch memory of one call at a time.
struct ExpressionMatcher {
  private var frames: [Frame] = []
  private var failures = PlaceMemory()
  /// Of look-aheads: places from which what they look for follows.
  private var successes = PlaceMemory()
  /// Steps taken in this text: going back, and walking along runs.
  private var work = 0

  /// Where to go on when what follows does not match.
  private struct Frame {
    enum Kind: UInt8 { case resume, greedyRun, lazyRun, possessiveRun, branch, entered }
    var kind: Kind
    var instruction: Int
    var position: Int
    /// Of a run: the first place that it may end at, and the last. Of branches: the next one.
    var low = 0
    var high = 0
  }

  /// Forgets what is known of the text before.
  mutating func begin() {
    work = 0
    failures.forget()
    successes.forget()
  }

  /// The first match that starts at `start` or later. Call `begin` before the first search in a text.
  mutating func firstMatch(
    of expression: Expression, in text: Span<UInt8>, from start: Int
  ) -> Range<Int>? {
    var position = start
    while position < text.count {
      let (kind, byteCount) = expression.kind(in: text, at: position)
      if expression.first >> kind & 1 != 0, let end = match(expression, text, 0, position) { return position..<end }
      position += byteCount
    }
    guard expression.first == Expression.allKinds, let end = match(expression, text, 0, position) else { return nil }
    return position..<end
  }

  /// Every match in turn, as the Hugging Face library walks over them: an empty one at the end of the last is left out.
  mutating func forEachMatch(of expression: Expression, in text: Span<UInt8>, _ body: (Range<Int>) -> Void) {
    if let automaton = expression.automaton {
      forEachMatch(of: expression, automaton, in: text, body)
    } else {
      forEachMatchGoingBack(of: expression, in: text, body)
    }
  }

  /// - Parameter automaton: that of the expression.
  @inline(__always)
  mutating func forEachMatch(
    of expression: Expression, _ automaton: ExpressionAutomaton, in text: Span<UInt8>, _ body: (Range<Int>) -> Void
  ) {
    begin()
    var work = ExpressionAutomaton.Work(text)
    Self.walk(
      expression, text,
      { position in
        let match = automaton.firstMatch(of: expression, in: text, from: position, &work)
        return match == nil && work.isExceeded ? firstMatch(of: expression, in: text, from: position) : match
      }, body)
  }

  /// The same without a table.
  mutating func forEachMatchGoingBack(of expression: Expression, in text: Span<UInt8>, _ body: (Range<Int>) -> Void) {
    begin()
    Self.walk(expression, text, { firstMatch(of: expression, in: text, from: $0) }, body)
  }

  @inline(__always)
  private static func walk(
    _ expression: Expression, _ text: Span<UInt8>, _ firstMatch: (Int) -> Range<Int>?, _ body: (Range<Int>) -> Void
  ) {
    var position = 0
    var lastEnd: Int?
    while position <= text.count, let match = firstMatch(position) {
      if match.isEmpty, match.upperBound == lastEnd {
        // As there, the next character after the start of the search, not after the match.
        position += position < text.count ? expression.kind(in: text, at: position).byteCount : 1
      } else {
        position = match.upperBound
        lastEnd = match.upperBound
        body(match)
      }
    }
  }
}

extension ExpressionMatcher {
  /// The end of the match from `instruction` on at `position`.
  ///
  /// - Parameter looks: it matters alone whether there is one, so that what is known to succeed ends the search.
  private mutating func match(
    _ expression: Expression, _ text: Span<UInt8>, _ instruction: Int, _ position: Int, looks: Bool = false
  ) -> Int? {
    let floor = frames.count
    var instruction = instruction
    var position = position
    while true {
      var entry = Entry.taken
      switch expression.program[instruction] {
      case .one(let mask):
        if position < text.count, case let (kind, byteCount) = expression.kind(in: text, at: position), mask >> kind & 1 != 0 {
          position += byteCount
          instruction += 1
        } else {
          entry = .failed
        }
      case .run(let run):
        entry = enter(run, expression, text, instruction, &position, looks)
        instruction += 1
      case .split(let other, let prefersOther, let slot):
        entry = enter(slot, expression, text, position, looks)
        if entry == .taken {
          let next = instruction + 1
          frames.append(Frame(kind: .resume, instruction: prefersOther ? next : other, position: position))
          instruction = prefersOther ? other : next
        }
      case .jump(let target): instruction = target
      case .branches(let branches, let slot):
        entry = enter(slot, expression, text, position, looks)
        if entry == .taken, !take(branches, from: 0, expression, text, &instruction, position) { entry = .failed }
      case .look(let isNegative, let end):
        if (match(expression, text, instruction + 1, position, looks: true) != nil) == isNegative { entry = .failed }
        instruction = end
      case .atomic(let end):
        if let found = match(expression, text, instruction + 1, position) {
          position = found
          instruction = end
        } else {
          entry = .failed
        }
      case .lookbehind(let mask, let isNegative):
        let isMember = position > 0 && mask >> expression.kind(in: text, at: expression.start(before: position, in: text)).kind & 1 != 0
        if isMember == isNegative { entry = .failed }
        instruction += 1
      case .anchor(let anchor):
        if !anchor.holds(in: text, at: position) { entry = .failed }
        instruction += 1
      case .accept: entry = .succeeded
      }
      switch entry {
      case .taken: break
      case .failed: if !goBack(to: floor, expression, text, &instruction, &position) { return nil }
      case .succeeded:
        if looks { rememberSuccess(from: floor, expression, text) }
        frames.removeSubrange(floor...)
        return position
      }
    }
  }

  /// Takes up the latest place where another way is left.
  private mutating func goBack(
    to floor: Int, _ expression: Expression, _ text: Span<UInt8>, _ instruction: inout Int, _ position: inout Int
  ) -> Bool {
    while frames.count > floor {
      work += 1
      let top = frames.count - 1
      var frame = frames[top]
      switch frame.kind {
      case .resume:
        frames.removeLast()
        (instruction, position) = (frame.instruction, frame.position)
        return true
      case .entered:
        frames.removeLast()
        failures.remember(frame.instruction, frame.position, in: text)
      case .possessiveRun: leave(frame, expression, text)
      case .branch:
        frames.removeLast()
        guard case .branches(let branches, _) = expression.program[frame.instruction] else { continue }
        instruction = frame.instruction
        if take(branches, from: frame.low, expression, text, &instruction, frame.position) {
          position = frame.position
          return true
        }
      case .greedyRun:
        guard frame.position > frame.low else {
          leave(frame, expression, text)
          continue
        }
        frame.position = expression.start(before: frame.position, in: text)
        frames[top] = frame
        (instruction, position) = (frame.instruction + 1, frame.position)
        return true
      case .lazyRun:
        guard frame.position < frame.high else {
          leave(frame, expression, text)
          continue
        }
        frame.position += expression.kind(in: text, at: frame.position).byteCount
        frames[top] = frame
        (instruction, position) = (frame.instruction + 1, frame.position)
        return true
      }
    }
    return false
  }
}

// MARK: Branches and runs

extension ExpressionMatcher {
  private enum Entry { case taken, failed, succeeded }

  /// Takes a place, unless it is known where it leads.
  private mutating func enter(
    _ slot: Int, _ expression: Expression, _ text: Span<UInt8>, _ position: Int, _ looks: Bool
  ) -> Entry {
    work += 1
    guard isRemembering(expression, text) else { return .taken }
    if looks, successes.knows(slot, position, in: text) { return .succeeded }
    if failures.knows(slot, position, in: text) { return .failed }
    frames.append(Frame(kind: .entered, instruction: slot, position: position))
    return .taken
  }

  private mutating func isRemembering(_ expression: Expression, _ text: Span<UInt8>) -> Bool {
    // Published expressions take a few steps for each byte of any ordinary text.
    if !failures.isOn, work > 64 * text.count + 4096 { failures.begin(slotCount: expression.slotCount, text) }
    return failures.isOn
  }

  private mutating func take(
    _ branches: [Expression.Branch], from index: Int, _ expression: Expression, _ text: Span<UInt8>,
    _ instruction: inout Int, _ position: Int
  ) -> Bool {
    let bit: Expression.KindMask = position < text.count ? 1 << expression.kind(in: text, at: position).kind : 0
    var index = index
    while index < branches.count {
      let branch = branches[index]
      index += 1
      guard branch.isNullable || branch.first & bit != 0 else { continue }
      if index < branches.count {
        frames.append(Frame(kind: .branch, instruction: instruction, position: position, low: index))
      }
      instruction = branch.start
      return true
    }
    return false
  }

  /// Walks along a run and goes to its end, or to its first place.
  private mutating func enter(
    _ run: Expression.Run, _ expression: Expression, _ text: Span<UInt8>, _ instruction: Int, _ position: inout Int, _ looks: Bool
  ) -> Entry {
    var count = 0
    var end = position
    var low = position
    // How far it may go depends on where it began, unless it is endless.
    let remembers = run.maximum == .max && isRemembering(expression, text)
    while true {
      if count == run.minimum { low = end }
      if remembers, count >= run.minimum {
        if looks, successes.knows(run.slot, end, in: text) { return .succeeded }
        if failures.knows(run.slot, end, in: text) {
          // A possessive run ends where the one did that failed.
          guard end > low, run.greed != .possessive else { return .failed }
          end = expression.start(before: end, in: text)
          break
        }
      }
      guard count < run.maximum, end < text.count else { break }
      let (kind, byteCount) = expression.kind(in: text, at: end)
      guard run.mask >> kind & 1 != 0 else { break }
      end += byteCount
      count += 1
    }
    work += count
    guard count >= run.minimum else { return .failed }
    switch run.greed {
    case .possessive:
      if remembers {
        frames.append(Frame(kind: .possessiveRun, instruction: instruction, position: end, low: low, high: end))
      }
      position = end
    case .greedy:
      if end > low || remembers {
        frames.append(Frame(kind: .greedyRun, instruction: instruction, position: end, low: low, high: end))
      }
      position = end
    case .lazy:
      if end > low || remembers {
        frames.append(Frame(kind: .lazyRun, instruction: instruction, position: low, low: low, high: end))
      }
      position = low
    }
    return .taken
  }

  /// No end of this run led to a match.
  private mutating func leave(_ frame: Frame, _ expression: Expression, _ text: Span<UInt8>) {
    frames.removeLast()
    guard failures.isOn, let slot = expression.endlessSlot(of: frame.instruction) else { return }
    expression.forEachPlace(in: text, from: frame.low, through: frame.high) { failures.remember(slot, $0, in: text) }
  }

  /// Every place that was entered on the way to a success leads to it.
  private mutating func rememberSuccess(from floor: Int, _ expression: Expression, _ text: Span<UInt8>) {
    guard failures.isOn else { return }
    if !successes.isOn { successes.begin(slotCount: expression.slotCount, text) }
    for frame in frames[floor...] {
      switch frame.kind {
      case .entered: successes.remember(frame.instruction, frame.position, in: text)
      case .greedyRun, .lazyRun, .possessiveRun:
        guard let slot = expression.endlessSlot(of: frame.instruction) else { continue }
        // From each of them the run can go on to its end.
        expression.forEachPlace(in: text, from: frame.low, through: frame.position) { successes.remember(slot, $0, in: text) }
      case .resume, .branch: break
      }
    }
  }
}

extension Expression {
  /// The slot of a run without a maximum: where it may end does not depend on where it began.
  fileprivate func endlessSlot(of instruction: Int) -> Int? {
    guard case .run(let run) = program[instruction], run.maximum == .max else { return nil }
    return run.slot
  }

  /// The places between symbols, both ends included.
  fileprivate func forEachPlace(in text: Span<UInt8>, from start: Int, through end: Int, _ body: (Int) -> Void) {
    var position = start
    while position < end {
      body(position)
      position += kind(in: text, at: position).byteCount
    }
    body(end)
  }

  /// - Parameter position: before the end.
  func kind(in text: Span<UInt8>, at position: Int) -> (kind: UInt64, byteCount: Int) {
    let byte = text[position]
    if byte < 0x80 { return (UInt64(kinds[ascii: byte]), 1) }
    if case .scalar(let scalar, let byteCount) = text.symbol(at: position) { return (UInt64(kinds[scalar]), byteCount) }
    return (UInt64(kinds[Self.replacement]), 1)
  }

  /// Where the symbol starts that ends at `position`, which is greater than 0.
  func start(before position: Int, in text: Span<UInt8>) -> Int {
    var start = position - 1
    while start > max(0, position - 4), text[start] & 0xC0 == 0x80 { start -= 1 }
    if case .scalar(_, let byteCount) = text.symbol(at: start), start + byteCount == position { return start }
    return position - 1
  }
}

extension ExpressionNode.Anchor {
  func holds(in text: Span<UInt8>, at position: Int) -> Bool {
    switch self {
    case .textStart: position == 0
    case .textEnd: position == text.count
    case .lineEnd: position == text.count || text[position] == 0x0A
    case .lastLineEnd: position == text.count || (position == text.count - 1 && text[position] == 0x0A)
    // Oniguruma: not after a line feed that ends the text.
    case .lineStart: position == 0 || (text[position - 1] == 0x0A && position < text.count)
    }
  }
}
