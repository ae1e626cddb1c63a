import Kernels
package import Files
package import Tensors

/// A folder of prepared files, which any number of processes use at the same time.
///
/// A prepared file is named after the content of its original, the type of the products and the layout of packed weights. So
/// that an original need not be read to be recognised, a small note for each says what it contained when its length, times and
/// place on the disk were the same.
package struct PreparedCache {
  private static let magic = "rally note 1"
  private let folder: String

  /// What a note says.
  package struct Note {
    package let original: PreparedOriginal
    /// What products are computed in where nothing is asked for.
    package let dataType: DataType
  }

  package init(folder: String) { self.folder = folder.hasSuffix("/") ? folder : folder + "/" }

  package func path(_ content: [UInt8], _ dataType: DataType) -> String {
    var digest = Digest()
    digest.absorb(PackedMatrix.layout)
    let layout = Self.hexadecimal(digest.value)
    let name = content.map { Self.hexadecimal(UInt64($0)).suffix(2) }.joined()
    return "\(folder)\(name)-\(dataType)-\(InstructionSet.current)-\(layout).rally"
  }

  /// What is known of an open file; nil for one that is new, or that is not as it was.
  package func note(of file: borrowing OpenedFile) -> Note? {
    do throws(RallyError) {
      let opened = try OpenedFile(path: notePath(file))
      guard 0...(1 << 20) ~= opened.byteCount else { return nil }
      let storage = try AlignedStorage<UInt8>(count: opened.byteCount)
      unsafe try opened.read(into: UnsafeMutableRawBufferPointer(start: storage.base, count: storage.count), at: 0)
      var reader = unsafe PreparedBytesReader(storage.bytes, path: opened.path)
      guard try reader.text() == Self.magic, try reader.text() == file.signature(),
        let type = DataType.allCases.first(where: { [name = try? reader.text()] in $0.description == name })
      else { return nil }
      let original = try PreparedOriginal(&reader)
      guard reader.isAtEnd, original.isUnchanged(alongside: file.path) else { return nil }
      return Note(original: original, dataType: type)
    } catch {
      return nil
    }
  }

  package func write(_ note: Note, of file: borrowing OpenedFile) throws(RallyError) {
    var writer = PreparedBytesWriter()
    writer.append(Self.magic)
    writer.append(file.signature())
    writer.append(note.dataType.description)
    note.original.append(to: &writer)
    var output = try ReplacementFile(path: notePath(file), madeOf: file.path)
    try output.write(writer.bytes)
    try output.commit()
  }

  /// Makes the folder where there is none.
  package func makeFolder() throws(RallyError) { try SystemPath.makeFolder(folder) }

  private func notePath(_ file: borrowing OpenedFile) -> String {
    var digest = Digest()
    digest.absorb(file.signature())
    return "\(folder)\(Self.hexadecimal(digest.value)).note"
  }

  private static func hexadecimal(_ number: UInt64) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

extension PreparedCache.Note {
  package init(_ original: PreparedOriginal, _ dataType: DataType) { (self.original, self.dataType) = (original, dataType) }
}

extension PreparedOriginal {
  /// All files next to `path` are as long and as old as they were.
  fileprivate func isUnchanged(alongside path: String) -> Bool {
    let folder = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? ""
    // The model file itself is the one that is open.
    return files.dropFirst().allSatisfy { FileStamp(path: folder + $0.name) == $0.stamp }
  }
}
