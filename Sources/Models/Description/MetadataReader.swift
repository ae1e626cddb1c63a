import Files

/// The `rally.` pairs of a file, taken out one by one; what is left at the end is an error.
///
/// Keys are written without their prefix here.
struct MetadataReader {
  private static let prefix = "rally."
  private let order: [String]
  private var values: [String: String]
  /// `rally.format`: 2 for files that have any of the keys that came later.
  let format: Int

  /// - Throws: `notARallyModel` when no key has the prefix; `duplicateKey`; `unsupportedVersion`.
  init(_ pairs: [MetadataPair]) throws(RallyError) {
    var order: [String] = []
    var values: [String: String] = [:]
    for pair in pairs where pair.key.utf8.starts(with: Self.prefix.utf8) {
      guard values.updateValue(pair.value, forKey: pair.key) == nil else {
        throw RallyError(.duplicateKey, pair.key.quoted, expected: "one value", found: "two")
      }
      order.append(pair.key)
    }
    guard !order.isEmpty else {
      throw RallyError(
        .notARallyModel, "metadata", expected: "keys that begin with \(Self.prefix)", found: "none",
        remedy: "convert the model with python -m rally.convert")
    }
    self.order = order
    guard let text = values.removeValue(forKey: Self.prefix + "format") else {
      throw RallyError(.missingKey, Self.prefix + "format", expected: "a value", found: "no such key")
    }
    self.values = values
    guard let format = Self.integer(text), 1...2 ~= format else {
      throw RallyError(
        .unsupportedVersion, "rally.format", expected: "1 or 2", found: text.quoted,
        remedy: "use a version of the library that is as new as the file")
    }
    self.format = format
  }

  /// - Throws: `unknownKey` for the first key that was not asked for.
  func finish() throws(RallyError) {
    for key in order where values[key] != nil {
      throw RallyError(
        .unknownKey, key.quoted, expected: "only the keys of this kind of model", found: "this one")
    }
  }

  func contains(_ key: String) -> Bool { values[Self.prefix + key] != nil }

  /// A key that only format 2 has: read by `body` when it is there, else nil. In a file of format 1 it is left, and so unknown.
  mutating func ifPresent<Value>(
    _ key: String, _ body: (inout Self) throws(RallyError) -> Value
  ) throws(RallyError) -> Value? {
    guard format > 1, contains(key) else { return nil }
    return try body(&self)
  }

  mutating func text(_ key: String) throws(RallyError) -> String {
    guard let value = values.removeValue(forKey: Self.prefix + key) else {
      throw RallyError(.missingKey, Self.prefix + key, expected: "a value", found: "no such key")
    }
    return value
  }

  mutating func boolean(_ key: String) throws(RallyError) -> Bool {
    switch try text(key) {
    case "true": return true
    case "false": return false
    case let other: throw invalid(key, "true or false", other)
    }
  }

  mutating func choice<Choice>(_ key: String, of: Choice.Type = Choice.self) throws(RallyError) -> Choice
  where Choice: RawRepresentable & CaseIterable, Choice.RawValue == String {
    let value = try text(key)
    guard let choice = Choice(rawValue: value) else {
      throw invalid(key, Choice.allCases.map(\.rawValue).joined(separator: ", "), value)
    }
    return choice
  }

  mutating func integer(_ key: String, _ range: ClosedRange<Int>) throws(RallyError) -> Int {
    let value = try text(key)
    guard let number = Self.integer(value), range.contains(number) else {
      throw invalid(key, "a whole number from \(range.lowerBound) to \(range.upperBound)", value)
    }
    return number
  }

  /// A decimal of which `condition` holds; `expected` says it in words.
  mutating func decimal(
    _ key: String, _ expected: String, where condition: (Double) -> Bool
  ) throws(RallyError) -> Double {
    let value = try text(key)
    guard let number = Self.decimal(value), condition(number) else { throw invalid(key, expected, value) }
    return number
  }

