import CRally

/// The text of `rally_abi_layout`: made once, kept for the life of the process.
private let layoutText = CText(layoutLines().joined(separator: "\n") + "\n")

/// A line for the struct, and one for each field.
func layout<Struct>(_ name: String, _ fields: [(String, PartialKeyPath<Struct>)]) -> [String] {
  ["\(name) \(MemoryLayout<Struct>.size)"]
    + fields.map { field, path in
      "\(name).\(field) \(MemoryLayout<Struct>.offset(of: path) ?? -1) \(size(of: type(of: path).valueType))"
    }
}

private func size(of type: any Any.Type) -> Int {
  func open<T>(_: T.Type) -> Int { MemoryLayout<T>.size }
  return _openExistential(type, do: open)
}

@c @implementation
public func rally_abi_layout() -> UnsafePointer<CChar>? { unsafe layoutText.pointer }
