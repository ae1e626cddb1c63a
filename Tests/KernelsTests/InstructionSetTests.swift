import CKernels
import Glibc
import Testing

@testable import Kernels

/// Every bound of `RALLY_MAX_CPU_ISA` in a child process: the bound is read once and is global.
@Suite struct InstructionSetTests {
  @Test func sse4() async {
    await #expect(processExitsWith: .success) { try Self.checkKernels(under: .sse4) }
  }

  @Test func avx2() async {
    await #expect(processExitsWith: .success) { try Self.checkKernels(under: .avx2) }
  }

  @Test func avx512() async {
    await #expect(processExitsWith: .success) { try Self.checkKernels(under: .avx512) }
  }

  @Test(arguments: [("AVX3", "avx512"), ("AVX3_ZEN4", "avx512"), ("AVX2", "avx2"), ("SSE4", "sse4"), ("EMU128", "sse2")])
  func namesAreThoseOfTheHeader(target: String, name: String) {
    #expect(InstructionSet.name(ofTarget: target) == name)
  }

  static func checkKernels(under limit: InstructionSet) throws {
    unsafe setenv("RALLY_MAX_CPU_ISA", limit.rawValue, 1)
    let expected = [InstructionSet.sse4: ["sse4"], .avx2: ["avx2", "sse4"], .avx512: ["avx512", "avx2", "sse4"]]
    #expect(expected[limit]?.contains(InstructionSet.current) == true)

    let products = MatMulTests()
    for form in ProductForm.available {
      for size in [(3, 17, 5), (15, 25, 64), (65, 40, 300), (2, 576, 100)] {
        try products.matchesTwin(form: form, size: size)
      }
      try products.aRowIsTheSameForEveryNumberOfRowsAndThreads(form: form, size: (100, 33))
      try products.sourcesAreStackedAndCanBeAskedForAlone(form: form)
      try products.aRowDoesNotDependOnStrides(form: form)
    }
    for size in MatMulTests.sizes { try products.int8IsExact(size: size) }
    try products.int8SumsDoNotOverflow()
    try products.int8RowsOfZerosAndOfTinyNumbersGiveZeros()
    for count in [0, 127, 128, 300] { DigestTests().lanesMatchTheTwin(count: count) }
    DigestTests().itIsTheSameEverywhere()
    let attention = AttentionTests()
    attention.matchesTwin(shape: (6, 2, 34), length: 130)
    attention.companionsAndGroupsDoNotChangeABit(shape: (6, 3, 64))
    for width in tails.dropFirst() {
      NormTests().rmsMatchesTwin(width: width)
      NormTests().layerMatchesTwin(width: width, hasBias: true)
      RowsTests().dotMatchesTwin(count: width)
      RowsTests().int8RowsMatchTheTwin(count: width)
      SamplingTests().logSumExpSoftmaxAndArgmax(count: width)
    }
    for activation in Activation.allCases {
      try ActivationTests().matchesTwinOnAGrid(f: activation)
      ActivationTests().anElementDoesNotDependOnItsPlace(f: activation)
      ActivationTests().notANumberStays(f: activation)
    }
    try RowsTests().ropeMatchesTwin(width: 34)
    RowsTests().everyHalfConvertsExactly()
    RowsTests().bf16RoundsToNearestEven()
  }
}
