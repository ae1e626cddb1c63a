import Glibc

/// A loop's body without its type: what helpers need to know of a `Job`.
protocol AnyJob {
  /// Runs one index of the job of this type that `job` points to.
  static func run(_ job: UnsafeRawPointer, index: Int, worker: Int)
}

struct Job<Context>: AnyJob {
  var context: Context
  var body: (Context, Int, Int) -> Void

  static func run(_ job: UnsafeRawPointer, index: Int, worker: Int) {
    unsafe job.withMemoryRebound(to: Self.self, capacity: 1) { job in
      unsafe job.pointee.body(job.pointee.context, index, worker)
    }
  }
}
