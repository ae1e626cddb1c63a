import Scheduling

/// The tokens on their way through the model, each sequence at its own recursion.
///
/// An *item* is a stretch of one sequence that entered together and leaves together. Of each of its tokens the flight knows
/// where its residual stream is kept (its *place*) and whether it still runs. Capacity is set before, so that
/// nothing is allocated while tokens come and go.
struct Flight {
  struct Item {
    /// The caller's number for it.
    let key: Int
    let policy: DepthPolicy
    /// Rows of this flight; those after an item that left move up.
    var rows: Range<Int>
    /// The recursion that its active tokens run next.
    var recursion = 0
    /// Tokens that still run.
    var activeCount: Int
  }

  private(set) var items: [Item] = []
  /// Of each item.
  private(set) var caches: [SequenceCache] = []

  // Of each token, [N].
  private(set) var places: [Int32] = []
  private(set) var positions: [Int32] = []
  /// Recursions after which it is read: those it ran, or under token-choice will run.
  var depths: [Int32] = []
  /// Recursions that it runs; under expert-choice of no meaning.
  var limits: [Int32] = []
  /// The recursion after which the rule of a looped model let it leave, from 1; 0 for none.
  var exits: [Int32] = []
  /// Π (1 − σ(z)) of the recursions it ran, under the hazard rule.
  var survivals: [Float] = []
  /// Weight of the next output of the block, or under token-choice of its last.
  var gains: [Float] = []
  private(set) var isActive: [Bool] = []

  private var freePlaces: [Int32] = []
  private(set) var capacity = 0

  var tokenCount: Int { places.count }
  var isEmpty: Bool { items.isEmpty }

  mutating func reserve(_ count: Int) {
    guard count > capacity else { return }
    precondition(isEmpty, "places cannot move while tokens are on their way")
    capacity = count
    items.reserveCapacity(count)
    caches.reserveCapacity(count)
    places.reserveCapacity(count)
    positions.reserveCapacity(count)
    depths.reserveCapacity(count)
    limits.reserveCapacity(count)
    exits.reserveCapacity(count)
    survivals.reserveCapacity(count)
    gains.reserveCapacity(count)
    isActive.reserveCapacity(count)
    freePlaces = (0..<Int32(count)).reversed()
  }

  // MARK: Coming and going

  mutating func append(_ part: Step.Part) {
    let start = tokenCount
    var position = Int32(part.cache.tokenCount)
    for _ in part.tokens {
      guard let place = freePlaces.popLast() else { preconditionFailure("more tokens than were reserved") }
      places.append(place)
      positions.append(position)
      depths.append(0)
      limits.append(0)
      exits.append(0)
      survivals.append(1)
      gains.append(0)
      isActive.append(true)
      position += 1
    }
    items.append(
      Item(key: part.key, policy: part.policy, rows: start..<tokenCount, activeCount: part.tokens.count))
    caches.append(part.cache)
  }

  mutating func remove(at index: Int) {
    let rows = items[index].rows
    for row in rows { freePlaces.append(places[row]) }
    places.removeSubrange(rows)
    positions.removeSubrange(rows)
    depths.removeSubrange(rows)
    limits.removeSubrange(rows)
    exits.removeSubrange(rows)
    survivals.removeSubrange(rows)
    gains.removeSubrange(rows)
    isActive.removeSubrange(rows)
    items.remove(at: index)
    caches.remove(at: index)
    for later in index..<items.count {
      let moved = items[later].rows
      items[later].rows = moved.lowerBound - rows.count..<moved.upperBound - rows.count
    }
  }

  mutating func removeAll() {
    while !items.isEmpty { remove(at: items.count - 1) }
  }

  func index(of key: Int) -> Int? { items.firstIndex { $0.key == key } }

  // MARK: Going on

  /// Only rows for which `goesOn` holds remain active in the item.
  mutating func narrow(_ index: Int, _ goesOn: (_ row: Int) -> Bool) {
    var count = 0
    for row in items[index].rows where isActive[row] {
      isActive[row] = goesOn(row)
      if isActive[row] { count += 1 }
    }
    items[index].activeCount = count
  }

  /// Tokens that still run have another recursion after them.
  mutating func advance() {
    for index in items.indices where items[index].activeCount > 0 { items[index].recursion += 1 }
  }
}
