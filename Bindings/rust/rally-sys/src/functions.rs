//! The functions, in the order of the header.

use crate::codes::*;
use crate::handles::*;
use crate::structs::*;
use std::ffi::{c_char, c_void};

extern "C" {
    /// See `rally.h`.
    pub fn rally_version() -> *const c_char;
    /// See `rally.h`.
    pub fn rally_abi_layout() -> *const c_char;
    /// See `rally.h`.
    pub fn rally_instruction_set() -> *const c_char;
    /// See `rally.h`.
    pub fn rally_status_name(status: rally_status) -> *const c_char;
    /// See `rally.h`.
    pub fn rally_error_init(error: *mut rally_error, size: usize);
    /// See `rally.h`.
    pub fn rally_model_options_init(options: *mut rally_model_options, size: usize);
    /// See `rally.h`.
    pub fn rally_model_open(
        path: *const c_char,
        options: *const rally_model_options,
        model: *mut *mut rally_model,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_model_open_memory(
        data: *const c_void,
        size: usize,
        options: *const rally_model_options,
        model: *mut *mut rally_model,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_model_validate(
        path: *const c_char,
        options: *const rally_model_options,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_quantize_options_init(options: *mut rally_quantize_options, size: usize);
    /// See `rally.h`.
    pub fn rally_quantize(
        in_path: *const c_char,
        out_path: *const c_char,
        options: *const rally_quantize_options,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_model_close(model: *mut rally_model);
    /// See `rally.h`.
    pub fn rally_model_info_init(info: *mut rally_model_info, size: usize);
    /// See `rally.h`.
    pub fn rally_model_get_info(
        model: *const rally_model,
        info: *mut rally_model_info,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_model_metadata_count(model: *const rally_model) -> usize;
    /// See `rally.h`.
    pub fn rally_model_metadata_at(
        model: *const rally_model,
        index: usize,
        key: *mut *const c_char,
        value: *mut *const c_char,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_model_metadata_get(
        model: *const rally_model,
        key: *const c_char,
        value: *mut *const c_char,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_tensor_info_init(info: *mut rally_tensor_info, size: usize);
    /// See `rally.h`.
    pub fn rally_model_tensor_count(model: *const rally_model) -> usize;
    /// See `rally.h`.
    pub fn rally_model_tensor_at(
        model: *const rally_model,
        index: usize,
        info: *mut rally_tensor_info,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_tokenizer_options_init(options: *mut rally_tokenizer_options, size: usize);
    /// See `rally.h`.
    pub fn rally_encode(
        model: *const rally_model,
        text: *const c_char,
        length: usize,
        options: *const rally_tokenizer_options,
        tokens: *mut i32,
        capacity: usize,
        token_count: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_decode(
        model: *const rally_model,
        tokens: *const i32,
        token_count: usize,
        options: *const rally_tokenizer_options,
        text: *mut c_char,
        capacity: usize,
        length: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_decoder_open(
        model: *const rally_model,
        options: *const rally_tokenizer_options,
        decoder: *mut *mut rally_decoder,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_decoder_push(
        decoder: *mut rally_decoder,
        token: i32,
        text: *mut c_char,
        capacity: usize,
        length: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_decoder_finish(
        decoder: *mut rally_decoder,
        text: *mut c_char,
        capacity: usize,
        length: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_decoder_close(decoder: *mut rally_decoder);
    /// See `rally.h`.
    pub fn rally_runner_options_init(options: *mut rally_runner_options, size: usize);
    /// See `rally.h`.
    pub fn rally_runner_open(
        model: *const rally_model,
        options: *const rally_runner_options,
        runner: *mut *mut rally_runner,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_runner_close(runner: *mut rally_runner);
    /// See `rally.h`.
    pub fn rally_runner_cancel(runner: *mut rally_runner);
    /// See `rally.h`.
    pub fn rally_runner_memory(
        runner: *const rally_runner,
        row_offsets: *const usize,
        row_count: usize,
        new_tokens: usize,
        bytes: *mut u64,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_run_options_init(options: *mut rally_run_options, size: usize);
    /// See `rally.h`.
    pub fn rally_outputs_init(outputs: *mut rally_outputs, size: usize);
    /// See `rally.h`.
    pub fn rally_run(
        runner: *mut rally_runner,
        tokens: *const i32,
        row_offsets: *const usize,
        row_count: usize,
        options: *const rally_run_options,
        outputs: *const rally_outputs,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_rate_options_init(options: *mut rally_rate_options, size: usize);
    /// See `rally.h`.
    pub fn rally_rate(
        runner: *mut rally_runner,
        tokens: *const i32,
        row_offsets: *const usize,
        row_count: usize,
        options: *const rally_rate_options,
        scores: *mut f32,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_document_options_init(options: *mut rally_document_options, size: usize);
    /// See `rally.h`.
    pub fn rally_document_scores_init(scores: *mut rally_document_scores, size: usize);
    /// See `rally.h`.
    pub fn rally_document_windows(
        model: *const rally_model,
        tokens: *const i32,
        row_offsets: *const usize,
        row_count: usize,
        options: *const rally_document_options,
        window_offsets: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_rate_documents(
        runner: *mut rally_runner,
        tokens: *const i32,
        row_offsets: *const usize,
        row_count: usize,
        options: *const rally_document_options,
        scores: *const rally_document_scores,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_draw_count(keep: usize, discard: f64, count: *mut usize, error: *mut rally_error) -> rally_status;
    /// See `rally.h`.
    pub fn rally_select_top(
        scores: *const f32,
        count: usize,
        keep: usize,
        indices: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_softmax_weights(
        scores: *const f32,
        count: usize,
        weights: *mut f32,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_acceptance(
        quantiles: *const f64,
        count: usize,
        batch: usize,
        keep: usize,
        probabilities: *mut f64,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_decide(
        ids: *const c_char,
        id_offsets: *const usize,
        probabilities: *const f64,
        count: usize,
        fingerprint: *const c_char,
        seed: u64,
        keeps: *mut u8,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_rating_cost(
        rater_parameters: f64,
        model_parameters: f64,
        discard: f64,
        cost: *mut f64,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_distribution_info_init(info: *mut rally_distribution_info, size: usize);
    /// See `rally.h`.
    pub fn rally_distribution_open(
        label: *const c_char,
        capacity: usize,
        distribution: *mut *mut rally_distribution,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_distribution_add(
        distribution: *mut rally_distribution,
        scores: *const f32,
        count: usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_distribution_merge(
        distribution: *mut rally_distribution,
        other: *const rally_distribution,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_distribution_cdf(
        distribution: *const rally_distribution,
        scores: *const f32,
        count: usize,
        quantiles: *mut f64,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_distribution_quantile(
        distribution: *const rally_distribution,
        quantiles: *const f64,
        count: usize,
        scores: *mut f32,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_distribution_get_info(
        distribution: *const rally_distribution,
        info: *mut rally_distribution_info,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_distribution_save(
        distribution: *const rally_distribution,
        data: *mut c_void,
        capacity: usize,
        size: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_distribution_load(
        data: *const c_void,
        size: usize,
        distribution: *mut *mut rally_distribution,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_distribution_close(distribution: *mut rally_distribution);
    /// See `rally.h`.
    pub fn rally_request_init(request: *mut rally_request, size: usize);
    /// See `rally.h`.
    pub fn rally_generation_init(generation: *mut rally_generation, size: usize);
    /// See `rally.h`.
    pub fn rally_generate(
        runner: *mut rally_runner,
        requests: *const rally_request,
        request_count: usize,
        on_token: rally_event_callback,
        user: *mut c_void,
        generation: *mut rally_generation,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_engine_options_init(options: *mut rally_engine_options, size: usize);
    /// See `rally.h`.
    pub fn rally_engine_memory(
        model: *const rally_model,
        options: *const rally_engine_options,
        bytes: *mut u64,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_engine_open(
        model: *const rally_model,
        options: *const rally_engine_options,
        engine: *mut *mut rally_engine,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_engine_close(engine: *mut rally_engine);
    /// See `rally.h`.
    pub fn rally_engine_submit(
        engine: *mut rally_engine,
        request: *const rally_request,
        id: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_engine_cancel(engine: *mut rally_engine, id: usize);
    /// See `rally.h`.
    pub fn rally_engine_cancel_all(engine: *mut rally_engine);
    /// See `rally.h`.
    pub fn rally_engine_step(
        engine: *mut rally_engine,
        on_event: rally_event_callback,
        user: *mut c_void,
        busy: *mut i32,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_engine_run(
        engine: *mut rally_engine,
        on_event: rally_event_callback,
        user: *mut c_void,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_engine_counter_count(engine: *const rally_engine) -> usize;
    /// See `rally.h`.
    pub fn rally_engine_counter_name(engine: *const rally_engine, index: usize) -> *const c_char;
    /// See `rally.h`.
    pub fn rally_engine_counters(
        engine: *mut rally_engine,
        values: *mut f64,
        capacity: usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_engine_save(
        engine: *mut rally_engine,
        id: usize,
        data: *mut c_void,
        capacity: usize,
        size: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_engine_restore(
        engine: *mut rally_engine,
        data: *const c_void,
        size: usize,
        request: *const rally_request,
        id: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_lineage_verdict_text(verdict: rally_lineage_verdict) -> *const c_char;
    /// See `rally.h`.
    pub fn rally_lineage_options_init(options: *mut rally_lineage_options, size: usize);
    /// See `rally.h`.
    pub fn rally_matrix_init(matrix: *mut rally_matrix, size: usize);
    /// See `rally.h`.
    pub fn rally_lineage(
        a: *const c_char,
        b: *const c_char,
        options: *const rally_lineage_options,
        report: *mut *mut rally_lineage_report,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_lineage_matrices(
        a: *const rally_matrix,
        a_count: usize,
        b: *const rally_matrix,
        b_count: usize,
        options: *const rally_lineage_options,
        report: *mut *mut rally_lineage_report,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_lineage_close(report: *mut rally_lineage_report);
    /// See `rally.h`.
    pub fn rally_lineage_result_init(result: *mut rally_lineage_result, size: usize);
    /// See `rally.h`.
    pub fn rally_lineage_get_result(
        report: *const rally_lineage_report,
        result: *mut rally_lineage_result,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_lineage_entry_init(entry: *mut rally_lineage_entry, size: usize);
    /// See `rally.h`.
    pub fn rally_lineage_entry_at(
        report: *const rally_lineage_report,
        kind: rally_lineage_kind,
        index: usize,
        entry: *mut rally_lineage_entry,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_exposure_scores_init(scores: *mut rally_exposure_scores, size: usize);
    /// See `rally.h`.
    pub fn rally_exposure(
        teacher: *mut rally_runner,
        base: *mut rally_runner,
        tokens: *const i32,
        row_offsets: *const usize,
        row_count: usize,
        given: *const usize,
        scores: *const rally_exposure_scores,
        error: *mut rally_error,
    ) -> rally_status;
}
