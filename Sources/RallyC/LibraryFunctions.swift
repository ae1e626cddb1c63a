import CHost
import CKernels
public import CRally
import CStatistics
import Kernels
import Rally

@c @implementation
public func rally_version() -> UnsafePointer<CChar>? {
  unsafe staticText("\(RALLY_VERSION_MAJOR).\(RALLY_VERSION_MINOR).\(RALLY_VERSION_PATCH)")
}

@c @implementation
public func rally_version_number() -> UInt32 {
  UInt32(RALLY_VERSION_MAJOR * 1_000_000 + RALLY_VERSION_MINOR * 1000 + RALLY_VERSION_PATCH)
}

@c @implementation
public func rally_build_info() -> UnsafePointer<CChar>? {
  let version = "\(RALLY_VERSION_MAJOR).\(RALLY_VERSION_MINOR).\(RALLY_VERSION_PATCH)"
  let inside = unsafe "highway \(String(cString: rk_highway_version()))\nboost \(String(cString: rs_boost_version()))"
  return unsafe staticText("version \(version)\n\(String(cString: rh_build()))\n\(inside)")
}

@c @implementation
public func rally_instruction_set() -> UnsafePointer<CChar>? {
  unsafe staticText(InstructionSet.current)
}

@c @implementation
public func rally_status_name(_ status: rally_status) -> UnsafePointer<CChar>? {
  unsafe staticText(name(of: status))
}

/// `RALLY_NOT_FINITE` of `.notFinite`: the header's names are the engine's in capitals.
private func name(of status: rally_status) -> String {
  if status == RALLY_OK { return "RALLY_OK" }
  guard let raw = Int32(exactly: status.rawValue), let code = RallyError.Code(rawValue: raw) else {
    return "RALLY_UNKNOWN_STATUS"
  }
  var name = "RALLY_"
  for character in "\(code)" {
    if character.isUppercase { name += "_" }
    name += character.uppercased()
  }
  return name
}
