import CKernels

/// How bf16 weights meet f32 rows.
public enum BF16Method: Sendable, CaseIterable {
  /// Weights are widened to f32 in registers; rows and sums are f32. Our kernel, on every processor.
  case widening
  /// Rows are rounded to bf16, and the processor multiplies bf16 and adds up f32.
  case native

  /// The faster one on this processor, chosen once.
  ///
  /// Native where one instruction does twice the work: AMD's `vdpbf16ps` (Zen 4, one core: 220 GFLOP/s
  /// against 112 in f32). Intel runs it at half the rate of f32 products (Xeon with AVX-512, one core: 86 GFLOP/s
  /// against 165; widening reaches 156). Intel's AMX tiles are not used.
  public static let best: BF16Method = rk_processor_is_amd() && native.isAvailable ? .native : .widening

  /// Whether this processor has it at all.
  public var isAvailable: Bool {
    _ = InstructionSet.limit
    return self == .widening || rk_multiplies_bf16()
  }
}
