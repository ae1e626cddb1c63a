import Glibc

/// What this command leaves to `python -m rally.score`: Parquet files, folders, and whatever has a folder to write to.
struct CorpusHandover {
  /// Why, as the beginning of a sentence.
  let reason: String
  /// The first file that makes it one.
  private let path: String

  private static let environmentName = "RALLY_PYTHON"

  /// - Returns: nil where all files are this command's own.
  static func first(of paths: [String], isWanted: Bool) -> CorpusHandover? {
    for path in paths where path != TextInput.standard {
      if isFolder(path) { return CorpusHandover(reason: "\(path) is a folder", path: path) }
      if isParquet(path) { return CorpusHandover(reason: "\(path) is a Parquet file", path: path) }
    }
    return isWanted ? CorpusHandover(reason: "--out asks for files", path: paths.first ?? "") : nil
  }

  private static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  private static func isParquet(_ path: String) -> Bool {
    var status = stat()
    guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return false }
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var beginning = [UInt8](repeating: 0, count: Packing.longestMark)
    let count = unsafe beginning.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
    return Packing.of(beginning.prefix(max(count, 0))) == .parquet
  }

  /// Replaces this program.
  /// - Parameters:
  ///   - names: the rater, and what it rates.
  ///   - out: nil for the name of the file or folder, and `-scores`.
  func handOver(_ names: [String], out: String?, _ options: [String]) throws(CommandFailure) -> Never {
    guard names.count > 1, !names.contains(TextInput.standard) else {
      throw CommandFailure(.arguments, "\(reason), for python -m rally.score, which reads files and folders: name them")
    }
    let python = unsafe getenv(Self.environmentName).map { unsafe String(cString: $0) } ?? "python3"
    guard Self.run([python, "-c", "import rally.score.command"]) == 0 else {
      throw CommandFailure(
        .file,
        "\(reason), which python -m rally.score reads, and \(python) cannot import it: pip install 'rally-runtime[score]', "
          + "or name an interpreter that can by \(Self.environmentName)")
    }
    let folder = out ?? "\(Self.stem(of: path))-scores"
    StandardError.line(
      "\(reason): handed over to \(python) -m rally.score, which writes to \(folder); --out names another folder")
    Self.replace([python, "-m", "rally.score"] + names + ["--out", folder] + options)
    throw CommandFailure(.file, "\(python): \(systemMessage(errno))")
  }

  /// `data/web.parquet`: `web`; `data/web/`: `web`.
  private static func stem(of path: String) -> String {
    let name = path.split(separator: "/").last.map(String.init) ?? "corpus"
    let end = name.lastIndex(of: ".")
    return [".", ".."].contains(name) ? "corpus" : end.map { $0 > name.startIndex ? String(name[..<$0]) : name } ?? name
  }

  /// The exit status of a program that says nothing; not 0 where it could not be started.
  private static func run(_ words: [String]) -> CInt {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] {
      unsafe posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
    }
    var process = pid_t()
    let started = unsafe withWords(words) { unsafe posix_spawnp(&process, words[0], &actions, nil, $0, environ) }
    guard started == 0 else { return -1 }
    var status: CInt = -1
    while unsafe waitpid(process, &status, 0) < 0 && errno == EINTR {}
    return status
  }

  /// Returns only where that failed. Signals are what they were before this program waited for them.
  private static func replace(_ words: [String]) {
    var none = sigset_t()
    unsafe sigemptyset(&none)
    unsafe pthread_sigmask(SIG_SETMASK, &none, nil)
    unsafe withWords(words) { _ = unsafe execvp(words[0], $0) }
  }

  /// - Parameter body: gets the words as C has them, with a null at the end.
  @unsafe
  private static func withWords<Result>(
    _ words: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
  ) -> Result {
    var pointers = unsafe words.map { unsafe strdup($0) } + [nil]
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe pointers.withUnsafeMutableBufferPointer { unsafe body($0.baseAddress!) }
  }
}
