/// What went wrong, in the words a host can show to a person.
///
/// Every failure that a file or a caller's number can cause is one of these; `precondition` is kept
/// for bugs of our own. The four parts become one line:
/// `subject: expected …, found …; remedy`.
public struct RallyError: Error, Equatable, Sendable {
  public var code: Code
  /// The thing that is wrong: a path, a key, a tensor, an argument.
  public var subject: String
  public var expected: String
  public var found: String
  /// What to do about it; empty when `expected` already says so.
  public var remedy: String

  public init(
    _ code: Code, _ subject: String, expected: String = "", found: String = "", remedy: String = ""
  ) {
    self.code = code
    self.subject = subject
    self.expected = expected
    self.found = found
    self.remedy = remedy
  }

  /// One line without a newline.
  public var message: String {
    var line = subject
    if !expected.isEmpty { line += ": expected \(expected)" }
    if !found.isEmpty { line += expected.isEmpty ? ": \(found)" : ", found \(found)" }
    if !remedy.isEmpty { line += "; \(remedy)" }
    return line
  }
}

extension RallyError {
  /// The status codes of `rally.h`, with the same numbers.
  public enum Code: Int32, Sendable, CaseIterable {
    // The caller's arguments.
    case invalidArgument = 1
    case invalidToken = 2
    case emptyInput = 3
    case contextExceeded = 4
    case wrongKind = 5
    case bufferTooSmall = 6
    case wrongModel = 7
    case mismatch = 8

    // The state of a handle or of the machine.
    case closed = 10
    case busy = 11
    case forked = 12
    case cancelled = 13
    case deadlineExceeded = 14
    case outOfMemory = 15
    case limitExceeded = 16
    case unsupported = 17

    // The file as a file.
    case fileNotFound = 20
    case notAFile = 21
    case emptyFile = 22
    case io = 23

    // The file as a model.
    case corruptFile = 30
    case notARallyModel = 31
    case unsupportedVersion = 32
    case missingKey = 33
    case unknownKey = 34
    case duplicateKey = 35
    case invalidValue = 36
    case missingTensor = 37
    case unknownTensor = 38
    case duplicateTensor = 39
    case invalidShape = 40
    case invalidDataType = 41
    case truncatedData = 42
    case notFinite = 43
    case externalDataForbidden = 44
    case externalDataMissing = 45
    case externalDataRange = 46
    case invalidTokenizer = 47
  }
}
