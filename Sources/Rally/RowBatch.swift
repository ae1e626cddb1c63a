public import Files

/// Rows of token ids of any lengths, laid end to end; never padded.
public struct RowBatch: Sendable {
  /// Ids of all rows, [N].
  public let tokens: [Int32]
  /// Row i is `tokens[offsets[i] ..< offsets[i + 1]]`; [rowCount + 1], from 0.
  public let offsets: [Int]

  public var rowCount: Int { offsets.count - 1 }
  public var tokenCount: Int { tokens.count }

  public init(_ rows: some Collection<[Int32]>) {
    var offsets = [0]
    for row in rows { offsets.append(offsets[offsets.count - 1] + row.count) }
    tokens = rows.flatMap { $0 }
    self.offsets = offsets
  }

  /// Takes over rows that are laid out already.
  /// - Throws: `emptyInput` without rows; `invalidArgument` when the offsets do not ascend from 0 to
  ///   the number of tokens.
  public init(tokens: [Int32], offsets: [Int]) throws(RallyError) {
    guard offsets.count > 1 else { throw .noRows }
    guard offsets[0] == 0, offsets[offsets.count - 1] == tokens.count else {
      throw RallyError(
        .invalidArgument, "row_offsets", expected: "0 first and \(tokens.count) last",
        found: "\(offsets[0]) and \(offsets[offsets.count - 1])")
    }
    self.tokens = tokens
    self.offsets = offsets
    try Self.checkAscending(offsets)
  }

  var longestRow: Int { (0..<rowCount).reduce(0) { max($0, length(of: $1)) } }

  public func length(of row: Int) -> Int { offsets[row + 1] - offsets[row] }

  /// Places of a row among the tokens of all rows.
  func range(of row: Int) -> Range<Int> { offsets[row]..<offsets[row + 1] }

  package static func checkAscending(_ offsets: [Int]) throws(RallyError) {
    for row in 0..<offsets.count - 1 where offsets[row + 1] < offsets[row] {
      throw RallyError(
        .invalidArgument, "row_offsets[\(row + 1)]", expected: "at least \(offsets[row])",
        found: "\(offsets[row + 1])")
    }
  }
}

extension RowBatch {
  /// - Throws: `emptyInput`, `contextExceeded` or `invalidToken`, naming the first row that is wrong.
  func check(vocabularySize: Int, contextLength: Int) throws(RallyError) {
    guard rowCount > 0 else { throw .noRows }
    for row in 0..<rowCount {
      guard length(of: row) > 0 else {
        throw RallyError(
          .emptyInput, "row \(row)", expected: "at least one token", found: "none",
          remedy: "leave empty rows out")
      }
      guard length(of: row) <= contextLength else {
        throw .rowTooLong(row, length(of: row), contextLength)
      }
      for index in offsets[row]..<offsets[row + 1] {
        guard tokens[index] >= 0, Int(tokens[index]) < vocabularySize else {
          throw RallyError(
            .invalidToken, "row \(row), token \(index - offsets[row])",
            expected: "an id in [0, \(vocabularySize))", found: "\(tokens[index])",
            remedy: "encode the text with this model's tokenizer")
        }
      }
    }
  }
}

extension RallyError {
  static func rowTooLong(_ row: Int, _ length: Int, _ contextLength: Int) -> RallyError {
    RallyError(
      .contextExceeded, "row \(row)",
      expected: "at most \(contextLength) tokens, the model's max_position_embeddings",
      found: "\(length)", remedy: "cut the row")
  }

  package static var noRows: RallyError {
    RallyError(.emptyInput, "rows", expected: "at least one row", found: "none")
  }
}
