// swift-tools-version: 6.2
import PackageDescription

// The shared library, product `RallyC`, carries its Swift runtime, a SONAME and only the `rally_*` symbols; `make build`
// strips it into librally.so.0. SwiftPM has no settings for these, and `unsafeFlags` would break `swift test -c release`,
// so the Makefile asks for them by this variable.
let linksLibrary = Context.environment["RALLY_LINK_LIBRARY"] == "1"

let swift: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

/// What the library's locks are made of, through CHost/forks.c, and how its runtime looks around, through CHost/runtime.c.
let hostSafety = [
  "pthread_mutex_lock", "pthread_mutex_unlock", "pthread_cond_wait", "pthread_cond_timedwait", "__cxa_guard_acquire",
  "__cxa_guard_release", "__cxa_guard_abort", "_ZN5swift14threading_impl9once_slowERNS0_6once_tEPFvPvES3_", "getenv",
  "_ZN5swift7runtime11environment10initializeEPv",
].flatMap { ["-Xlinker", "--wrap=\($0)"] }

let librarySettings: [LinkerSetting] =
  linksLibrary
  ? [
    .unsafeFlags(
      [
        "-use-ld=lld", "-static-stdlib",
        "-Xlinker", "-soname=librally.so.0",
        "-Xlinker", "--version-script=\(Context.packageDirectory)/Sources/RallyC/exports.map",
        "-Xlinker", "--gc-sections",
        // The Swift runtime cannot be unloaded: closing the library and opening it again must find it in place.
        "-Xlinker", "-z", "-Xlinker", "nodelete",
      ] + hostSafety)
  ]
  : []

// lld, because gold warns of a `mktemp` in the Swift standard library.
let executableSettings: [LinkerSetting] =
  linksLibrary
  ? [.unsafeFlags(["-use-ld=lld", "-Xlinker", "--gc-sections", "-Xlinker", "--strip-all"] + hostSafety)]
  : []

// The shared library opens the reader of ONNX files, librally-onnx.so.0, when it opens a file; `make build` makes that of
// the same sources. Everything else that SwiftPM builds has the reader inside.
let onnx: Target =
  linksLibrary
  ? .target(name: "COnnx", dependencies: ["CHost"], path: "Sources/COnnxLoader", cSettings: [.headerSearchPath("../../include")])
  : .target(
    name: "COnnx", exclude: ["exports.map"],
    cxxSettings: [.headerSearchPath("../../include"), .define("ONNX_NAMESPACE", to: "onnx"), .define("ONNX_ML")],
    linkerSettings: [.linkedLibrary("onnx"), .linkedLibrary("onnx_proto"), .linkedLibrary("protobuf")])

