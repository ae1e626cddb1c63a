import Rally

/// One thing to measure, at one setting of everything.
struct BenchTest {
  enum Work: Equatable {
    /// Tokens of each sequence's prompt.
    case prompt(Int)
    /// Tokens that each sequence generates.
    case generation(Int)
    case promptAndGeneration(Int, Int)
    /// Rows of a rater, each of so many tokens.
    case rating(Int)
    case raggedRating(ClosedRange<Int>)
    case jobs(BenchJobs)
  }

  var work: Work
  /// Tokens that each sequence has in the cache when the clock starts.
  var depth = 0
  /// Sequences, or rows, that are computed together.
  var sequenceCount: Int
  var threadCount: Int
  /// Tokens of a step.
  var batchTokenCount: Int
  var batching: BatchingName
  var cacheType: CacheType
  var exits: DepthArguments

  /// As llama-bench names it.
  var name: String {
    let name =
      switch work {
      case .prompt(let count): "pp\(count)"
      case .generation(let count): "tg\(count)"
      case .promptAndGeneration(let prompt, let generated): "pp\(prompt)+tg\(generated)"
      case .rating(let count): "sc\(count)"
      case .raggedRating(let lengths): "sc\(lengths.lowerBound)-\(lengths.upperBound)"
      case .jobs(let jobs): "job\(jobs.meanLength)±\(jobs.deviation)"
      }
    return depth > 0 ? "\(name) @ d\(depth)" : name
  }

  var promptCount: Int {
    switch work {
    case .prompt(let count), .promptAndGeneration(let count, _), .rating(let count): count
    case .raggedRating(let lengths): lengths.upperBound
    case .generation, .jobs: 0
    }
  }

  var generatedCount: Int {
    switch work {
    case .generation(let count), .promptAndGeneration(_, let count): count
    case .jobs(let jobs): jobs.meanLength
    case .prompt, .rating, .raggedRating: 0
    }
  }

  /// Positions that one sequence needs at least.
  var contextCount: Int {
    switch work {
    // A token to start from.
    case .generation(let count): depth + 1 + count
    case .jobs: 1
    default: depth + promptCount + generatedCount
    }
  }

}

/// Requests in a queue: each generates its own number of tokens after a prompt of one.
struct BenchJobs: Equatable {
  var count: Int
  /// Of the normal distribution of lengths.
  var meanLength: Int
  var deviation: Int
}

enum BatchingName: String, CaseIterable {
  case depth, sequence
}
