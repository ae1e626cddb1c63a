import Glibc
import Models
import Tensors
import Testing

/// Files that the converter wrote, in the folder that `RALLY_TEST_MODELS` names.
enum ConvertedModels {
  static let folder: String? = unsafe getenv("RALLY_TEST_MODELS").map { unsafe String(cString: $0) }

  static let files: [String] = {
    guard let folder, let directory = unsafe opendir(folder) else { return [] }
    defer { unsafe _ = closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name.hasSuffix(".onnx") { names.append(folder + "/" + name) }
    }
    return names.sorted()
  }()
}

@Suite(.enabled(if: ConvertedModels.folder != nil))
struct ConvertedModelTests {
  @Test(arguments: ConvertedModels.files)
  func opens(path: String) throws {
    var lines: [String] = []
    let file = try ModelFile.open(path: path) { lines.append($1) }
    #expect(file.tensors.count >= 10)
    #expect(lines == ["the ONNX checker and shape inference passed"])
  }
}
