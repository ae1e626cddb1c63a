/// A small model file to be written, right until a test spoils it.
struct ModelFixture {
  var intermediateVersion: Int64? = 8
  var operatorSets: [(domain: String, version: Int64)] = [("", 17)]
  var metadata: [(key: String, value: String)]
  var tensors: [TensorFixture]
  var operatorType = "Identity"
  /// Fields of ModelProto after all others.
  var trailing = ProtobufMessage()

  subscript(key: String) -> String? {
    get { metadata.first { $0.key == "rally." + key }?.value }
    set {
      let place = metadata.firstIndex { $0.key == "rally." + key }
      if let place { metadata.remove(at: place) }
      if let newValue { metadata.insert(("rally." + key, newValue), at: place ?? metadata.count) }
    }
  }

  mutating func change(_ name: String, _ change: (inout TensorFixture) -> Void) {
    for index in tensors.indices where tensors[index].name == name { change(&tensors[index]) }
  }

  mutating func remove(_ name: String) { tensors.removeAll { $0.name == name } }

  var bytes: [UInt8] {
    var model = ProtobufMessage()
    if let intermediateVersion { model.add(1, number: intermediateVersion) }
    model.add(2, text: "test")
    model.add(7, message: graph)
    for set in operatorSets {
      var message = ProtobufMessage()
      message.add(1, text: set.domain)
      message.add(2, number: set.version)
      model.add(8, message: message)
    }
    for pair in metadata { model.add(14, message: .pair(pair.key, pair.value)) }
    model.append(trailing.bytes)
    return model.bytes
  }

  /// One node, which the checker accepts; the engine does not look at it.
  private var graph: ProtobufMessage {
    var node = ProtobufMessage()
    node.add(1, text: "input_ids")
    node.add(2, text: "depth")
    node.add(4, text: operatorType)
    var graph = ProtobufMessage()
    graph.add(1, message: node)
    graph.add(2, text: "test")
    for tensor in tensors { graph.add(5, message: tensor.message) }
    graph.add(11, message: Self.value("input_ids"))
    graph.add(12, message: Self.value("depth"))
    return graph
  }

  /// An int64 value of shape [B, T].
  private static func value(_ name: String) -> ProtobufMessage {
    var shape = ProtobufMessage()
    for symbol in ["B", "T"] {
      var dimension = ProtobufMessage()
      dimension.add(2, text: symbol)
      shape.add(1, message: dimension)
    }
    var tensor = ProtobufMessage()
    tensor.add(1, number: 7)
    tensor.add(2, message: shape)
    var type = ProtobufMessage()
    type.add(1, message: tensor)
    var value = ProtobufMessage()
    value.add(1, text: name)
    value.add(2, message: type)
    return value
  }
}
