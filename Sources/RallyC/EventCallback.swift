import CRally
import Glibc
import Rally

/// The caller's function that sees each token.
@safe
struct EventCallback {
  @unsafe let function: rally_event_callback?
  @unsafe let user: UnsafeMutableRawPointer?

  func callAsFunction(_ event: TokenEvent) -> EventReply {
    guard let function = unsafe function else { return .goOn }
    var value = unsafe rally_event.defaults
    unsafe value.struct_size = MemoryLayout<rally_event>.size
    unsafe value.request = event.request
    unsafe value.index = event.index
    unsafe value.token = event.token ?? -1
    unsafe value.depth = event.depth
    unsafe value.logprob = event.logProbability
    unsafe value.finish_reason = rally_finish_reason(event.finishReason)
    unsafe value.stop_string = Int32(event.stopString ?? -1)
    unsafe value.user = UnsafeMutableRawPointer(bitPattern: event.tag)
    let count = event.topTokens.count
    return unsafe withUnsafeTemporaryAllocation(of: Int32.self, capacity: count) { tokens in
      unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { logprobs in
        for (index, top) in event.topTokens.enumerated() {
          unsafe tokens.initializeElement(at: index, to: top.token)
          unsafe logprobs.initializeElement(at: index, to: top.logProbability)
        }
        unsafe value.top_count = count
        unsafe value.top_tokens = count == 0 ? nil : UnsafePointer(tokens.baseAddress)
        unsafe value.top_logprobs = count == 0 ? nil : UnsafePointer(logprobs.baseAddress)
        unsafe value.cut_length = event.cutByteCount
        return unsafe event.textBytes.withUnsafeBytes { text in
          unsafe value.text = text.isEmpty ? nil : text.baseAddress?.assumingMemoryBound(to: CChar.self)
          unsafe value.text_length = text.count
          return switch calling({ unsafe function(user, &value) }) {
          case 0: .goOn
          case 1: .endSequence
          default: .endAll
          }
        }
      }
    }
  }
}