let package = Package(
  name: "rally",
  products: [
    .library(name: "Rally", targets: ["Rally"]),
    .library(name: "RallyC", type: .dynamic, targets: ["RallyC"]),
    .executable(name: "rally", targets: ["rally-cli"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0")
  ],
  targets: [
    // C and C++ leaves: pointers in, numbers out.
    .systemLibrary(name: "CRally", path: "include"),
    .target(
      name: "CHost",
      cSettings: [.define("RALLY_COMMIT", to: "\"\(Context.gitInformation?.currentCommit ?? "unknown")\"")]
        + (linksLibrary ? [.define("RALLY_LINK_LIBRARY")] : [])),
    onnx,
    .target(
      name: "CKernels",
      // Highway compiles its includer once per instruction set and must find it by name.
      cxxSettings: [.headerSearchPath("."), .unsafeFlags(["-O3"])]),
    .target(name: "CStatistics"),
    .target(name: "CPacking", linkerSettings: [.linkedLibrary("z"), .linkedLibrary("zstd")]),
    .target(name: "CDigests"),

    // The engine, each target importing only what stands above it.
    .target(name: "Files", dependencies: ["CDigests", "CHost"], swiftSettings: swift),
    .target(name: "Tensors", dependencies: ["Files", "CHost"], swiftSettings: swift),
    .target(name: "JSON", swiftSettings: swift),
    .target(name: "Templates", swiftSettings: swift),
    .target(name: "Kernels", dependencies: ["Files", "Tensors", "CHost", "CKernels"], swiftSettings: swift),
    .target(name: "Tokenization", dependencies: ["Files", "Tensors"], swiftSettings: swift),
    .target(name: "Scheduling", swiftSettings: swift),
    .target(
      name: "Models", dependencies: ["Files", "Tensors", "JSON", "Kernels", "Tokenization", "Scheduling", "COnnx"], swiftSettings: swift),
    .target(name: "Lineage", dependencies: ["Files", "Tensors", "JSON", "Kernels", "Models"], swiftSettings: swift),
    .target(name: "Curation", dependencies: ["Files", "CStatistics"], swiftSettings: swift),
    .target(name: "Execution", dependencies: ["Files", "Tensors", "Kernels", "Models", "Scheduling"], swiftSettings: swift),
    .target(
      name: "Engine", dependencies: ["Files", "Tensors", "Kernels", "Tokenization", "Models", "Scheduling", "Execution"],
      swiftSettings: swift),
    .target(
      name: "Rally",
      dependencies: [
        "CHost", "Files", "Tensors", "Kernels", "Tokenization", "Models", "Lineage", "Curation", "Scheduling", "Execution", "Engine",
      ],
      // Hosts of the shared library have no Swift tasks, and the runtime of those is as large as a tenth of it.
      exclude: linksLibrary ? ["Client"] : [], swiftSettings: swift),
    .target(
      name: "RallyC",
      dependencies: ["Rally", "Curation", "Lineage", "Files", "Tensors", "Kernels", "CHost", "CKernels", "CStatistics", "CRally"],
      exclude: ["exports.map"],
      swiftSettings: swift, linkerSettings: librarySettings),
    .executableTarget(
      name: "rally-cli",
      dependencies: [
        "Rally", "Curation", "Lineage", "Files", "Tokenization", "Kernels", "Execution", "JSON", "Templates", "CRally", "CPacking",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: swift, linkerSettings: executableSettings),
    // What tests of several targets share.
    .target(name: "TestSupport", dependencies: ["Rally", "Tensors"], path: "Tests/Support", swiftSettings: swift),
    .testTarget(name: "FilesTests", dependencies: ["Files", "CDigests"], swiftSettings: swift),
    .testTarget(name: "JSONTests", dependencies: ["JSON"], swiftSettings: swift),
    .testTarget(name: "TemplatesTests", dependencies: ["Templates"], swiftSettings: swift),
    .testTarget(name: "KernelsTests", dependencies: ["Kernels", "Tensors", "CKernels"], swiftSettings: swift),
    .testTarget(name: "TokenizationTests", dependencies: ["Files", "Tensors", "Tokenization"], swiftSettings: swift),
    .testTarget(name: "SchedulingTests", dependencies: ["Scheduling"], swiftSettings: swift),
    .testTarget(name: "ModelsTests", dependencies: ["Files", "Tensors", "Kernels", "Models", "TestSupport"], swiftSettings: swift),
    .testTarget(name: "LineageTests", dependencies: ["Files", "Kernels", "Lineage", "TestSupport"], swiftSettings: swift),
    .testTarget(name: "CurationTests", dependencies: ["Files", "Curation"], swiftSettings: swift),
    .testTarget(
      name: "ExecutionTests", dependencies: ["Files", "Tensors", "Kernels", "Models", "Scheduling", "Execution"], swiftSettings: swift),
    .testTarget(name: "EngineTests", dependencies: ["Rally", "Engine", "TestSupport"], swiftSettings: swift),
    .testTarget(name: "RallyTests", dependencies: ["Rally", "TestSupport"], swiftSettings: swift),
  ],
  cxxLanguageStandard: .cxx17
)
