import Glibc
import Files
import Testing

@Suite struct MappedFileTests {
  private static func temporaryFile(_ bytes: [UInt8]) -> String {
    var template = Array("/tmp/rally-tests-XXXXXX".utf8CString)
    let descriptor = unsafe mkstemp(&template)
    precondition(descriptor >= 0)
    let written = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, bytes.count) }
    precondition(written == bytes.count)
    close(descriptor)
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func failure(_ path: String, maxByteCount: Int = .max) -> RallyError? {
    do throws(RallyError) {
      _ = try MappedFile(path: path, maxByteCount: maxByteCount)
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: [MappedFile.Access.mapped, .copied])
  func bytes(_ access: MappedFile.Access) throws {
    let contents = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    let path = Self.temporaryFile(contents)
    let file = try MappedFile(path: path, access: access)
    unsafe unlink(path)
    #expect(file.byteCount == 10_000)
    #expect(file.path == path)
    #expect(unsafe file.bytes.elementsEqual(contents))
    unsafe file.release(file.bytes)
    unsafe file.release(UnsafeRawBufferPointer(start: nil, count: 0))
    #expect(unsafe file.bytes.elementsEqual(contents))
  }

  @Test func failuresNameThePath() throws {
    let path = Self.temporaryFile([1, 2, 3])
    defer { unsafe _ = unlink(path) }
    let empty = Self.temporaryFile([])
    defer { unsafe _ = unlink(empty) }
    let cases: [(String, RallyError.Code)] = [
      (path + ".missing", .fileNotFound), (path + "/x", .fileNotFound), ("", .fileNotFound),
      ("/tmp", .notAFile), ("/dev/null", .notAFile), (empty, .emptyFile),
      ("/tmp/" + String(repeating: "x", count: 5000), .io),
    ]
    for (name, code) in cases {
      let error = try #require(Self.failure(name), "\(name)")
      #expect(error.code == code, "\(name)")
      #expect(error.subject == name)
      #expect(!error.found.isEmpty)
    }
    #expect(Self.failure(path, maxByteCount: 2)?.code == .limitExceeded)
    #expect(Self.failure(path + "\0")?.code == .fileNotFound)
  }

  /// Opening a pipe that nobody writes to must not wait.
  @Test func pipe() {
    let path = Self.temporaryFile([])
    unsafe unlink(path)
    #expect(unsafe mkfifo(path, 0o600) == 0)
    defer { unsafe _ = unlink(path) }
    #expect(Self.failure(path)?.code == .notAFile)
  }

  /// Descriptors and mappings go with their owners.
  @Test func nothingLeaks() throws {
    let path = Self.temporaryFile([1])
    defer { unsafe _ = unlink(path) }
    for _ in 0..<5000 { _ = try MappedFile(path: path) }
    for _ in 0..<5000 { _ = Self.failure("/tmp") }
  }
}
