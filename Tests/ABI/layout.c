/* The structs as this compiler lays them out against the structs as the library was compiled. */
#include "check.h"
#include <stdlib.h>

typedef struct place {
  const char *name;
  size_t offset, size;
} place;

#define STRUCT(type) {#type, 0, sizeof(type)}
#define FIELD(type, field) {#type "." #field, offsetof(type, field), sizeof(((type *)0)->field)}

static const place places[] = {
    STRUCT(rally_error),
    FIELD(rally_error, struct_size),
    FIELD(rally_error, code),
    FIELD(rally_error, message),
    STRUCT(rally_model_options),
    FIELD(rally_model_options, struct_size),
    FIELD(rally_model_options, dtype),
    FIELD(rally_model_options, threads),
    FIELD(rally_model_options, max_file_bytes),
    FIELD(rally_model_options, max_tensor_bytes),
    FIELD(rally_model_options, progress),
    FIELD(rally_model_options, progress_user),
    FIELD(rally_model_options, log),
    FIELD(rally_model_options, log_user),
    STRUCT(rally_quantize_options),
    FIELD(rally_quantize_options, struct_size),
    FIELD(rally_quantize_options, dtype),
    FIELD(rally_quantize_options, progress),
    FIELD(rally_quantize_options, progress_user),
    STRUCT(rally_model_info),
    FIELD(rally_model_info, struct_size),
    FIELD(rally_model_info, kind),
    FIELD(rally_model_info, routing),
    FIELD(rally_model_info, dtype),
    FIELD(rally_model_info, vocab_size),
    FIELD(rally_model_info, hidden_size),
    FIELD(rally_model_info, num_attention_heads),
    FIELD(rally_model_info, num_key_value_heads),
    FIELD(rally_model_info, head_dim),
    FIELD(rally_model_info, intermediate_size),
    FIELD(rally_model_info, max_position_embeddings),
    FIELD(rally_model_info, num_layers),
    FIELD(rally_model_info, num_effective_layers),
    FIELD(rally_model_info, num_recursion),
    FIELD(rally_model_info, bos_token_id),
    FIELD(rally_model_info, eos_token_id),
    FIELD(rally_model_info, has_tokenizer),
    FIELD(rally_model_info, parameter_count),
    FIELD(rally_model_info, effective_parameter_count),
    FIELD(rally_model_info, weight_bytes),
    FIELD(rally_model_info, kv_bytes_per_token),
    STRUCT(rally_tensor_info),
    FIELD(rally_tensor_info, struct_size),
    FIELD(rally_tensor_info, name),
    FIELD(rally_tensor_info, dtype),
    FIELD(rally_tensor_info, rank),
    FIELD(rally_tensor_info, shape),
    FIELD(rally_tensor_info, byte_count),
    STRUCT(rally_tokenizer_options),
    FIELD(rally_tokenizer_options, struct_size),
    FIELD(rally_tokenizer_options, add_bos),
    FIELD(rally_tokenizer_options, add_eos),
    FIELD(rally_tokenizer_options, parse_special),
    FIELD(rally_tokenizer_options, skip_special),
    STRUCT(rally_runner_options),
    FIELD(rally_runner_options, struct_size),
    FIELD(rally_runner_options, threads),
    FIELD(rally_runner_options, max_batch_tokens),
    FIELD(rally_runner_options, progress),
    FIELD(rally_runner_options, progress_user),
    STRUCT(rally_run_options),
    FIELD(rally_run_options, struct_size),
    FIELD(rally_run_options, selection),
    FIELD(rally_run_options, max_depth),
    FIELD(rally_run_options, timeout_seconds),
    FIELD(rally_run_options, target_depth),
    STRUCT(rally_outputs),
    FIELD(rally_outputs, struct_size),
    FIELD(rally_outputs, positions),
    FIELD(rally_outputs, position_count),
    FIELD(rally_outputs, logits),
    FIELD(rally_outputs, hidden),
    FIELD(rally_outputs, targets),
    FIELD(rally_outputs, logprobs),
    FIELD(rally_outputs, depths),
    STRUCT(rally_rate_options),
    FIELD(rally_rate_options, struct_size),
    FIELD(rally_rate_options, squash),
    FIELD(rally_rate_options, timeout_seconds),
    STRUCT(rally_document_options),
    FIELD(rally_document_options, struct_size),
    FIELD(rally_document_options, window_tokens),
    FIELD(rally_document_options, stride_tokens),
    FIELD(rally_document_options, max_windows),
    FIELD(rally_document_options, squash),
    FIELD(rally_document_options, timeout_seconds),
    STRUCT(rally_document_scores),
    FIELD(rally_document_scores, struct_size),
    FIELD(rally_document_scores, mean),
    FIELD(rally_document_scores, minimum),
    FIELD(rally_document_scores, coverage),
    FIELD(rally_document_scores, window_scores),
    FIELD(rally_document_scores, window_capacity),
    FIELD(rally_document_scores, window_offsets),
    STRUCT(rally_distribution_info),
    FIELD(rally_distribution_info, struct_size),
    FIELD(rally_distribution_info, label),
    FIELD(rally_distribution_info, capacity),
    FIELD(rally_distribution_info, count),
    FIELD(rally_distribution_info, minimum),
    FIELD(rally_distribution_info, maximum),
    FIELD(rally_distribution_info, rank_error),
    STRUCT(rally_request),
    FIELD(rally_request, struct_size),
    FIELD(rally_request, tokens),
    FIELD(rally_request, token_count),
    FIELD(rally_request, max_tokens),
    FIELD(rally_request, temperature),
    FIELD(rally_request, top_k),
    FIELD(rally_request, top_p),
    FIELD(rally_request, min_p),
    FIELD(rally_request, seed),
    FIELD(rally_request, stop_tokens),
    FIELD(rally_request, stop_token_count),
    FIELD(rally_request, stop_at_eos),
    FIELD(rally_request, max_depth),
    FIELD(rally_request, target_depth),
    FIELD(rally_request, repetition_penalty),
    FIELD(rally_request, presence_penalty),
    FIELD(rally_request, frequency_penalty),
    FIELD(rally_request, bias_tokens),
    FIELD(rally_request, bias_values),
    FIELD(rally_request, bias_count),
    FIELD(rally_request, stop_strings),
    FIELD(rally_request, stop_string_count),
    FIELD(rally_request, top_logprobs),
    FIELD(rally_request, priority),
    STRUCT(rally_event),
    FIELD(rally_event, struct_size),
    FIELD(rally_event, request),
    FIELD(rally_event, index),
    FIELD(rally_event, token),
    FIELD(rally_event, depth),
    FIELD(rally_event, logprob),
    FIELD(rally_event, finish_reason),
    FIELD(rally_event, stop_string),
    FIELD(rally_event, top_count),
    FIELD(rally_event, top_tokens),
    FIELD(rally_event, top_logprobs),
    STRUCT(rally_generation),
    FIELD(rally_generation, struct_size),
    FIELD(rally_generation, stride),
    FIELD(rally_generation, tokens),
    FIELD(rally_generation, depths),
    FIELD(rally_generation, logprobs),
    FIELD(rally_generation, token_counts),
    FIELD(rally_generation, finish_reasons),
    FIELD(rally_generation, prompt_depths),
    FIELD(rally_generation, timeout_seconds),
    STRUCT(rally_engine_options),
    FIELD(rally_engine_options, struct_size),
    FIELD(rally_engine_options, threads),
    FIELD(rally_engine_options, max_step_tokens),
    FIELD(rally_engine_options, max_sequences),
    FIELD(rally_engine_options, cache_bytes),
    FIELD(rally_engine_options, batching),
    FIELD(rally_engine_options, share_prefixes),
    STRUCT(rally_lineage_options),
    FIELD(rally_lineage_options, struct_size),
    FIELD(rally_lineage_options, permutations),
    FIELD(rally_lineage_options, seed),
    FIELD(rally_lineage_options, threads),
    FIELD(rally_lineage_options, progress),
    FIELD(rally_lineage_options, progress_user),
    STRUCT(rally_matrix),
    FIELD(rally_matrix, struct_size),
    FIELD(rally_matrix, name),
    FIELD(rally_matrix, set),
    FIELD(rally_matrix, data),
    FIELD(rally_matrix, rows),
    FIELD(rally_matrix, columns),
    STRUCT(rally_lineage_result),
    FIELD(rally_lineage_result, struct_size),
    FIELD(rally_lineage_result, verdict),
    FIELD(rally_lineage_result, p),
    FIELD(rally_lineage_result, rho),
    FIELD(rally_lineage_result, permutations),
    FIELD(rally_lineage_result, seed),
    FIELD(rally_lineage_result, tensor_count),
    FIELD(rally_lineage_result, set_count),
    FIELD(rally_lineage_result, head_count),
    STRUCT(rally_lineage_entry),
    FIELD(rally_lineage_entry, struct_size),
    FIELD(rally_lineage_entry, name),
    FIELD(rally_lineage_entry, set),
    FIELD(rally_lineage_entry, units),
    FIELD(rally_lineage_entry, all_units),
    FIELD(rally_lineage_entry, rho),
    FIELD(rally_lineage_entry, z),
    FIELD(rally_lineage_entry, p),
    FIELD(rally_lineage_entry, reached),
    STRUCT(rally_exposure_scores),
    FIELD(rally_exposure_scores, struct_size),
    FIELD(rally_exposure_scores, jeffreys),
    FIELD(rally_exposure_scores, log_ratio),
    FIELD(rally_exposure_scores, token_counts),
};

