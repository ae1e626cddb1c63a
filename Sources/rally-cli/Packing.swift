import CPacking
import Glibc

/// How the bytes of a file are packed, by its first ones.
enum Packing: CaseIterable {
  case gzip, zstd, bzip2, xz, lzma, lz4, parquet, zip

  /// Enough bytes to tell all from each other.
  static let longestMark = 6

  var marks: [[UInt8]] {
    switch self {
    case .gzip: [[0x1F, 0x8B, 0x08]]
    // Or a frame without data, with which some tools begin (pzstd, with the sizes).
    case .zstd: [[0x28, 0xB5, 0x2F, 0xFD]] + (0x50...0x5F).map { [$0, 0x2A, 0x4D, 0x18] }
    case .bzip2: [Array("BZh".utf8)]
    case .xz: [[0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]]
    case .lzma: [[0x5D, 0x00, 0x00]]
    case .lz4: [[0x04, 0x22, 0x4D, 0x18]]
    case .parquet: [Array("PAR1".utf8)]
    case .zip: [Array("PK\u{3}\u{4}".utf8)]
    }
  }

  static func of(_ bytes: some Collection<UInt8>) -> Packing? {
    allCases.first { $0.marks.contains { bytes.starts(with: $0) } }
  }

  /// Whether more bytes could make it one.
  static func mayBegin(with bytes: [UInt8]) -> Bool {
    !bytes.isEmpty && allCases.contains { $0.marks.contains { bytes.count < $0.count && $0.starts(with: bytes) } }
  }

  /// What to do where this program cannot read it.
  var advice: String {
    switch self {
    case .gzip, .zstd: ""
    case .bzip2: "packed with bzip2; bzcat FILE | rally score …, or python -m rally.score"
    case .xz: "packed with xz; xzcat FILE | rally score …, or python -m rally.score"
    case .lzma: "packed with lzma; xzcat FILE | rally score …, or python -m rally.score"
    case .lz4: "packed with lz4; lz4cat FILE | rally score …, or python -m rally.score"
    case .parquet: "a Parquet file; python -m rally.score RATER.onnx FILE --out DIR reads it"
    case .zip: "a zip archive; unzip -p FILE | rally score …, or python -m rally.score RATER.onnx zip://*.jsonl::FILE --out DIR"
    }
  }
}
