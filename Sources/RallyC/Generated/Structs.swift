// Written by `make generate` from include/rally.h: change the header, not this file.

public import CRally
import Rally

extension rally_error: SizedStruct {
  static var defaults: Self { Self() }
  static var structName: String { "rally_error" }
}

extension rally_model_options: SizedStruct {
  static var defaults: Self {
    var value = unsafe Self()
    unsafe value.share_weights = RALLY_DEFAULT
    return unsafe value
  }
  static var structName: String { "rally_model_options" }
}

extension rally_prepare_options: SizedStruct {
  static var defaults: Self { unsafe Self() }
  static var structName: String { "rally_prepare_options" }
}

extension rally_quantize_options: SizedStruct {
  static var defaults: Self {
    var value = unsafe Self()
    unsafe value.dtype = RALLY_DTYPE_INT8
    return unsafe value
  }
  static var structName: String { "rally_quantize_options" }
}

extension rally_model_info: SizedStruct {
  static var defaults: Self {
    var value = Self()
    value.exit_threshold = -1
    return value
  }
  static var structName: String { "rally_model_info" }
}

extension rally_tensor_info: SizedStruct {
  static var defaults: Self { unsafe Self() }
  static var structName: String { "rally_tensor_info" }
}

extension rally_tokenizer_options: SizedStruct {
  static var defaults: Self {
    var value = Self()
    value.add_bos = RALLY_DEFAULT
    value.add_eos = RALLY_DEFAULT
    value.parse_special = RALLY_DEFAULT
    value.skip_special = RALLY_DEFAULT
    return value
  }
  static var structName: String { "rally_tokenizer_options" }
}

extension rally_runner_options: SizedStruct {
  static var defaults: Self { unsafe Self() }
  static var structName: String { "rally_runner_options" }
}

extension rally_run_options: SizedStruct {
  static var defaults: Self {
    var value = unsafe Self()
    unsafe value.exit_threshold = -1
    return unsafe value
  }
  static var structName: String { "rally_run_options" }
}

extension rally_outputs: SizedStruct {
  static var defaults: Self { unsafe Self() }
  static var structName: String { "rally_outputs" }
}

extension rally_rate_options: SizedStruct {
  static var defaults: Self {
    var value = Self()
    value.squash = RALLY_DEFAULT
    value.probabilities = RALLY_DEFAULT
    value.normalize = RALLY_DEFAULT
    return value
  }
  static var structName: String { "rally_rate_options" }
}

extension rally_document_options: SizedStruct {
  static var defaults: Self {
    var value = Self()
    value.squash = RALLY_DEFAULT
    value.parse_special = RALLY_DEFAULT
    return value
  }
  static var structName: String { "rally_document_options" }
}

extension rally_document_scores: SizedStruct {
  static var defaults: Self { unsafe Self() }
  static var structName: String { "rally_document_scores" }
}

extension rally_label_options: SizedStruct {
  static var defaults: Self {
    var value = unsafe Self()
    unsafe value.squash = RALLY_DEFAULT
    return unsafe value
  }
  static var structName: String { "rally_label_options" }
}

extension rally_cascade: SizedStruct {
  static var defaults: Self { Self() }
  static var structName: String { "rally_cascade" }
}

extension rally_distribution_info: SizedStruct {
  static var defaults: Self { unsafe Self() }
  static var structName: String { "rally_distribution_info" }
}

extension rally_logits: SizedStruct {
  static var defaults: Self { unsafe Self() }
  static var structName: String { "rally_logits" }
}

extension rally_request: SizedStruct {
  static var defaults: Self {
    var value = unsafe Self()
    unsafe value.top_p = 1
    unsafe value.stop_at_eos = RALLY_DEFAULT
    unsafe value.repetition_penalty = 1
    unsafe value.include_stop = RALLY_DEFAULT
    unsafe value.skip_special = RALLY_DEFAULT
    unsafe value.exit_threshold = -1
    unsafe value.exit_from = -1
    return unsafe value
  }
  static var structName: String { "rally_request" }
}

extension rally_event: SizedStruct {
  static var defaults: Self {
    var value = unsafe Self()
    unsafe value.stop_string = -1
    return unsafe value
  }
  static var structName: String { "rally_event" }
}

extension rally_generation: SizedStruct {
  static var defaults: Self { unsafe Self() }
  static var structName: String { "rally_generation" }
}

extension rally_engine_options: SizedStruct {
  static var defaults: Self {
    var value = unsafe Self()
    unsafe value.share_prefixes = RALLY_DEFAULT
    return unsafe value
  }
  static var structName: String { "rally_engine_options" }
}

extension rally_lineage_options: SizedStruct {
  static var defaults: Self {
    var value = unsafe Self()
    unsafe value.permutations = 9999
    return unsafe value
  }
  static var structName: String { "rally_lineage_options" }
}

extension rally_matrix: SizedStruct {
  static var defaults: Self { unsafe Self() }
  static var structName: String { "rally_matrix" }
}

extension rally_lineage_result: SizedStruct {
  static var defaults: Self { Self() }
  static var structName: String { "rally_lineage_result" }
}

