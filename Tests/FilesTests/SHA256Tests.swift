import CDigests
import Files
import Testing

/// Vectors of FIPS 180-4 and of NIST's CAVP (short and long messages).
struct SHA256Tests {
  private func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }

  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    (
      "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
      "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
    ),
  ])
  func published(message: String, digest: String) {
    #expect(hexadecimal(SHA256.digest(message.utf8)) == digest)
  }

  @Test func aMillionLetters() {
    let digest = SHA256.digest([UInt8](repeating: 0x61, count: 1_000_000))
    #expect(hexadecimal(digest) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  /// Every length around two blocks, in pieces, from a copy that has gone another way meanwhile.
  @Test(arguments: 0..<131)
  func piecesMakeAWhole(length: Int) {
    let message = (0..<length).map { UInt8($0) }
    let whole = SHA256.digest(message)
    for cut in stride(from: 0, through: length, by: 7) {
      var first = SHA256()
      first.update(message[..<cut])
      var second = first
      first.update([1, 2, 3])
      second.update(message[cut...])
      #expect(second.finalize() == whole)
    }
  }

  /// The processor's own instructions, where it has them, against plain code.
  @Test func instructionsAgreeWithPlainCode() {
    var random = SystemRandomNumberGenerator()
    let blocks = (0..<64 * 33).map { _ in UInt8.random(in: 0...255, using: &random) }
    for count in [0, 1, 2, 33] {
      var (one, other) = ([UInt32](1...8), [UInt32](1...8))
      unsafe rd_sha256(&one, blocks, count)
      unsafe rd_sha256_portable(&other, blocks, count)
      #expect(one == other, "\(blocks)")
    }
  }
}
