import CKernels
public import Files
import Glibc

/// The processor features that kernels use.
///
/// They are chosen at run time. The environment variable `RALLY_MAX_CPU_ISA` (`sse4`, `avx2` or
/// `avx512`) forbids the better ones, to reproduce the numbers of another machine. It is read once, before
/// the first worker pool, product or `current`.
public enum InstructionSet: String, Sendable, CaseIterable {
  case sse4, avx2, avx512

  /// What the environment asks for, read once: the host may set variables later, while another of its threads is here.
  private static let wanted: String? = unsafe getenv("RALLY_MAX_CPU_ISA").map { unsafe String(cString: $0) }

  /// The bound in force, from the environment; nil when there is none, or none that is understood.
  public static let limit: InstructionSet? = {
    let limit = wanted.flatMap(InstructionSet.init(rawValue:))
    limit?.restrict()
    return limit
  }()

  /// Name of the instruction set that Highway kernels use now: `avx512`, `avx2`, `sse4`, `sse2`, `neon`, or
  /// Highway's own name in small letters.
  public static var current: String {
    _ = limit
    return unsafe name(ofTarget: String(cString: rk_target_name()))
  }

  /// Highway's name of its code for any processor says nothing of what the compiler made of it.
  static func name(ofTarget target: String) -> String {
    if target.hasPrefix("AVX3") { return "avx512" }
    #if arch(x86_64)
      if target == "EMU128" { return "sse2" }
    #endif
    return target.lowercased()
  }

  /// - Throws: `invalidArgument` when the environment names an instruction set that does not exist.
  public static func checkEnvironment() throws(RallyError) {
    guard let wanted, InstructionSet(rawValue: wanted) == nil else { return }
    throw RallyError(
      .invalidArgument, "RALLY_MAX_CPU_ISA in the environment", expected: "sse4, avx2 or avx512",
      found: "'\(wanted)'")
  }

  private func restrict() {
    switch self {
    case .sse4: rk_limit_targets(rk_limit_sse4)
    case .avx2: rk_limit_targets(rk_limit_avx2)
    case .avx512: rk_limit_targets(rk_limit_none)
    }
  }
}
