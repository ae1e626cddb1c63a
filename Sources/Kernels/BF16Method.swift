import CKernels
import COneDNN

/// How bf16 weights meet f32 rows.
public enum BF16Method: Sendable, CaseIterable {
  /// Weights are widened to f32 in registers; rows and sums are f32. Our kernel, on every processor.
  case widening
  /// Rows are rounded to bf16, and the processor multiplies bf16 and adds up f32. oneDNN's product.
  case native

  /// The faster one on this processor, chosen once.
  ///
  /// Native where one instruction does twice the work or more: AMD's `vdpbf16ps` (Zen 4, one core: 220 GFLOP/s
  /// against 112 in f32) and Intel's AMX tiles. Intel runs `vdpbf16ps` at half the rate of f32 products (Xeon
  /// with AVX-512, one core: 86 GFLOP/s against 165; widening reaches 156).
  public static let best: BF16Method = {
    let isDouble = rk_processor_is_amd() ? offers(dnnl_cpu_isa_avx512_core_bf16) : offers(dnnl_cpu_isa_avx512_core_amx)
    return isDouble ? .native : .widening
  }()

  /// Whether this processor has it at all.
  public var isAvailable: Bool { self == .widening || Self.offers(dnnl_cpu_isa_avx512_core_bf16) }

  /// Better instruction sets contain the bits of those below.
  private static func offers(_ instructions: dnnl_cpu_isa_t) -> Bool {
    _ = InstructionSet.limit
    return dnnl_get_effective_cpu_isa().rawValue & instructions.rawValue == instructions.rawValue
  }
}
