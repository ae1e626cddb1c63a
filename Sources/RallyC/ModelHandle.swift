import CRally
import Glibc
import Rally

/// What a `rally_model *` stands for: the model, and its texts as C strings that live as long.
final class ModelHandle: Sendable {
  static let table = HandleTable<ModelHandle>("model", tag: 0)

  let model: Model
  let metadata: [(key: CText, value: CText)]
  let tensorNames: [CText]
  let labels: [CText]

  init(_ model: Model) {
    self.model = model
    metadata = model.metadata.map { (CText($0.key), CText($0.value)) }
    tensorNames = model.tensors.map { CText($0.name) }
    labels = model.info.labels.map { CText($0) }
  }
}
