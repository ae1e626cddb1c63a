import Files
import Glibc
import Models
import TestSupport
import Testing

/// Tensors whose data lies in another file, and the ways in which it must not.
@Suite struct ExternalDataTests {
  let folder = TemporaryFolder()
  static let values: [Float] = [1, 2, 3, 4]

  /// `norm.weight` at offset 8 of its file.
  func model(_ pairs: [(String, String)]) -> [UInt8] {
    var fixture = ModelFixture.vanilla
    fixture.change("norm.weight") { $0.payload = .external(pairs) }
    return fixture.bytes
  }

  func code(_ pairs: [(String, String)]) throws -> RallyError.Code? {
    let path = folder.write("model.onnx", model(pairs))
    do throws(RallyError) {
      _ = try ModelFile.open(path: path)
      return nil
    } catch {
      #expect(error.message.contains(error.code == .notAFile ? folder.path : "norm.weight"))
      return error.code
    }
  }

  @Test(arguments: [
    [("location", "w"), ("offset", "8"), ("length", "16")],
    [("location", "w"), ("offset", "8")],
    [("location", "w"), ("offset", "8"), ("length", "0")],
    [("location", "./w"), ("offset", "8"), ("length", "16"), ("checksum", "0")],
  ])
  func reads(_ pairs: [(String, String)]) throws {
    _ = folder.write("w", Array(repeating: 0, count: 8) + TensorFixture.bytes(Self.values))
    let path = folder.write("model.onnx", model(pairs))
    for copies in [false, true] {
      var limits = ModelLimits()
      limits.copiesFiles = copies
      let file = try ModelFile.open(path: path, limits: limits)
      #expect(file.tensor(named: "norm.weight")?.floats() == Self.values)
    }
  }

  @Test(arguments: [
    ("", "0", "16", RallyError.Code.externalDataForbidden),
    ("/etc/passwd", "0", "16", .externalDataForbidden),
    ("../w", "0", "16", .externalDataForbidden),
    ("a/../w", "0", "16", .externalDataForbidden),
    ("w\0x", "0", "16", .externalDataForbidden),
    ("out", "0", "16", .externalDataForbidden),
    ("missing", "0", "16", .externalDataMissing),
    ("w/x", "0", "16", .externalDataMissing),
    (".", "0", "16", .notAFile),
    ("empty", "0", "16", .externalDataRange),
    ("w", "9", "16", .externalDataRange),
    ("w", "24", "16", .externalDataRange),
    ("w", "999999999999999999", "16", .externalDataRange),
    ("w", "-8", "16", .externalDataRange),
    ("w", "x", "16", .externalDataRange),
    ("w", "0", "x", .externalDataRange),
    ("w", "0", "15", .truncatedData),
    ("w", "0", "17", .truncatedData),
  ])
  func refuses(_ location: String, _ offset: String, _ length: String, _ expected: RallyError.Code) throws {
    _ = folder.write("w", Array(repeating: 0, count: 24))
    _ = folder.write("empty", [])
    let elsewhere = TemporaryFolder()
    _ = elsewhere.write("w", Array(repeating: 0, count: 24))
    #expect(unsafe symlink(elsewhere.path + "/w", folder.path + "/out") == 0)
    let found = try withExtendedLifetime(elsewhere) {
      try code([("location", location), ("offset", offset), ("length", length)])
    }
    #expect(found == expected)
  }

  /// A cache of links: the model and its data are links into a folder of blobs.
  @Test func linksIntoTheRealFolder() throws {
    let snapshot = TemporaryFolder()
    let model = folder.write("blob1", model([("location", "w"), ("offset", "8")]))
    let data = folder.write("blob2", Array(repeating: 0, count: 8) + TensorFixture.bytes(Self.values))
    #expect(unsafe symlink(model, snapshot.path + "/model.onnx") == 0)
    #expect(unsafe symlink(data, snapshot.path + "/w") == 0)
    let file = try ModelFile.open(path: snapshot.path + "/model.onnx")
    #expect(file.tensor(named: "norm.weight")?.floats() == Self.values)
  }

  @Test func notFiniteDataIsNamed() throws {
    _ = folder.write("w", TensorFixture.bytes([1, 2, Float.nan, 4]))
    #expect(try code([("location", "w")]) == .notFinite)
  }
}
