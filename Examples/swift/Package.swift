// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "rally-story",
  dependencies: [.package(name: "rally", path: "../..")],
  targets: [
    .executableTarget(name: "RallyStory", dependencies: [.product(name: "Rally", package: "rally")])
  ]
)
