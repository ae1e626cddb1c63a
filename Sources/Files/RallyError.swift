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
    var line = Self.shortened(subject)
    if !expected.isEmpty { line += ": expected \(expected)" }
    if !found.isEmpty { line += expected.isEmpty ? ": \(found)" : ", found \(found)" }
    if !remedy.isEmpty { line += "; \(remedy)" }
    return line
  }

  /// A subject that would leave no room for the sentence, such as a long path, without its middle.
  private static func shortened(_ subject: String) -> String {
    let scalars = subject.unicodeScalars
    guard scalars.count > 300 else { return subject }
    return String(scalars.prefix(140)) + "…" + String(scalars.suffix(140))
  }
}
