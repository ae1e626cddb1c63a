import Scheduling

/// A group of layers that rows run through together.
enum Place { case first, block, last }

/// What a layer does with the keys and values of its rows.
enum KeyUse {
  /// Stores them as new entries of the slot.
  case store
  /// Computes none; the slot has an entry for every token already.
  case read
  /// Takes the slot's entries with those of its rows replaced, for this layer only.
  case replace
}

extension CacheLayout {
  func stage(_ place: Place, recursion: Int) -> Int {
    switch place {
    case .first: firstStage
    case .block: blockStage(recursion: recursion)
    case .last: lastStage
    }
  }

  func slot(_ place: Place, recursion: Int, layer: Int) -> Int {
    switch place {
    case .first: firstSlot(layer: layer)
    case .block: blockSlot(recursion: recursion, layer: layer)
    case .last: lastSlot(layer: layer)
    }
  }

  func keyUse(_ place: Place, recursion: Int) -> KeyUse {
    guard place == .block, sharesKeys, recursion > 0 else { return .store }
    return hasScratchSlot ? .replace : .read
  }
}
