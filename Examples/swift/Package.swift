// swift-tools-version: 6.2
import PackageDescription

let rally: Target.Dependency = .product(name: "Rally", package: "rally")

let package = Package(
  name: "rally-story",
  dependencies: [.package(name: "rally", path: "../..")],
  targets: [
    .executableTarget(name: "Quickstart", dependencies: [rally]),
    .executableTarget(name: "RallyStory", dependencies: [rally]),
  ]
)