static const place *find(const char *name, size_t length) {
  for (size_t i = 0; i < sizeof places / sizeof *places; i++)
    if (strlen(places[i].name) == length && !memcmp(places[i].name, name, length)) return &places[i];
  return NULL;
}

void test_layout(void) {
  size_t seen = 0;
  const char *line = rally_abi_layout();
  CHECK(line != NULL);
  while (line && *line) {
    const size_t name = strcspn(line, " \n");
    const place *known = find(line, name);
    char *end = NULL;
    size_t numbers[2] = {0, 0};
    CHECK(known != NULL);
    if (known) {
      const int is_field = memchr(line, '.', name) != NULL;
      if (is_field) numbers[0] = strtoull(line + name, &end, 10);
      numbers[1] = strtoull(is_field ? end : line + name, &end, 10);
      CHECK(numbers[0] == known->offset);
      CHECK(numbers[1] == known->size);
      CHECK(*end == '\n' || *end == '\0');
      seen++;
    }
    line += strcspn(line, "\n");
    if (*line) line++;
  }
  CHECK(seen == sizeof places / sizeof *places);
  CHECK(sizeof(rally_status) == 4 && sizeof(rally_switch) == 4 && sizeof(rally_finish_reason) == 4);

  char version[64];
  snprintf(version, sizeof version, "%d.%d.%d", RALLY_VERSION_MAJOR, RALLY_VERSION_MINOR, RALLY_VERSION_PATCH);
  CHECK(!strcmp(rally_version(), version));
  CHECK(!strcmp(rally_status_name(RALLY_NOT_FINITE), "RALLY_NOT_FINITE"));
  CHECK(!strcmp(rally_status_name(RALLY_OK), "RALLY_OK"));
  CHECK(!strcmp(rally_status_name((rally_status)9999), "RALLY_UNKNOWN_STATUS"));
  CHECK(!strcmp(rally_status_name((rally_status)-1), "RALLY_UNKNOWN_STATUS"));
}
