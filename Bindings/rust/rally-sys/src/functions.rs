//! The functions, in the order of the header.
//!
//! Written by `make generate` from include/rally.h: change the header, not this file.

use crate::codes::*;
use crate::handles::*;
use crate::structs::*;
use std::ffi::{c_char, c_void};

extern "C" {
    /// The version of the library that is loaded, "major.minor.patch". Static storage. Any thread.
    pub fn rally_version() -> *const c_char;
    /// RALLY_VERSION of the library that is loaded. Any thread.
    pub fn rally_version_number() -> u32;
    /// How the library was built, for reports of faults: lines `name value` with version, commit, compiler,
    /// architecture and the libraries inside. Static storage. Any thread.
    pub fn rally_build_info() -> *const c_char;
    /// The layout of every public struct as this library was compiled: one line `struct SIZE` and below it one line
    /// `struct.field OFFSET SIZE` per field. Bindings compare it with their own declarations when they load. Static
    /// storage. Any thread.
    pub fn rally_abi_layout() -> *const c_char;
    /// The instruction set in use: "avx512", "avx2", "sse4" or "sse2"; only x86-64 is tested and released.
    /// RALLY_MAX_CPU_ISA in the environment, read when the library first computes, holds it down to sse4, avx2 or
    /// avx512; with any other value no model opens. Static storage. Any thread.
    pub fn rally_instruction_set() -> *const c_char;
    /// The name of a status, such as "RALLY_NOT_FINITE"; "RALLY_UNKNOWN_STATUS" for a number that is none. Static
    /// storage. Any thread.
    pub fn rally_status_name(status: rally_status) -> *const c_char;
    /// Every \*_init below: sets struct_size to `size`, which must be sizeof the struct, and every field that fits into
    /// it to its default. Does nothing with NULL. Any thread.
    pub fn rally_error_init(error: *mut rally_error, size: usize);
    /// Starts threads - 1 threads; the thread that calls works as well. threads: 0: as many as this process may use; at
    /// most 256. With 1 no call waits for others: each computes on the thread that calls. Any thread.
    pub fn rally_pool_open(threads: u32, pool: *mut *mut rally_pool, error: *mut rally_error) -> rally_status;
    /// Lets the pool go, at any time; its threads end with the last runner or engine that has them. NULL or a closed
    /// handle: nothing. Any thread.
    pub fn rally_pool_close(pool: *mut rally_pool);
    /// Sets every field of a `rally_model_options` to its default, as `rally_error_init` does.
    pub fn rally_model_options_init(options: *mut rally_model_options, size: usize);
    /// Opens the model file at `path`, checks all of it and packs the weights; or maps a prepared file
    /// (rally_model_prepare). External data is read from beneath the folder of the file (docs/format.md). The file is
    /// memory-mapped while it is read and let go afterwards. Where another program may cut it short in that time (the
    /// system then ends this process), read it yourself and use rally_model_open_memory.
    ///
    /// Memory: weight_bytes of rally_model_info: the products' weights in `dtype`, and the embedding as it is stored.
    ///
    /// Errors: RALLY_CANCELLED, RALLY_LIMIT_EXCEEDED, RALLY_UNSUPPORTED, and what is wrong with a file:
    /// RALLY_FILE_NOT_FOUND to RALLY_INVALID_TOKENIZER. Any thread.
    pub fn rally_model_open(
        path: *const c_char,
        options: *const rally_model_options,
        model: *mut *mut rally_model,
        error: *mut rally_error,
    ) -> rally_status;
    /// Opens a model from `size` bytes in memory, which are not needed after the call. External data is refused. Any
    /// thread.
    pub fn rally_model_open_memory(
        data: *const c_void,
        size: usize,
        options: *const rally_model_options,
        model: *mut *mut rally_model,
        error: *mut rally_error,
    ) -> rally_status;
    /// Checks the file as rally_model_open does, weights included, and keeps nothing; of a prepared file every byte.
    /// Any thread.
    pub fn rally_model_validate(
        path: *const c_char,
        options: *const rally_model_options,
        error: *mut rally_error,
    ) -> rally_status;
    /// Sets every field of a `rally_prepare_options` to its default, as `rally_error_init` does.
    pub fn rally_prepare_options_init(options: *mut rally_prepare_options, size: usize);
    /// Writes the model file at `in_path` to `out_path` with its weights packed as the products of this processor read
    /// them, and with everything else that the model needs. rally_model_open maps such a prepared file and is done:
    /// nothing is packed or copied, and all processes that open it share its pages, so that each further one takes next
    /// to no memory for weights. After fork() that is
    ///
    /// the way to share, too: the handles of the parent answer RALLY_FORKED, and what the child opens has the same
    /// pages. Results are the bits of the original opened with that dtype, fingerprints, score labels and saved states
    /// are the original's; with a calibration_text they are those of what rally_quantize makes of it. docs/prepared.md
    /// has the details. A prepared file serves one instruction set and one version of the packing
    /// (RALLY_UNSUPPORTED_VERSION elsewhere), and only the dtype that it was made for. Where the original stands in the
    /// same folder under its name and has other content by now, opening answers RALLY_MISMATCH. At open its length,
    /// header and description are checked against digests; rally_model_validate checks every byte. With cache_folder in
    /// rally_model_options all of that is done where it is needed: the original is opened through a prepared file in
    /// that folder, which is written, or written again, by whichever process finds none that it can use. Whoever cuts a
    /// mapped file short ends the processes that read there (the system's SIGBUS). A prepared file is therefore written
    /// without the right to write to it, is never changed but replaced in one step, and its length is looked at before
    /// each pass of the model (RALLY_IO when it was cut); against a process that cuts it in the midst of a pass only
    /// share_weights OFF helps. What stood at out_path is replaced in one step; on failure nothing there has changed.
    ///
    /// Errors: RALLY_INVALID_ARGUMENT where out_path is in_path; RALLY_NOT_A_FILE, RALLY_IO for out_path;
    /// RALLY_UNSUPPORTED for a file that is prepared already; those of rally_model_open and rally_quantize. Any thread.
    pub fn rally_model_prepare(
        in_path: *const c_char,
        out_path: *const c_char,
        options: *const rally_prepare_options,
        error: *mut rally_error,
    ) -> rally_status;
    /// Sets every field of a `rally_quantize_options` to its default, as `rally_error_init` does.
    pub fn rally_quantize_options_init(options: *mut rally_quantize_options, size: usize);
    /// Writes the model file at `in_path` to `out_path` with its matrices in another type: the embedding, all
    /// projections and the head. Norms, biases, routers, positions and a rater's own head stay as they are stored, and
    /// so do metadata, tokenizer and
    ///
    /// graph, whose nodes follow the types: the result is an ordinary model file, executable by any ONNX runtime.
    /// docs/format.md has the rule of rounding. From a narrower type to a wider one, what the stored numbers stand for.
    /// The same file gives the same bytes. With a calibration_text the model first reads some 16 000 tokens of it in
    /// f32, and int8 or q4 is stored so that less is lost of what its matrices were given; matrices that have the type
    /// already stay. With RALLY_DTYPE_Q4 the embedding, the head and matrices whose rows are no multiple of 32 long
    /// become int8. The new file is written under a name of its own in the folder of `out_path`, checked as
    /// rally_model_open checks it, and takes the place of what stood there in one step; on failure nothing there has
    /// changed. Where the file would exceed 2 GB, its data goes to `out_path` with ".data" appended, which must not
    /// exist. The input is read as rally_model_open reads it.
    ///
    /// Memory: some 10 MB, the graph, and of the mapped files the largest tensor; with a calibration_text also that of
    /// the model in f32 and some 2 KiB for each input of each matrix.
    ///
    /// Errors: those of rally_model_validate; RALLY_INVALID_ARGUMENT for another dtype and where the output is the
    /// input or its data; RALLY_NOT_A_FILE where it is a directory; RALLY_IO with the system's message where it cannot
    /// be written, such as on a full disk; RALLY_UNSUPPORTED for a graph that reads its weights in an unknown way, and
    /// for a calibration_text without a tokenizer; RALLY_EMPTY_INPUT for one that makes no tokens; RALLY_NOT_FINITE for
    /// numbers beyond bf16. Any thread.
    pub fn rally_quantize(
        in_path: *const c_char,
        out_path: *const c_char,
        options: *const rally_quantize_options,
        error: *mut rally_error,
    ) -> rally_status;
    /// Lets the model go; its memory is freed when the last runner on it is closed. NULL or a closed handle: nothing.
    /// Any thread.
    pub fn rally_model_close(model: *mut rally_model);
    /// Sets every field of a `rally_model_info` to its default, as `rally_error_init` does.
    pub fn rally_model_info_init(info: *mut rally_model_info, size: usize);
    /// Fills `info`, which must have been initialised. Any thread.
    pub fn rally_model_get_info(
        model: *const rally_model,
        info: *mut rally_model_info,
        error: *mut rally_error,
    ) -> rally_status;
    /// The name of a rater's output, from 0 on; NULL where there is none. Lives as long as the model is open. Any
    /// thread.
    pub fn rally_model_label(model: *const rally_model, index: usize) -> *const c_char;
    /// Number of metadata pairs, 0 for a closed handle. Any thread.
    pub fn rally_model_metadata_count(model: *const rally_model) -> usize;
    /// The pair at `index`, in the order of the file. The strings live as long as the model is open. Any thread.
    pub fn rally_model_metadata_at(
        model: *const rally_model,
        index: usize,
        key: *mut *const c_char,
        value: *mut *const c_char,
        error: *mut rally_error,
    ) -> rally_status;
    /// The value of `key`; RALLY_MISSING_KEY where there is none. Lives as long as the model is open. Any thread.
    pub fn rally_model_metadata_get(
        model: *const rally_model,
        key: *const c_char,
        value: *mut *const c_char,
        error: *mut rally_error,
    ) -> rally_status;
    /// Sets every field of a `rally_tensor_info` to its default, as `rally_error_init` does.
    pub fn rally_tensor_info_init(info: *mut rally_tensor_info, size: usize);
    /// The vocabulary: what each token stands for, laid end to end. bytes: \[capacity\], or NULL with capacity 0 to learn
    /// the rest.
    ///
    /// offsets: \[vocab_size + 1\], token i is bytes\[offsets\[i\]\] ... bytes\[offsets\[i + 1\] - 1\]; offsets\[vocab_size\] bytes
    /// are needed.
    ///
    /// special: \[vocab_size\], or NULL: 1 for tokens that steer the model and are no text. longest, or NULL: the most
    /// bytes that one token adds to a text, with the space that some tokenizers put before it: what rally_decoder_push
    /// needs follows from it.
    ///
    /// Errors: RALLY_BUFFER_TOO_SMALL; RALLY_UNSUPPORTED for a model without a tokenizer. Any thread.
    pub fn rally_model_vocabulary(
        model: *const rally_model,
        bytes: *mut c_char,
        capacity: usize,
        offsets: *mut usize,
        special: *mut u8,
        longest: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// Number of weight tensors, 0 for a closed handle. Any thread.
    pub fn rally_model_tensor_count(model: *const rally_model) -> usize;
    /// The weight tensor at `index`, in the order of docs/format.md. Any thread.
    pub fn rally_model_tensor_at(
        model: *const rally_model,
        index: usize,
        info: *mut rally_tensor_info,
        error: *mut rally_error,
    ) -> rally_status;
    /// Sets every field of a `rally_tokenizer_options` to its default, as `rally_error_init` does.
    pub fn rally_tokenizer_options_init(options: *mut rally_tokenizer_options, size: usize);
    /// Encodes `length` bytes of text. Bytes that are not UTF-8 are kept, through byte tokens: decoding gives back the
    /// very bytes. To WordPiece they are U+FFFD, which it drops.
    ///
    /// tokens: \[capacity\] i32, or NULL. token_count: how many there are. Any thread.
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
    /// Decodes tokens into bytes; not NUL-terminated. The bytes of one token may be part of a character: see
    /// rally_decoder.
    ///
    /// text: \[capacity\], or NULL. length: how many bytes there are. Errors: RALLY_INVALID_TOKEN. Any thread.
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
    /// Errors: RALLY_UNSUPPORTED for a model without a tokenizer. Any thread.
    pub fn rally_decoder_open(
        model: *const rally_model,
        options: *const rally_tokenizer_options,
        decoder: *mut *mut rally_decoder,
        error: *mut rally_error,
    ) -> rally_status;
    /// Takes the next token and gives the bytes that are complete by now, often none. With text NULL and capacity 0 the
    /// token is not taken, and length says how many bytes it would give. On RALLY_BUFFER_TOO_SMALL it is not taken
    /// either.
    ///
    /// text: \[capacity\] bytes. Of a byte-level or WordPiece tokenizer, `longest` of rally_model_vocabulary and 3 more
    /// always suffice. Where single bytes are tokens (\<0x0A\>), a run of them is held back until another token ends it,
    /// for it is text only as a whole: then 3 more for each of the run. length: bytes written.
    pub fn rally_decoder_push(
        decoder: *mut rally_decoder,
        token: i32,
        text: *mut c_char,
        capacity: usize,
        length: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// Gives the bytes held back, an unfinished character or a run of single bytes, and starts again from nothing.
    /// text, capacity, length as above; with text NULL the decoder goes on.
    pub fn rally_decoder_finish(
        decoder: *mut rally_decoder,
        text: *mut c_char,
        capacity: usize,
        length: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// Frees it. NULL or a closed handle: nothing. Any thread.
    pub fn rally_decoder_close(decoder: *mut rally_decoder);
    /// Sets every field of a `rally_runner_options` to its default, as `rally_error_init` does.
    pub fn rally_runner_options_init(options: *mut rally_runner_options, size: usize);
    /// Starts the worker threads. Errors: RALLY_OUT_OF_MEMORY, RALLY_INVALID_ARGUMENT, RALLY_UNSUPPORTED for a rater
    /// with another cache_dtype than F32, RALLY_CLOSED. Any thread.
    pub fn rally_runner_open(
        model: *const rally_model,
        options: *const rally_runner_options,
        runner: *mut *mut rally_runner,
        error: *mut rally_error,
    ) -> rally_status;
    /// Waits for the call in progress, after cancelling it, and frees workers and workspaces. Any thread.
    pub fn rally_runner_close(runner: *mut rally_runner);
    /// Makes the call in progress on this runner return soon with RALLY_CANCELLED (rally_generate: with what it has).
    /// No effect when none is in progress. Any thread.
    pub fn rally_runner_cancel(runner: *mut rally_runner);
    /// Greatest number of bytes that workspaces and caches take for rows of these lengths, besides the model's own
    /// weight_bytes: as max_memory_bytes of such a runner it is enough.
    ///
    /// row_offsets: \[row_count + 1\]. new_tokens: tokens generated per row, 0 for rally_run and rally_rate. Any thread.
    pub fn rally_runner_memory(
        runner: *const rally_runner,
        row_offsets: *const usize,
        row_count: usize,
        new_tokens: usize,
        bytes: *mut u64,
        error: *mut rally_error,
    ) -> rally_status;
    /// Sets every field of a `rally_run_options` to its default, as `rally_error_init` does.
    pub fn rally_run_options_init(options: *mut rally_run_options, size: usize);
    /// Sets every field of a `rally_outputs` to its default, as `rally_error_init` does.
    pub fn rally_outputs_init(outputs: *mut rally_outputs, size: usize);
    /// Runs a language model over rows.
    ///
    /// tokens: \[N\] i32; row_offsets: \[row_count + 1\], ascending from 0, every row of 1 ... max_position_embeddings
    /// tokens. Log-probabilities are computed a tile of 64 tokens at a time: logits that were not asked for never exist
    /// as \[N, V\].
    ///
    /// Errors: RALLY_INVALID_TOKEN, RALLY_EMPTY_INPUT, RALLY_CONTEXT_EXCEEDED, RALLY_WRONG_KIND, RALLY_CANCELLED,
    /// RALLY_DEADLINE_EXCEEDED, RALLY_UNSUPPORTED. On an error the contents of the output buffers are not specified for
    /// RALLY_CANCELLED and RALLY_DEADLINE_EXCEEDED, and untouched for all others. One caller.
    pub fn rally_run(
        runner: *mut rally_runner,
        tokens: *const i32,
        row_offsets: *const usize,
        row_count: usize,
        options: *const rally_run_options,
        outputs: *const rally_outputs,
        error: *mut rally_error,
    ) -> rally_status;
    /// Sets every field of a `rally_rate_options` to its default, as `rally_error_init` does.
    pub fn rally_rate_options_init(options: *mut rally_rate_options, size: usize);
    /// Scores rows with a rater. Higher is better; the scale is the rater's own, so compare within one rater only.
    ///
    /// tokens, row_offsets, row_count: as in rally_run. scores: \[row_count\] f32. Errors and thread as rally_run;
    /// RALLY_UNSUPPORTED, naming the labels, where a rater has several outputs and no rule that makes one score of
    /// them.
    pub fn rally_rate(
        runner: *mut rally_runner,
        tokens: *const i32,
        row_offsets: *const usize,
        row_count: usize,
        options: *const rally_rate_options,
        scores: *mut f32,
        error: *mut rally_error,
    ) -> rally_status;
    /// All outputs of a rater. outputs: \[row_count, num_labels\] f32, row-major, in the order of rally_model_label.
    /// Errors and thread as rally_run; RALLY_UNSUPPORTED for probabilities where the score rule makes none.
    pub fn rally_rate_outputs(
        runner: *mut rally_runner,
        tokens: *const i32,
        row_offsets: *const usize,
        row_count: usize,
        options: *const rally_rate_options,
        outputs: *mut f32,
        error: *mut rally_error,
    ) -> rally_status;
    /// What a rater's head sees of each row, its state after pooling and the final norm: an embedding on which you can
    /// train a head of your own. states: \[row_count, hidden_size\] f32, row-major. Errors and thread as rally_run.
    pub fn rally_pooled(
        runner: *mut rally_runner,
        tokens: *const i32,
        row_offsets: *const usize,
        row_count: usize,
        options: *const rally_rate_options,
        states: *mut f32,
        error: *mut rally_error,
    ) -> rally_status;
    /// Sets every field of a `rally_document_options` to its default, as `rally_error_init` does.
    pub fn rally_document_options_init(options: *mut rally_document_options, size: usize);
    /// Sets every field of a `rally_document_scores` to its default, as `rally_error_init` does.
    pub fn rally_document_scores_init(scores: *mut rally_document_scores, size: usize);
    /// Encodes a text as a document to be rated: what the reading leaves of its characters, with what the tokenizer
    /// adds, and with special tokens in the text as the characters that they are written with. Characters are Unicode
    /// scalars; of n of them and a
    ///
    /// count c: RALLY_READING_FIRST takes the first c; RALLY_READING_MIDDLE those from max(0, m - c) to min(m + c, n),
    /// m = n / 2 rounded down; RALLY_READING_ENDS the first c and the last c, put together, where n \> 2 c. options,
    /// tokens, capacity, token_count as in rally_encode. Errors: RALLY_WRONG_KIND, RALLY_INVALID_ARGUMENT,
    /// RALLY_BUFFER_TOO_SMALL, RALLY_UNSUPPORTED without a tokenizer. Any thread.
    pub fn rally_encode_document(
        model: *const rally_model,
        text: *const c_char,
        length: usize,
        options: *const rally_document_options,
        tokens: *mut i32,
        capacity: usize,
        token_count: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// Says how documents will be cut, without computing anything. window_offsets: \[row_count + 1\], from 0.
    ///
    /// tokens, row_offsets, row_count: as in rally_rate, but rows of any length.
    ///
    /// Errors: RALLY_INVALID_TOKEN, RALLY_EMPTY_INPUT, RALLY_WRONG_KIND; RALLY_LIMIT_EXCEEDED where the windows of one
    /// call have more than 2^28 tokens. Any thread.
    pub fn rally_document_windows(
        model: *const rally_model,
        tokens: *const i32,
        row_offsets: *const usize,
        row_count: usize,
        options: *const rally_document_options,
        window_offsets: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// Scores documents. The windows of all of them run together, without padding; progress counts their tokens.
    ///
    /// Errors: those of rally_document_windows and rally_rate; RALLY_BUFFER_TOO_SMALL for window_capacity. Where a
    /// rater's outputs make no score, coverage, window_offsets and outputs alone may be asked for. One caller.
    pub fn rally_rate_documents(
        runner: *mut rally_runner,
        tokens: *const i32,
        row_offsets: *const usize,
        row_count: usize,
        options: *const rally_document_options,
        scores: *const rally_document_scores,
        error: *mut rally_error,
    ) -> rally_status;
    /// Who made scores: 64 hexadecimal digits that stand for the content of the model's file, external data included,
    /// and for what changes its scores, dtype and (raters) squash. The same on every machine and for every name of the
    /// file; rally_decide takes it. Reads the whole file, the first time. squash: as in rally_rate_options.
    ///
    /// text: \[capacity\], NUL-terminated, or NULL with capacity 0 to learn the size. size: bytes needed or written, 65.
    ///
    /// Errors: RALLY_UNSUPPORTED for a model from memory, RALLY_BUFFER_TOO_SMALL, and what is wrong with a file.
    pub fn rally_score_fingerprint(
        model: *const rally_model,
        squash: rally_switch,
        text: *mut c_char,
        capacity: usize,
        size: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// Sets every field of a `rally_label_options` to its default, as `rally_error_init` does.
    pub fn rally_label_options_init(options: *mut rally_label_options, size: usize);
    /// The label of a distribution of a model's scores, of a language model's perplexities: one line of `key=value`
    /// pairs, such as
    ///
    /// ```text
    /// version=1 model=8f3c... measure=score reading=documents window=512 stride=512
    /// ```
    ///
    /// Equal labels mean scores that belong together. Later versions append pairs for what is not at its default. text,
    /// capacity, size and errors as in rally_score_fingerprint; RALLY_INVALID_ARGUMENT for `more`.
    pub fn rally_score_label(
        model: *const rally_model,
        options: *const rally_label_options,
        text: *mut c_char,
        capacity: usize,
        size: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// same: 1 where both models read the same tokens: their tokenizers are equal, or neither has one and the ids are
    /// as many; else 0.
    pub fn rally_same_tokens(
        model: *const rally_model,
        other: *const rally_model,
        same: *mut i32,
        error: *mut rally_error,
    ) -> rally_status;
    /// count: how many points to draw so that `keep` are left, B = ceil(keep / (1 - discard)), exact for the shortest
    /// decimal number that `discard` stands for: keeping 1 point at a discard share of 0.9 takes 10 draws. discard: in
    /// \[0, 1).
    ///
    /// Errors: RALLY_INVALID_ARGUMENT; RALLY_LIMIT_EXCEEDED beyond 63 bits.
    pub fn rally_draw_count(keep: usize, discard: f64, count: *mut usize, error: *mut rally_error) -> rally_status;
    /// indices: \[keep\] places of the highest scores, ascending; of equal scores the earlier ones. scores: \[count\],
    /// infinities included.
    ///
    /// Errors: RALLY_EMPTY_INPUT without scores, RALLY_NOT_FINITE for a NaN, RALLY_INVALID_ARGUMENT for keep \> count.
    pub fn rally_select_top(
        scores: *const f32,
        count: usize,
        keep: usize,
        indices: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// weights: \[count\] softmax of the scores, which must be finite. Errors: RALLY_EMPTY_INPUT, RALLY_NOT_FINITE.
    pub fn rally_softmax_weights(
        scores: *const f32,
        count: usize,
        weights: *mut f32,
        error: *mut rally_error,
    ) -> rally_status;
    /// probabilities: \[count\] that a point whose score has the quantile p is among the best `keep` of `batch` points,
    /// the others drawn
    ///
    /// at random: the regularised incomplete beta function I_p(batch - keep, keep), to 1e-12 of its value. 0 for keep =
    /// 0, 1 for keep = batch.
    ///
    /// quantiles: \[count\] in \[0, 1\], as rally_distribution_cdf gives them. batch: 1 ... 2^24. Errors:
    /// RALLY_INVALID_ARGUMENT.
    pub fn rally_acceptance(
        quantiles: *const f64,
        count: usize,
        batch: usize,
        keep: usize,
        probabilities: *mut f64,
        error: *mut rally_error,
    ) -> rally_status;
    /// keeps: \[count\] 1 for a point that stays, else 0: the same on every machine, in every language and order. A point
    /// stays if u \< its probability, where u in \[0, 1) is the first 53 bits of the digest, in reading order, divided by
    /// 2^53, of
    ///
    /// ```text
    /// SHA-256( seed u64, bytes of the fingerprint u64, fingerprint, bytes of the id u64, id ), numbers little-endian.
    /// ```
    ///
    /// ids: the names of the points end to end, any bytes; id_offsets: \[count + 1\], ascending from 0.
    ///
    /// probabilities: \[count\] in \[0, 1\], of the scores as they were stored: fresh ones may differ in the last bits
    /// between instruction sets. fingerprint: of the rater.
    ///
    /// Errors: RALLY_INVALID_ARGUMENT.
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
    /// cost: what rating costs as a share of the training that it is for, rater_parameters / (3 model_parameters (1 -
    /// discard)): the rater reads every point that is drawn, forward; the model is trained on those that are kept. More
    /// than discard / (1 - discard) cannot be saved, even if what is dropped taught nothing; and at 1 rating takes what
    /// training takes. Beyond either, rate once, store the scores, and cut them again without rating. Errors:
    /// RALLY_INVALID_ARGUMENT.
    pub fn rally_rating_cost(
        rater_parameters: f64,
        model_parameters: f64,
        discard: f64,
        cost: *mut f64,
        error: *mut rally_error,
    ) -> rally_status;
    /// Sets every field of a `rally_cascade` to its default, as `rally_error_init` does.
    pub fn rally_cascade_init(cascade: *mut rally_cascade, size: usize);
    /// cheap, expensive: \[count\] scores of a uniform random sample of the points, in the order in which they were
    /// drawn: the first three quarters choose, the last one checks. `discard` in (0, 1), `agreement` in \[0.5, 1) such
    /// as 0.99, `confidence` in \[0.5, 1) such as 0.95.
    ///
    /// The bound holds with the confidence for the corpus that the sample was drawn from and for the cut that keeps the
    /// share 1 - discard of it by rally_cascade_scores. Wrongly dropped and wrongly kept points are bounded by Clopper
    /// and Pearson, for whatever the place of the corpus' own cut in the sample may be; twice the greater of the two is
    /// what decisions can differ by. Of a sample of some hundreds no band can be trusted so far, and its ends are
    /// infinite.
    ///
    /// Errors: RALLY_EMPTY_INPUT for fewer than 4 points, RALLY_NOT_FINITE, RALLY_INVALID_ARGUMENT; RALLY_MISMATCH
    /// where the last quarter contradicts, so that the order was none of chance.
    pub fn rally_cascade_choose(
        cheap: *const f32,
        expensive: *const f32,
        count: usize,
        discard: f64,
        agreement: f64,
        confidence: f64,
        cascade: *mut rally_cascade,
        error: *mut rally_error,
    ) -> rally_status;
    /// scores: \[count\] the cheap rater's, and in the band a place between its ends by the expensive rater's score:
    /// higher there is higher here. expensive: \[count\]; read in the band only, anything else. The same bits everywhere.
    ///
    /// Errors: RALLY_NOT_FINITE for a NaN among the scores that are read, RALLY_INVALID_ARGUMENT.
    pub fn rally_cascade_scores(
        cascade: *const rally_cascade,
        cheap: *const f32,
        expensive: *const f32,
        count: usize,
        scores: *mut f32,
        error: *mut rally_error,
    ) -> rally_status;
    /// Sets every field of a `rally_distribution_info` to its default, as `rally_error_init` does.
    pub fn rally_distribution_info_init(info: *mut rally_distribution_info, size: usize);
    /// label: what the scores are of, such as rater, mode and windows; NULL: "". capacity: scores that are kept of each
    /// doubling, even, 8 ... 2^20; 0: 4096. With it rank_error is at most 0.11 % at a million scores in a stream and
    /// 0.23 % at a billion, and at most 0.22 % and 0.46 % in any tree of merges. Errors: RALLY_INVALID_ARGUMENT.
    pub fn rally_distribution_open(
        label: *const c_char,
        capacity: usize,
        distribution: *mut *mut rally_distribution,
        error: *mut rally_error,
    ) -> rally_status;
    /// Adds scores: \[count\], infinities included; on an error none. Errors: RALLY_NOT_FINITE for a NaN;
    /// RALLY_LIMIT_EXCEEDED beyond 2^53 of them.
    pub fn rally_distribution_add(
        distribution: *mut rally_distribution,
        scores: *const f32,
        count: usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// Adds what another distribution has seen, which stays as it is. Errors: RALLY_MISMATCH for another label or
    /// capacity.
    pub fn rally_distribution_merge(
        distribution: *mut rally_distribution,
        other: *const rally_distribution,
        error: *mut rally_error,
    ) -> rally_status;
    /// quantiles: \[count\] mid-ranks of the scores, (scores below + half of the equal ones) / all. Errors:
    /// RALLY_EMPTY_INPUT while there are none, RALLY_NOT_FINITE.
    pub fn rally_distribution_cdf(
        distribution: *const rally_distribution,
        scores: *const f32,
        count: usize,
        quantiles: *mut f64,
        error: *mut rally_error,
    ) -> rally_status;
    /// scores: \[count\] the lowest score that the share p of all does not exceed; the minimum at 0, the maximum at 1.
    /// Errors: RALLY_EMPTY_INPUT while there are none, RALLY_INVALID_ARGUMENT outside \[0, 1\].
    pub fn rally_distribution_quantile(
        distribution: *const rally_distribution,
        quantiles: *const f64,
        count: usize,
        scores: *mut f32,
        error: *mut rally_error,
    ) -> rally_status;
    /// Fills `info`, which must have been initialised.
    pub fn rally_distribution_get_info(
        distribution: *const rally_distribution,
        info: *mut rally_distribution_info,
        error: *mut rally_error,
    ) -> rally_status;
    /// Saves all of it, label and checksum included; the same scores in the same order give the same bytes on every
    /// machine.
    ///
    /// data: \[capacity\] bytes, or NULL with capacity 0 to learn the size. size: bytes needed or written. Errors:
    /// RALLY_BUFFER_TOO_SMALL.
    pub fn rally_distribution_save(
        distribution: *const rally_distribution,
        data: *mut c_void,
        capacity: usize,
        size: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// Opens what was saved. Errors: RALLY_CORRUPT_FILE, RALLY_UNSUPPORTED_VERSION.
    pub fn rally_distribution_load(
        data: *const c_void,
        size: usize,
        distribution: *mut *mut rally_distribution,
        error: *mut rally_error,
    ) -> rally_status;
    /// Frees it. NULL or a closed handle: nothing. Any thread.
    pub fn rally_distribution_close(distribution: *mut rally_distribution);
    /// Sets every field of a `rally_request` to its default, as `rally_error_init` does.
    pub fn rally_request_init(request: *mut rally_request, size: usize);
    /// Sets every field of a `rally_generation` to its default, as `rally_error_init` does.
    pub fn rally_generation_init(generation: *mut rally_generation, size: usize);
    /// Continues a batch of prompts together until each has finished. Selection is by threshold.
    ///
    /// requests: \[request_count\], all of the first one's struct_size. on_token and generation: at least one of them.
    /// Nothing is allocated per token once the prompts have been computed. Returns RALLY_OK also when sequences were
    /// cancelled: their finish_reason says so and what they have is kept.
    ///
    /// Errors: RALLY_INVALID_TOKEN, RALLY_EMPTY_INPUT, RALLY_CONTEXT_EXCEEDED, RALLY_WRONG_KIND, RALLY_UNSUPPORTED. One
    /// caller; on_token runs on the calling thread.
    pub fn rally_generate(
        runner: *mut rally_runner,
        requests: *const rally_request,
        request_count: usize,
        on_token: rally_event_callback,
        user: *mut c_void,
        generation: *mut rally_generation,
        error: *mut rally_error,
    ) -> rally_status;
    /// Sets every field of a `rally_engine_options` to its default, as `rally_error_init` does.
    pub fn rally_engine_options_init(options: *mut rally_engine_options, size: usize);
    /// The bytes that an engine takes when it is opened, lists included, besides the model's own weight_bytes: half a
    /// megabyte less at most. Any thread.
    pub fn rally_engine_memory(
        model: *const rally_model,
        options: *const rally_engine_options,
        bytes: *mut u64,
        error: *mut rally_error,
    ) -> rally_status;
    /// Starts the worker threads and takes the memory. Errors: RALLY_WRONG_KIND for a rater, RALLY_LIMIT_EXCEEDED,
    /// RALLY_UNSUPPORTED. Any thread.
    pub fn rally_engine_open(
        model: *const rally_model,
        options: *const rally_engine_options,
        engine: *mut *mut rally_engine,
        error: *mut rally_error,
    ) -> rally_status;
    /// Waits for the step in progress and frees everything; requests that are unfinished end without an event. Any
    /// thread.
    pub fn rally_engine_close(engine: *mut rally_engine);
    /// Puts a request into the queue; its arrays and strings are copied. id, or NULL: its number in events, 0, 1, 2,
    /// ...
    ///
    /// Errors: RALLY_INVALID_TOKEN, RALLY_EMPTY_INPUT, RALLY_CONTEXT_EXCEEDED, RALLY_UNSUPPORTED; RALLY_LIMIT_EXCEEDED
    /// when cache_bytes cannot hold prompt and max_tokens. Any thread.
    pub fn rally_engine_submit(
        engine: *mut rally_engine,
        request: *const rally_request,
        id: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// Waits until the engine has something to do: an unfinished request. At once where there is one; otherwise a
    /// submission on another thread ends the wait. timeout_seconds: at least 0. Errors: RALLY_DEADLINE_EXCEEDED when it
    /// went by without work; RALLY_CLOSED when the engine is closed meanwhile. Any thread.
    pub fn rally_engine_wait(engine: *mut rally_engine, timeout_seconds: f64, error: *mut rally_error) -> rally_status;
    /// Ends one request, or all, at the next step: an event says RALLY_FINISH_CANCELLED. Unknown or finished: nothing.
    /// Any thread.
    pub fn rally_engine_cancel(engine: *mut rally_engine, id: usize);
    /// Ends one request, or all, at the next step: an event says RALLY_FINISH_CANCELLED. Unknown or finished: nothing.
    /// Any thread.
    pub fn rally_engine_cancel_all(engine: *mut rally_engine);
    /// One step. on_event, or NULL: called with each generated token and the end of each request; it may submit and
    /// cancel.
    ///
    /// busy, or NULL: set to 1 while any request is unfinished, else 0. On RALLY_OUT_OF_MEMORY nothing is lost: the
    /// next step starts the sequences again from their tokens. One caller.
    pub fn rally_engine_step(
        engine: *mut rally_engine,
        on_event: rally_event_callback,
        user: *mut c_void,
        busy: *mut i32,
        error: *mut rally_error,
    ) -> rally_status;
    /// Steps until no request is left. Errors and thread as rally_engine_step.
    pub fn rally_engine_run(
        engine: *mut rally_engine,
        on_event: rally_event_callback,
        user: *mut c_void,
        error: *mut rally_error,
    ) -> rally_status;
    /// Counters: what the engine did and holds, as numbers with names, such as "passes_total", "tokens_depth_2_total",
    /// "blocks_used", "preemptions_total", "seconds_products_total". Names ending in _total only grow. Count and names:
    /// any thread, names live as long as the engine is open (NULL beyond the count). values: \[capacity\], all of them at
    /// once, as the last step left them, also while the next one runs. Any thread.
    pub fn rally_engine_counter_count(engine: *const rally_engine) -> usize;
    /// Counters: what the engine did and holds, as numbers with names, such as "passes_total", "tokens_depth_2_total",
    /// "blocks_used", "preemptions_total", "seconds_products_total". Names ending in _total only grow. Count and names:
    /// any thread, names live as long as the engine is open (NULL beyond the count). values: \[capacity\], all of them at
    /// once, as the last step left them, also while the next one runs. Any thread.
    pub fn rally_engine_counter_name(engine: *const rally_engine, index: usize) -> *const c_char;
    /// Counters: what the engine did and holds, as numbers with names, such as "passes_total", "tokens_depth_2_total",
    /// "blocks_used", "preemptions_total", "seconds_products_total". Names ending in _total only grow. Count and names:
    /// any thread, names live as long as the engine is open (NULL beyond the count). values: \[capacity\], all of them at
    /// once, as the last step left them, also while the next one runs. Any thread.
    pub fn rally_engine_counters(
        engine: *mut rally_engine,
        values: *mut f64,
        capacity: usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// Saves what an unfinished request has computed: its tokens, depths, keys and values, with the model's fingerprint
    /// and a checksum. The request goes on. data: \[capacity\] bytes, or NULL with capacity 0 to learn the size. size:
    /// bytes needed or written.
    ///
    /// Errors: RALLY_INVALID_ARGUMENT for an id that is unknown or finished, or that no step has seen yet;
    /// RALLY_BUFFER_TOO_SMALL. One caller.
    pub fn rally_engine_save(
        engine: *mut rally_engine,
        id: usize,
        data: *mut c_void,
        capacity: usize,
        size: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// Continues a saved request, in this engine or another on the same model: bit for bit as if it had never been
    /// interrupted.
    ///
    /// request: how to go on (sampling, limits); its tokens must be empty, and max_tokens counts what was generated
    /// before. Events count on from there. Errors: RALLY_CORRUPT_FILE, RALLY_UNSUPPORTED_VERSION, RALLY_WRONG_MODEL
    /// (also for another cache_dtype), RALLY_LIMIT_EXCEEDED when the blocks or the place that it needs are not free now
    /// (step, then try again), and those of rally_engine_submit. One caller.
    pub fn rally_engine_restore(
        engine: *mut rally_engine,
        data: *const c_void,
        size: usize,
        request: *const rally_request,
        id: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// One line, with what the verdict does not prove; NULL for a number that is none. Static storage. Any thread.
    pub fn rally_lineage_verdict_text(verdict: rally_lineage_verdict) -> *const c_char;
    /// Sets every field of a `rally_lineage_options` to its default, as `rally_error_init` does.
    pub fn rally_lineage_options_init(options: *mut rally_lineage_options, size: usize);
    /// Sets every field of a `rally_matrix` to its default, as `rally_error_init` does.
    pub fn rally_matrix_init(matrix: *mut rally_matrix, size: usize);
    /// Compares two files: model files, .safetensors files, or folders as Hugging Face's libraries save them (f32, f16,
    /// bf16; with an index, too). Attention is compared where config.json says how many heads there are. Of more than
    /// 1024 units, 1024 are looked at.
    ///
    /// Errors: RALLY_MISMATCH for models of other shapes, with both; RALLY_UNSUPPORTED where no layer is named as those
    /// of Llama or BERT, or units are too few for a p below 0.001; RALLY_INVALID_ARGUMENT where permutations are;
    /// RALLY_INVALID_VALUE for units that are all alike; RALLY_INVALID_SHAPE, RALLY_NOT_FINITE, RALLY_CANCELLED, and
    /// what is wrong with a file. Any thread.
    pub fn rally_lineage(
        a: *const c_char,
        b: *const c_char,
        options: *const rally_lineage_options,
        report: *mut *mut rally_lineage_report,
        error: *mut rally_error,
    ) -> rally_status;
    /// Compares matrices; those of one name are partners. a, b: \[a_count\], \[b_count\], all of the first one's
    /// struct_size; not needed afterwards. Errors as rally_lineage, RALLY_EMPTY_INPUT for none, RALLY_DUPLICATE_TENSOR.
    /// Any thread.
    pub fn rally_lineage_matrices(
        a: *const rally_matrix,
        a_count: usize,
        b: *const rally_matrix,
        b_count: usize,
        options: *const rally_lineage_options,
        report: *mut *mut rally_lineage_report,
        error: *mut rally_error,
    ) -> rally_status;
    /// Frees the report and its texts. NULL or a closed handle: nothing. Any thread.
    pub fn rally_lineage_close(report: *mut rally_lineage_report);
    /// Sets every field of a `rally_lineage_result` to its default, as `rally_error_init` does.
    pub fn rally_lineage_result_init(result: *mut rally_lineage_result, size: usize);
    /// Any thread.
    pub fn rally_lineage_get_result(
        report: *const rally_lineage_report,
        result: *mut rally_lineage_result,
        error: *mut rally_error,
    ) -> rally_status;
    /// Sets every field of a `rally_lineage_entry` to its default, as `rally_error_init` does.
    pub fn rally_lineage_entry_init(entry: *mut rally_lineage_entry, size: usize);
    /// Texts live as long as the report is open. Any thread.
    pub fn rally_lineage_entry_at(
        report: *const rally_lineage_report,
        kind: rally_lineage_kind,
        index: usize,
        entry: *mut rally_lineage_entry,
        error: *mut rally_error,
    ) -> rally_status;
    /// Sets every field of a `rally_exposure_scores` to its default, as `rally_error_init` does.
    pub fn rally_exposure_scores_init(scores: *mut rally_exposure_scores, size: usize);
    /// Compares two language models with one tokenizer along rows. Progress is the teacher's, and cancelling its call
    /// ends this one.
    ///
    /// tokens, row_offsets, row_count: as in rally_run.
    ///
    /// given: \[row_count\] tokens at the beginning of each row that were not sampled, such as its prompt; NULL: 1 each,
    /// for no model predicts a first token. Logits exist for 64 tokens at a time.
    ///
    /// Errors: RALLY_MISMATCH for models that read other tokens, RALLY_BUSY also for one runner twice, and those of
    /// rally_run. One caller of both.
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