extension rally_lineage_entry: SizedStruct {
  static var defaults: Self { unsafe Self() }
  static var structName: String { "rally_lineage_entry" }
}

extension rally_exposure_scores: SizedStruct {
  static var defaults: Self { unsafe Self() }
  static var structName: String { "rally_exposure_scores" }
}

// MARK: Initialisers

@c @implementation
public func rally_error_init(_ error: UnsafeMutablePointer<rally_error>?, _ size: Int) {
  unsafe rally_error.initialize(error, size)
}

@c @implementation
public func rally_model_options_init(_ options: UnsafeMutablePointer<rally_model_options>?, _ size: Int) {
  unsafe rally_model_options.initialize(options, size)
}

@c @implementation
public func rally_prepare_options_init(_ options: UnsafeMutablePointer<rally_prepare_options>?, _ size: Int) {
  unsafe rally_prepare_options.initialize(options, size)
}

@c @implementation
public func rally_quantize_options_init(_ options: UnsafeMutablePointer<rally_quantize_options>?, _ size: Int) {
  unsafe rally_quantize_options.initialize(options, size)
}

@c @implementation
public func rally_model_info_init(_ info: UnsafeMutablePointer<rally_model_info>?, _ size: Int) {
  unsafe rally_model_info.initialize(info, size)
}

@c @implementation
public func rally_tensor_info_init(_ info: UnsafeMutablePointer<rally_tensor_info>?, _ size: Int) {
  unsafe rally_tensor_info.initialize(info, size)
}

@c @implementation
public func rally_tokenizer_options_init(_ options: UnsafeMutablePointer<rally_tokenizer_options>?, _ size: Int) {
  unsafe rally_tokenizer_options.initialize(options, size)
}

@c @implementation
public func rally_runner_options_init(_ options: UnsafeMutablePointer<rally_runner_options>?, _ size: Int) {
  unsafe rally_runner_options.initialize(options, size)
}

@c @implementation
public func rally_run_options_init(_ options: UnsafeMutablePointer<rally_run_options>?, _ size: Int) {
  unsafe rally_run_options.initialize(options, size)
}

@c @implementation
public func rally_outputs_init(_ outputs: UnsafeMutablePointer<rally_outputs>?, _ size: Int) {
  unsafe rally_outputs.initialize(outputs, size)
}

@c @implementation
public func rally_rate_options_init(_ options: UnsafeMutablePointer<rally_rate_options>?, _ size: Int) {
  unsafe rally_rate_options.initialize(options, size)
}

@c @implementation
public func rally_document_options_init(_ options: UnsafeMutablePointer<rally_document_options>?, _ size: Int) {
  unsafe rally_document_options.initialize(options, size)
}

@c @implementation
public func rally_document_scores_init(_ scores: UnsafeMutablePointer<rally_document_scores>?, _ size: Int) {
  unsafe rally_document_scores.initialize(scores, size)
}

@c @implementation
public func rally_label_options_init(_ options: UnsafeMutablePointer<rally_label_options>?, _ size: Int) {
  unsafe rally_label_options.initialize(options, size)
}

@c @implementation
public func rally_cascade_init(_ cascade: UnsafeMutablePointer<rally_cascade>?, _ size: Int) {
  unsafe rally_cascade.initialize(cascade, size)
}

@c @implementation
public func rally_distribution_info_init(_ info: UnsafeMutablePointer<rally_distribution_info>?, _ size: Int) {
  unsafe rally_distribution_info.initialize(info, size)
}

@c @implementation
public func rally_request_init(_ request: UnsafeMutablePointer<rally_request>?, _ size: Int) {
  unsafe rally_request.initialize(request, size)
}

@c @implementation
public func rally_generation_init(_ generation: UnsafeMutablePointer<rally_generation>?, _ size: Int) {
  unsafe rally_generation.initialize(generation, size)
}

@c @implementation
public func rally_engine_options_init(_ options: UnsafeMutablePointer<rally_engine_options>?, _ size: Int) {
  unsafe rally_engine_options.initialize(options, size)
}

@c @implementation
public func rally_lineage_options_init(_ options: UnsafeMutablePointer<rally_lineage_options>?, _ size: Int) {
  unsafe rally_lineage_options.initialize(options, size)
}

@c @implementation
public func rally_matrix_init(_ matrix: UnsafeMutablePointer<rally_matrix>?, _ size: Int) {
  unsafe rally_matrix.initialize(matrix, size)
}

@c @implementation
public func rally_lineage_result_init(_ result: UnsafeMutablePointer<rally_lineage_result>?, _ size: Int) {
  unsafe rally_lineage_result.initialize(result, size)
}

@c @implementation
public func rally_lineage_entry_init(_ entry: UnsafeMutablePointer<rally_lineage_entry>?, _ size: Int) {
  unsafe rally_lineage_entry.initialize(entry, size)
}

@c @implementation
public func rally_exposure_scores_init(_ scores: UnsafeMutablePointer<rally_exposure_scores>?, _ size: Int) {
  unsafe rally_exposure_scores.initialize(scores, size)
}