  /// As `decimal`, `none` being nil.
  mutating func optionalDecimal(
    _ key: String, _ expected: String, where condition: (Double) -> Bool
  ) throws(RallyError) -> Double? {
    let value = try text(key)
    if value == "none" { return nil }
    guard let number = Self.decimal(value), condition(number) else {
      throw invalid(key, "\(expected), or none", value)
    }
    return number
  }

  /// `count` decimals between commas.
  mutating func decimals(
    _ key: String, count: Int, per unit: String = "recursion", _ expected: String, where condition: (Double) -> Bool
  ) throws(RallyError) -> [Double] {
    let value = try text(key)
    let parts = value.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    guard parts.count == count else {
      throw invalid(key, "\(count) numbers, one per \(unit)", "\(parts.count)")
    }
    var numbers: [Double] = []
    for part in parts {
      guard let number = Self.decimal(String(Substring(part))), condition(number) else {
        throw invalid(key, "each \(expected)", value)
      }
      numbers.append(number)
    }
    return numbers
  }

  /// What stands between commas; an empty text is an empty list.
  ///
  /// - Parameter count: how many there must be, one per `unit`; nil for any number.
  mutating func list<Value>(
    _ key: String, count: Int? = nil, per unit: String = "",
    of element: (borrowing Self, String) throws(RallyError) -> Value
  ) throws(RallyError) -> [Value] {
    let value = try text(key)
    let parts = value.isEmpty ? [] : value.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    guard parts.count == count ?? parts.count else {
      throw invalid(key, "\(count ?? 0) entries, one per \(unit)", "\(parts.count)")
    }
    var list: [Value] = []
    for part in parts { list.append(try element(self, String(Substring(part)))) }
    return list
  }

  /// `true` for all of the names, `false` for none, or in format 2 those that have one, between commas.
  mutating func biases<Biases: OptionSet>(
    _ key: String, _ names: KeyValuePairs<String, Biases>
  ) throws(RallyError) -> Biases where Biases.Element == Biases {
    var all = Biases()
    for (_, bias) in names { all.formUnion(bias) }
    let value = try text(key)
    if value == "true" || value == "false" { return value == "true" ? all : [] }
    guard format > 1, !value.isEmpty else { throw invalid(key, "true or false", value) }
    var biases = Biases()
    for part in value.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      guard let bias = names.first(where: { $0.key.utf8.elementsEqual(part) })?.value, !biases.isSuperset(of: bias) else {
        throw invalid(key, "true, false, or some of \(names.map(\.key).joined(separator: ","))", value)
      }
      biases.formUnion(bias)
    }
    return biases
  }

  /// A token id below `vocabularySize`, or `none`.
  mutating func token(_ key: String, below vocabularySize: Int) throws(RallyError) -> Int32? {
    let value = try text(key)
    if value == "none" { return nil }
    guard let number = Self.integer(value), number < vocabularySize, let id = Int32(exactly: number) else {
      throw invalid(key, "a token id below \(vocabularySize), or none", value)
    }
    return id
  }

  func invalid(_ key: String, _ expected: String, _ found: String) -> RallyError {
    RallyError(.invalidValue, Self.prefix + key, expected: expected, found: found.quoted)
  }
}

extension MetadataReader {
  /// Digits without a sign or leading zeros.
  static func integer(_ text: String) -> Int? {
    let digits = text.utf8
    guard !digits.isEmpty, digits.count <= 19, digits.allSatisfy({ (48...57).contains($0) }),
      digits.count == 1 || digits.first != UInt8(ascii: "0")
    else { return nil }
    return Int(text)
  }

  /// A finite decimal; no hexadecimal, no names, no spaces.
  static func decimal(_ text: String) -> Double? {
    let characters = text.utf8
    let isDecimal = characters.allSatisfy { character in
      switch character {
      case 48...57, UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"), UInt8(ascii: "-"), UInt8(ascii: "+"): true
      default: false
      }
    }
    guard isDecimal, characters.count <= 64, let number = Double(text), number.isFinite else { return nil }
    return number
  }
}
