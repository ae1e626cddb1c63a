import Models

/// How many heads attention has.
package struct HeadGeometry: Sendable, Equatable {
  /// H
  package var headCount: Int
  /// G, divides H
  package var groupCount: Int
  /// K
  package var width: Int

  package init(headCount: Int, groupCount: Int, width: Int) {
    (self.headCount, self.groupCount, self.width) = (headCount, groupCount, width)
  }
}
