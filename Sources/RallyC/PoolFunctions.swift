public import CRally
import Kernels
import Rally

/// What a `rally_pool *` stands for: threads that live until nothing computes with them.
private let poolTable = HandleTable<WorkerPool>("pool", tag: 6)

@c @implementation
public func rally_pool_open(
  _ threads: UInt32, _ pool: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let result = try unsafe required(pool, "pool")
    let opened = try WorkerPool(threadCount: threads == 0 ? nil : Int(threads))
    unsafe result.pointee = try poolTable.insert(opened)
  }
}

@c @implementation
public func rally_pool_close(_ pool: OpaquePointer?) {
  closing { _ = unsafe poolTable.remove(pool) }
}

/// The pool of options; nil for none.
/// - Throws: `invalidArgument` alongside a number of threads, and what the handle throws.
func sharedPool(_ pool: OpaquePointer?, threads: UInt32) throws(RallyError) -> WorkerPool? {
  guard let pool = unsafe pool else { return nil }
  guard threads == 0 else {
    throw RallyError(.invalidArgument, "threads", expected: "0 with a pool, which has its own", found: "\(threads)")
  }
  return try unsafe poolTable.object(pool)
}
