/// Scalars that are being normalised.
struct NormalizationBuffer {
  private let form: NormalForm
  private var scalars: [UInt32] = []
  private var classes: [UInt8] = []

  init(_ form: NormalForm) { self.form = form }

  /// Makes room for others.
  mutating func removeAll() {
    scalars.removeAll(keepingCapacity: true)
    classes.removeAll(keepingCapacity: true)
  }

  mutating func append(_ scalar: UInt32, _ table: NormalizationTable) {
    if HangulSyllable.range.contains(scalar) {
      for jamo in HangulSyllable.jamos(of: scalar) { take(jamo, table) }
      return
    }
    var parts = form.isCompatible ? table.compatible[scalar] : []
    if parts.isEmpty { parts = table.canonical[scalar] }
    if parts.isEmpty { return take(scalar, table) }
    for part in parts { take(part, table) }
  }

  private mutating func take(_ scalar: UInt32, _ table: NormalizationTable) {
    scalars.append(scalar)
    classes.append(table.combiningClass(of: scalar))
  }

  /// The scalars in order, composed where the form composes.
  mutating func finish(_ table: NormalizationTable) -> [UInt32] {
    sort()
    if form.composes { compose(table) }
    return scalars
  }

  /// Marks by their classes, those of one class as they came.
  private mutating func sort() {
    var start = 0
    while start < scalars.count {
      var end = start + 1
      if classes[start] != 0 {
        while end < scalars.count, classes[end] != 0 { end += 1 }
        if end - start > 1 { sort(start..<end) }
      }
      start = end
    }
  }

  private mutating func sort(_ range: Range<Int>) {
    let marks = range.map { (order: classes[$0], place: $0, scalar: scalars[$0]) }
      .sorted { ($0.order, $0.place) < ($1.order, $1.place) }
    for (place, mark) in zip(range, marks) {
      scalars[place] = mark.scalar
      classes[place] = mark.order
    }
  }

  private mutating func compose(_ table: NormalizationTable) {
    var starter: Int?  // in the output
    var count = 0  // of the output
    var lastClass: UInt8 = 0  // of what stands between, 0 for nothing
    for index in scalars.indices {
      let (scalar, own) = (scalars[index], classes[index])
      if let place = starter, lastClass < own || lastClass == 0 && place == count - 1,
        let joined = table.composition(scalars[place], scalar)
      {
        scalars[place] = joined
        continue
      }
      scalars[count] = scalar
      classes[count] = own
      if own == 0 {
        starter = count
        lastClass = 0
      } else {
        lastClass = own
      }
      count += 1
    }
    scalars.removeSubrange(count...)
    classes.removeSubrange(count...)
  }
}
