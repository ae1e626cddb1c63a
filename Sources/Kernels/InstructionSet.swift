import CKernels
import COneDNN
import Glibc
public import Tensors

/// The processor features that kernels use.
///
/// They are chosen at run time. The environment variable `RALLY_MAX_CPU_ISA` (`sse4`, `avx2` or
/// `avx512`) forbids the better ones, to reproduce the numbers of another machine. It is read once, before
/// the first worker pool, product or `current`, and then reaches the whole process: Highway's and oneDNN's
/// choices are global, so hosts that use either library share it. Unset, nothing global is touched.
public enum InstructionSet: String, Sendable, CaseIterable {
  case sse4, avx2, avx512

  /// The bound in force, from the environment; nil when there is none, or none that is understood.
  public static let limit: InstructionSet? = {
    guard let value = unsafe getenv("RALLY_MAX_CPU_ISA") else { return nil }
    let limit = InstructionSet(rawValue: unsafe String(cString: value))
    limit?.restrict()
    return limit
  }()

  /// Name of the instruction set that Highway kernels use now: `avx512`, `avx2`, `sse4`, `sse2`, `neon`, or
  /// Highway's own name in small letters.
  public static var current: String {
    _ = limit
    let name = unsafe String(cString: rk_target_name()).lowercased()
    return name.hasPrefix("avx3") ? "avx512" : name
  }

  /// - Throws: `invalidArgument` when the environment names an instruction set that does not exist.
  public static func checkEnvironment() throws(RallyError) {
    guard let value = unsafe getenv("RALLY_MAX_CPU_ISA") else { return }
    let name = unsafe String(cString: value)
    guard InstructionSet(rawValue: name) == nil else { return }
    throw RallyError(
      .invalidArgument, "RALLY_MAX_CPU_ISA in the environment", expected: "sse4, avx2 or avx512",
      found: "'\(name)'")
  }

  private func restrict() {
    switch self {
    case .sse4:
      rk_limit_targets(rk_limit_sse4)
      _ = dnnl_set_max_cpu_isa(dnnl_cpu_isa_sse41)
    case .avx2:
      rk_limit_targets(rk_limit_avx2)
      _ = dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx2)
    case .avx512:
      _ = dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx512_core)
    }
  }
}
