// Written by `make generate` from include/rally.h: change the header, not this file.
layout! {
    rally_error {
        struct_size,
        code,
        message,
    }
    rally_model_options {
        struct_size,
        dtype,
        threads,
        max_file_bytes,
        max_tensor_bytes,
        progress,
        progress_user,
        log,
        log_user,
    }
    rally_quantize_options {
        struct_size,
        dtype,
        progress,
        progress_user,
    }
    rally_model_info {
        struct_size,
        kind,
        routing,
        dtype,
        vocab_size,
        hidden_size,
        num_attention_heads,
        num_key_value_heads,
        head_dim,
        intermediate_size,
        max_position_embeddings,
        num_layers,
        num_effective_layers,
        num_recursion,
        bos_token_id,
        eos_token_id,
        has_tokenizer,
        parameter_count,
        effective_parameter_count,
        weight_bytes,
        kv_bytes_per_token,
        exit,
        kv_policy,
        exit_threshold,
    }
    rally_tensor_info {
        struct_size,
        name,
        dtype,
        rank,
        shape,
        byte_count,
    }
    rally_tokenizer_options {
        struct_size,
        add_bos,
        add_eos,
        parse_special,
        skip_special,
    }
    rally_runner_options {
        struct_size,
        threads,
        max_batch_tokens,
        progress,
        progress_user,
    }
    rally_run_options {
        struct_size,
        selection,
        max_depth,
        timeout_seconds,
        target_depth,
        exit_threshold,
        exit_from,
        min_depth,
        kv_policy,
    }
    rally_outputs {
        struct_size,
        positions,
        position_count,
        logits,
        hidden,
        targets,
        logprobs,
        depths,
    }
    rally_rate_options {
        struct_size,
        squash,
        timeout_seconds,
    }
    rally_document_options {
        struct_size,
        window_tokens,
        stride_tokens,
        max_windows,
        squash,
        timeout_seconds,
    }
    rally_document_scores {
        struct_size,
        mean,
        minimum,
        coverage,
        window_scores,
        window_capacity,
        window_offsets,
    }
    rally_label_options {
        struct_size,
        squash,
        row_tokens,
        window_tokens,
        stride_tokens,
        max_windows,
        more,
    }
    rally_distribution_info {
        struct_size,
        label,
        capacity,
        count,
        minimum,
        maximum,
        rank_error,
    }
    rally_request {
        struct_size,
        tokens,
        token_count,
        max_tokens,
        temperature,
        top_k,
        top_p,
        min_p,
        seed,
        stop_tokens,
        stop_token_count,
        stop_at_eos,
        max_depth,
        target_depth,
        repetition_penalty,
        presence_penalty,
        frequency_penalty,
        bias_tokens,
        bias_values,
        bias_count,
        stop_strings,
        stop_string_count,
        top_logprobs,
        priority,
        include_stop,
        skip_special,
        exit_threshold,
        exit_from,
        min_depth,
        kv_policy,
    }
    rally_event {
        struct_size,
        request,
        index,
        token,
        depth,
        logprob,
        finish_reason,
        stop_string,
        top_count,
        top_tokens,
        top_logprobs,
        text,
        text_length,
        cut_length,
    }
    rally_generation {
        struct_size,
        stride,
        tokens,
        depths,
        logprobs,
        token_counts,
        finish_reasons,
        prompt_depths,
        timeout_seconds,
        stop_strings,
        cut_lengths,
    }
    rally_engine_options {
        struct_size,
        threads,
        max_step_tokens,
        max_sequences,
        cache_bytes,
        batching,
        share_prefixes,
    }
    rally_lineage_options {
        struct_size,
        permutations,
        seed,
        threads,
        progress,
        progress_user,
    }
    rally_matrix {
        struct_size,
        name,
        set,
        data,
        rows,
        columns,
    }
    rally_lineage_result {
        struct_size,
        verdict,
        p,
        rho,
        permutations,
        seed,
        tensor_count,
        set_count,
        head_count,
    }
    rally_lineage_entry {
        struct_size,
        name,
        set,
        units,
        all_units,
        rho,
        z,
        p,
        reached,
    }
    rally_exposure_scores {
        struct_size,
        jeffreys,
        log_ratio,
        token_counts,
    }
}
