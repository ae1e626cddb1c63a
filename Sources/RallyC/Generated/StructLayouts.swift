// Written by `make generate` from include/rally.h: change the header, not this file.

import CRally

/// Every struct and field of the header, as this library was compiled.
func layoutLines() -> [String] {
  var lines: [String] = []
  lines += layout("rally_error", [
    ("struct_size", \rally_error.struct_size),
    ("code", \rally_error.code),
    ("message", \rally_error.message),
  ] as [(String, PartialKeyPath<rally_error>)])
  unsafe lines += layout("rally_model_options", [
    ("struct_size", \rally_model_options.struct_size),
    ("dtype", \rally_model_options.dtype),
    ("threads", \rally_model_options.threads),
    ("max_file_bytes", \rally_model_options.max_file_bytes),
    ("max_tensor_bytes", \rally_model_options.max_tensor_bytes),
    ("progress", \rally_model_options.progress),
    ("progress_user", \rally_model_options.progress_user),
    ("log", \rally_model_options.log),
    ("log_user", \rally_model_options.log_user),
    ("cache_folder", \rally_model_options.cache_folder),
    ("share_weights", \rally_model_options.share_weights),
  ] as [(String, PartialKeyPath<rally_model_options>)])
  unsafe lines += layout("rally_prepare_options", [
    ("struct_size", \rally_prepare_options.struct_size),
    ("dtype", \rally_prepare_options.dtype),
    ("threads", \rally_prepare_options.threads),
    ("progress", \rally_prepare_options.progress),
    ("progress_user", \rally_prepare_options.progress_user),
    ("calibration_text", \rally_prepare_options.calibration_text),
    ("calibration_text_size", \rally_prepare_options.calibration_text_size),
  ] as [(String, PartialKeyPath<rally_prepare_options>)])
  unsafe lines += layout("rally_quantize_options", [
    ("struct_size", \rally_quantize_options.struct_size),
    ("dtype", \rally_quantize_options.dtype),
    ("progress", \rally_quantize_options.progress),
    ("progress_user", \rally_quantize_options.progress_user),
    ("calibration_text", \rally_quantize_options.calibration_text),
    ("calibration_text_size", \rally_quantize_options.calibration_text_size),
  ] as [(String, PartialKeyPath<rally_quantize_options>)])
  lines += layout("rally_model_info", [
    ("struct_size", \rally_model_info.struct_size),
    ("kind", \rally_model_info.kind),
    ("routing", \rally_model_info.routing),
    ("dtype", \rally_model_info.dtype),
    ("vocab_size", \rally_model_info.vocab_size),
    ("hidden_size", \rally_model_info.hidden_size),
    ("num_attention_heads", \rally_model_info.num_attention_heads),
    ("num_key_value_heads", \rally_model_info.num_key_value_heads),
    ("head_dim", \rally_model_info.head_dim),
    ("intermediate_size", \rally_model_info.intermediate_size),
    ("max_position_embeddings", \rally_model_info.max_position_embeddings),
    ("num_layers", \rally_model_info.num_layers),
    ("num_effective_layers", \rally_model_info.num_effective_layers),
    ("num_recursion", \rally_model_info.num_recursion),
    ("bos_token_id", \rally_model_info.bos_token_id),
    ("eos_token_id", \rally_model_info.eos_token_id),
    ("has_tokenizer", \rally_model_info.has_tokenizer),
    ("parameter_count", \rally_model_info.parameter_count),
    ("effective_parameter_count", \rally_model_info.effective_parameter_count),
    ("weight_bytes", \rally_model_info.weight_bytes),
    ("kv_bytes_per_token", \rally_model_info.kv_bytes_per_token),
    ("exit", \rally_model_info.exit),
    ("kv_policy", \rally_model_info.kv_policy),
    ("exit_threshold", \rally_model_info.exit_threshold),
    ("num_labels", \rally_model_info.num_labels),
    ("score_rule", \rally_model_info.score_rule),
    ("has_score", \rally_model_info.has_score),
    ("score_index", \rally_model_info.score_index),
  ] as [(String, PartialKeyPath<rally_model_info>)])
  unsafe lines += layout("rally_tensor_info", [
    ("struct_size", \rally_tensor_info.struct_size),
    ("name", \rally_tensor_info.name),
    ("dtype", \rally_tensor_info.dtype),
    ("rank", \rally_tensor_info.rank),
    ("shape", \rally_tensor_info.shape),
    ("byte_count", \rally_tensor_info.byte_count),
  ] as [(String, PartialKeyPath<rally_tensor_info>)])
  lines += layout("rally_tokenizer_options", [
    ("struct_size", \rally_tokenizer_options.struct_size),
    ("add_bos", \rally_tokenizer_options.add_bos),
    ("add_eos", \rally_tokenizer_options.add_eos),
    ("parse_special", \rally_tokenizer_options.parse_special),
    ("skip_special", \rally_tokenizer_options.skip_special),
  ] as [(String, PartialKeyPath<rally_tokenizer_options>)])
  unsafe lines += layout("rally_runner_options", [
    ("struct_size", \rally_runner_options.struct_size),
    ("threads", \rally_runner_options.threads),
    ("max_batch_tokens", \rally_runner_options.max_batch_tokens),
    ("progress", \rally_runner_options.progress),
    ("progress_user", \rally_runner_options.progress_user),
    ("cache_dtype", \rally_runner_options.cache_dtype),
  ] as [(String, PartialKeyPath<rally_runner_options>)])
  unsafe lines += layout("rally_run_options", [
    ("struct_size", \rally_run_options.struct_size),
    ("selection", \rally_run_options.selection),
    ("max_depth", \rally_run_options.max_depth),
    ("timeout_seconds", \rally_run_options.timeout_seconds),
    ("target_depth", \rally_run_options.target_depth),
    ("exit_threshold", \rally_run_options.exit_threshold),
    ("exit_from", \rally_run_options.exit_from),
    ("min_depth", \rally_run_options.min_depth),
    ("kv_policy", \rally_run_options.kv_policy),
  ] as [(String, PartialKeyPath<rally_run_options>)])
  unsafe lines += layout("rally_outputs", [
    ("struct_size", \rally_outputs.struct_size),
    ("positions", \rally_outputs.positions),
    ("position_count", \rally_outputs.position_count),
    ("logits", \rally_outputs.logits),
    ("hidden", \rally_outputs.hidden),
    ("targets", \rally_outputs.targets),
    ("logprobs", \rally_outputs.logprobs),
    ("depths", \rally_outputs.depths),
  ] as [(String, PartialKeyPath<rally_outputs>)])
  lines += layout("rally_rate_options", [
    ("struct_size", \rally_rate_options.struct_size),
    ("squash", \rally_rate_options.squash),
    ("timeout_seconds", \rally_rate_options.timeout_seconds),
    ("probabilities", \rally_rate_options.probabilities),
    ("normalize", \rally_rate_options.normalize),
  ] as [(String, PartialKeyPath<rally_rate_options>)])
  lines += layout("rally_document_options", [
    ("struct_size", \rally_document_options.struct_size),
    ("window_tokens", \rally_document_options.window_tokens),
    ("stride_tokens", \rally_document_options.stride_tokens),
    ("max_windows", \rally_document_options.max_windows),
    ("squash", \rally_document_options.squash),
    ("timeout_seconds", \rally_document_options.timeout_seconds),
    ("reading", \rally_document_options.reading),
    ("join", \rally_document_options.join),
    ("characters", \rally_document_options.characters),
    ("parse_special", \rally_document_options.parse_special),
  ] as [(String, PartialKeyPath<rally_document_options>)])
  unsafe lines += layout("rally_document_scores", [
    ("struct_size", \rally_document_scores.struct_size),
    ("mean", \rally_document_scores.mean),
    ("minimum", \rally_document_scores.minimum),
    ("coverage", \rally_document_scores.coverage),
    ("window_scores", \rally_document_scores.window_scores),
    ("window_capacity", \rally_document_scores.window_capacity),
    ("window_offsets", \rally_document_scores.window_offsets),
    ("score", \rally_document_scores.score),
    ("int_score", \rally_document_scores.int_score),
    ("outputs", \rally_document_scores.outputs),
  ] as [(String, PartialKeyPath<rally_document_scores>)])
  unsafe lines += layout("rally_label_options", [
    ("struct_size", \rally_label_options.struct_size),
    ("squash", \rally_label_options.squash),
    ("row_tokens", \rally_label_options.row_tokens),
    ("window_tokens", \rally_label_options.window_tokens),
    ("stride_tokens", \rally_label_options.stride_tokens),
    ("max_windows", \rally_label_options.max_windows),
    ("more", \rally_label_options.more),
  ] as [(String, PartialKeyPath<rally_label_options>)])
  unsafe lines += layout("rally_distribution_info", [
    ("struct_size", \rally_distribution_info.struct_size),
    ("label", \rally_distribution_info.label),
    ("capacity", \rally_distribution_info.capacity),
    ("count", \rally_distribution_info.count),
    ("minimum", \rally_distribution_info.minimum),
    ("maximum", \rally_distribution_info.maximum),
    ("rank_error", \rally_distribution_info.rank_error),
  ] as [(String, PartialKeyPath<rally_distribution_info>)])
  unsafe lines += layout("rally_logits", [
    ("struct_size", \rally_logits.struct_size),
    ("request", \rally_logits.request),
    ("user", \rally_logits.user),
    ("values", \rally_logits.values),
    ("count", \rally_logits.count),
    ("tokens", \rally_logits.tokens),
    ("token_count", \rally_logits.token_count),
    ("prompt_count", \rally_logits.prompt_count),
    ("depth", \rally_logits.depth),
  ] as [(String, PartialKeyPath<rally_logits>)])
  unsafe lines += layout("rally_request", [
    ("struct_size", \rally_request.struct_size),
    ("tokens", \rally_request.tokens),
    ("token_count", \rally_request.token_count),
    ("max_tokens", \rally_request.max_tokens),
    ("temperature", \rally_request.temperature),
    ("top_k", \rally_request.top_k),
    ("top_p", \rally_request.top_p),
    ("min_p", \rally_request.min_p),
    ("seed", \rally_request.seed),
    ("stop_tokens", \rally_request.stop_tokens),
    ("stop_token_count", \rally_request.stop_token_count),
    ("stop_at_eos", \rally_request.stop_at_eos),
    ("max_depth", \rally_request.max_depth),
    ("target_depth", \rally_request.target_depth),
    ("repetition_penalty", \rally_request.repetition_penalty),
    ("presence_penalty", \rally_request.presence_penalty),
    ("frequency_penalty", \rally_request.frequency_penalty),
    ("bias_tokens", \rally_request.bias_tokens),
    ("bias_values", \rally_request.bias_values),
    ("bias_count", \rally_request.bias_count),
    ("stop_strings", \rally_request.stop_strings),
    ("stop_string_count", \rally_request.stop_string_count),
    ("top_logprobs", \rally_request.top_logprobs),
    ("priority", \rally_request.priority),
    ("include_stop", \rally_request.include_stop),
    ("skip_special", \rally_request.skip_special),
    ("exit_threshold", \rally_request.exit_threshold),
    ("exit_from", \rally_request.exit_from),
    ("min_depth", \rally_request.min_depth),
    ("kv_policy", \rally_request.kv_policy),
    ("user", \rally_request.user),
    ("timeout_seconds", \rally_request.timeout_seconds),
    ("on_logits", \rally_request.on_logits),
    ("on_logits_user", \rally_request.on_logits_user),
  ] as [(String, PartialKeyPath<rally_request>)])
  unsafe lines += layout("rally_event", [
    ("struct_size", \rally_event.struct_size),
    ("request", \rally_event.request),
    ("index", \rally_event.index),
    ("token", \rally_event.token),
    ("depth", \rally_event.depth),
    ("logprob", \rally_event.logprob),
    ("finish_reason", \rally_event.finish_reason),
    ("stop_string", \rally_event.stop_string),
    ("top_count", \rally_event.top_count),
    ("top_tokens", \rally_event.top_tokens),
    ("top_logprobs", \rally_event.top_logprobs),
    ("text", \rally_event.text),
    ("text_length", \rally_event.text_length),
    ("cut_length", \rally_event.cut_length),
    ("user", \rally_event.user),
  ] as [(String, PartialKeyPath<rally_event>)])
  unsafe lines += layout("rally_generation", [
    ("struct_size", \rally_generation.struct_size),
    ("stride", \rally_generation.stride),
    ("tokens", \rally_generation.tokens),
    ("depths", \rally_generation.depths),
    ("logprobs", \rally_generation.logprobs),
    ("token_counts", \rally_generation.token_counts),
    ("finish_reasons", \rally_generation.finish_reasons),
    ("prompt_depths", \rally_generation.prompt_depths),
    ("timeout_seconds", \rally_generation.timeout_seconds),
    ("stop_strings", \rally_generation.stop_strings),
    ("cut_lengths", \rally_generation.cut_lengths),
  ] as [(String, PartialKeyPath<rally_generation>)])
  lines += layout("rally_engine_options", [
    ("struct_size", \rally_engine_options.struct_size),
    ("threads", \rally_engine_options.threads),
    ("max_step_tokens", \rally_engine_options.max_step_tokens),
    ("max_sequences", \rally_engine_options.max_sequences),
    ("cache_bytes", \rally_engine_options.cache_bytes),
    ("batching", \rally_engine_options.batching),
    ("share_prefixes", \rally_engine_options.share_prefixes),
    ("max_queue", \rally_engine_options.max_queue),
    ("cache_dtype", \rally_engine_options.cache_dtype),
  ] as [(String, PartialKeyPath<rally_engine_options>)])
  unsafe lines += layout("rally_lineage_options", [
    ("struct_size", \rally_lineage_options.struct_size),
    ("permutations", \rally_lineage_options.permutations),
    ("seed", \rally_lineage_options.seed),
    ("threads", \rally_lineage_options.threads),
    ("progress", \rally_lineage_options.progress),
    ("progress_user", \rally_lineage_options.progress_user),
  ] as [(String, PartialKeyPath<rally_lineage_options>)])
  unsafe lines += layout("rally_matrix", [
    ("struct_size", \rally_matrix.struct_size),
    ("name", \rally_matrix.name),
    ("set", \rally_matrix.set),
    ("data", \rally_matrix.data),
    ("rows", \rally_matrix.rows),
    ("columns", \rally_matrix.columns),
  ] as [(String, PartialKeyPath<rally_matrix>)])
  lines += layout("rally_lineage_result", [
    ("struct_size", \rally_lineage_result.struct_size),
    ("verdict", \rally_lineage_result.verdict),
    ("p", \rally_lineage_result.p),
    ("rho", \rally_lineage_result.rho),
    ("permutations", \rally_lineage_result.permutations),
    ("seed", \rally_lineage_result.seed),
    ("tensor_count", \rally_lineage_result.tensor_count),
    ("set_count", \rally_lineage_result.set_count),
    ("head_count", \rally_lineage_result.head_count),
  ] as [(String, PartialKeyPath<rally_lineage_result>)])
  unsafe lines += layout("rally_lineage_entry", [
    ("struct_size", \rally_lineage_entry.struct_size),
    ("name", \rally_lineage_entry.name),
    ("set", \rally_lineage_entry.set),
    ("units", \rally_lineage_entry.units),
    ("all_units", \rally_lineage_entry.all_units),
    ("rho", \rally_lineage_entry.rho),
    ("z", \rally_lineage_entry.z),
    ("p", \rally_lineage_entry.p),
    ("reached", \rally_lineage_entry.reached),
  ] as [(String, PartialKeyPath<rally_lineage_entry>)])
  unsafe lines += layout("rally_exposure_scores", [
    ("struct_size", \rally_exposure_scores.struct_size),
    ("jeffreys", \rally_exposure_scores.jeffreys),
    ("log_ratio", \rally_exposure_scores.log_ratio),
    ("token_counts", \rally_exposure_scores.token_counts),
  ] as [(String, PartialKeyPath<rally_exposure_scores>)])
  return lines
}
