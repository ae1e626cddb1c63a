package import Files
import Kernels
package import Models

/// The weights of a model that have hidden units, set by set.
package struct UnitModel: Sendable {
  package let path: String
  package private(set) var sets: [UnitSet]

  package init(path: String, sets: [UnitSet] = []) {
    self.path = path
    self.sets = sets
  }

  /// A model file, a `.safetensors` file, or a folder as Hugging Face's libraries save one. Weights stay in the file.
  ///
  /// - Throws: what opening such a file throws; `unsupported` where no layer is of a known kind.
  package static func open(path: String, limits: ModelLimits = ModelLimits()) throws(RallyError) -> UnitModel {
    var model = UnitModel(path: path)
    if FileIdentity(path: path)?.isFolder == true {
      let folder = try CheckpointFolder(path: path, limits: limits)
      try model.append(folder.files, heads: folder.configuration?.geometry)
    } else if path.hasSuffix(".safetensors") {
      let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
      let configuration = try CheckpointConfiguration(folder: folder, limits: limits)
      try model.append([SafetensorsFile(path: path, limits: limits)], heads: configuration?.geometry)
    } else {
      try model.append(ModelFile.open(path: path, limits: limits))
    }
    guard model.sets.contains(where: { $0.kind == .feedForward || $0.kind == .heads }) else {
      throw RallyError(
        .unsupported, path, expected: "layers named as those of Llama or BERT, such as layers.0.mlp.up_proj.weight",
        found: "none", remedy: "pass the matrices themselves")
    }
    return model
  }

  private mutating func append(_ files: [SafetensorsFile], heads: HeadGeometry?) throws(RallyError) {
    for file in files {
      for name in file.names {
        guard let role = UnitRole(name: name, heads: heads) else { continue }
        try append(UnitMatrix(file.tensor(name), role.layout), role, layer: Self.place(of: role.layer), key: role.suffix)
      }
    }
    // Shards come in the order of their names, layers in that of their numbers.
    sets.sort { Self.isOrdered($0.name, $1.name) }
  }

  private mutating func append(_ file: ModelFile) throws(RallyError) {
    let description = file.description
    let heads = HeadGeometry(
      headCount: description.headCount, groupCount: description.keyValueHeadCount, width: description.headWidth)
    for tensor in file.tensors {
      guard let role = UnitRole(name: tensor.name, heads: heads) else { continue }
      let (layer, recursion) = Self.place(of: role.layer, layers: description.layers)
      let key = recursion.map { "recursion.\($0).\(role.suffix)" } ?? role.suffix
      try append(UnitMatrix(tensor, role.layout), role, layer: layer, key: key)
    }
    sets.sort { Self.isOrdered($0.name, $1.name) }
  }

  private mutating func append(
    _ matrix: UnitMatrix, _ role: UnitRole, layer: String, key: String
  ) throws(RallyError) {
    let name =
      switch role.kind {
      case .feedForward: "\(layer).feed_forward"
      case .heads: "\(layer).attention"
      case .residual: "residual"
      case .head: "head"
      }
    if let index = sets.firstIndex(where: { $0.name == name }) {
      try sets[index].append(matrix, key: key)
    } else {
      var set = UnitSet(name: name, kind: role.kind)
      try set.append(matrix, key: key)
      sets.append(set)
    }
  }

  /// `model.layers.3` and `bert.encoder.layer.3` are `layers.3`; other names stay.
  private static func place(of layer: Substring) -> String {
    var parts = layer.split(separator: ".")
    guard let start = parts.firstIndex(where: { $0 == "layers" || $0 == "layer" }) else { return String(layer) }
    parts[start] = "layers"
    return parts[start...].joined(separator: ".")
  }

  /// `block.3` is `layers.3`, or one more after a first layer; `block.{r}.{j}` is recursion r of a layer.
  private static func place(
    of layer: Substring, layers: ModelDescription.Layers
  ) -> (layer: String, recursion: Int?) {
    let parts = layer.split(separator: ".")
    guard let number = parts.last.flatMap({ Int($0) }) else { return (String(layer), nil) }
    let recursion = parts.count > 2 ? Int(parts[1]) : nil
    switch parts.first {
    case "first": return ("layers.\(number)", nil)
    case "block": return ("layers.\(layers.firstCount + number)", recursion)
    case "last": return ("layers.\(layers.firstCount + layers.blockCount + number)", nil)
    default: return (String(layer), nil)
    }
  }

  /// Numbers as numbers: `layers.9` before `layers.10`.
  private static func isOrdered(_ a: String, _ b: String) -> Bool {
    let (left, right) = (a.split(separator: "."), b.split(separator: "."))
    for (x, y) in zip(left, right) where x != y {
      if let m = Int(x), let n = Int(y) { return m < n }
      return x < y
    }
    return left.count < right.count
  }
}
