/*
 * Rally: an embeddable CPU inference runtime for Mixture-of-Recursions language models and DataRaters.
 *
 *   A model   is a file that was opened: weights, configuration, tokenizer. Immutable; any number of threads share it.
 *   A runner  computes with a model: worker threads and workspaces. One caller at a time; open one per thread that needs one.
 *   An engine continues any number of sequences together, which come and go at every step.
 *   Rows      are sequences of token ids of any lengths, laid end to end in `tokens`; row i is
 *             tokens[row_offsets[i]] ... tokens[row_offsets[i + 1] - 1]. Never padded.
 *
 * The shortest useful program:
 *
 *     #include <rally.h>
 *     #include <stdio.h>
 *
 *     static int32_t print_token(void *user, const rally_event *event) {
 *       char text[256]; size_t length = 0;
 *       if (event->token >= 0 && !rally_decode(user, &event->token, 1, NULL, text, sizeof text, &length, NULL))
 *         printf("%.*s<%d>", (int)length, text, (int)event->depth);
 *       return 0;
 *     }
 *
 *     int main(void) {
 *       rally_error error; rally_error_init(&error, sizeof error);
 *       rally_model *model = NULL; rally_runner *runner = NULL;
 *       int32_t prompt[64]; size_t count = 0;
 *       if (rally_model_open("rally-tiny.onnx", NULL, &model, &error)
 *           || rally_runner_open(model, NULL, &runner, &error)
 *           || rally_encode(model, "The sea", 7, NULL, prompt, 64, &count, &error)) {
 *         fprintf(stderr, "%s\n", error.message);
 *         return 1;
 *       }
 *       rally_request request; rally_request_init(&request, sizeof request);
 *       request.tokens = prompt; request.token_count = count; request.max_tokens = 40;
 *       rally_status status = rally_generate(runner, &request, 1, print_token, model, NULL, &error);
 *       rally_runner_close(runner);
 *       rally_model_close(model);
 *       return status;
 *     }
 *
 * What holds for every function
 *
 *   Errors      A function that can fail returns a rally_status and takes a `rally_error *`, which may be NULL. On failure the
 *               error holds the code and one line that names the thing, what was expected, what was found and what to do;
 *               out-parameters keep the values they had. Nothing is printed, nothing aborts, no state is kept per thread.
 *               Not repeated below: RALLY_INVALID_ARGUMENT for a NULL that is not allowed, a struct without its size and
 *               a number outside the range given next to it; RALLY_CLOSED and RALLY_FORKED of every handle; RALLY_BUSY of
 *               every "one caller"; RALLY_OUT_OF_MEMORY.
 *   Structs     begin with `struct_size`. Call the init function with sizeof of your struct: it sets every field to its default.
 *               Fields are only ever appended, so a program compiled against an older header keeps working. With a newer header
 *               than the library, a call answers RALLY_INVALID_ARGUMENT for a struct that is longer than the library knows,
 *               a function that it lacks is an unresolved symbol of the program, and structs that the library fills, such as
 *               events, say in their struct_size how far they go: compare rally_version_number() with RALLY_VERSION first.
 *               A NULL options pointer means the defaults.
 *   Buffers     are borrowed for the length of the call, and must be aligned for their type. Strings are UTF-8.
 *   Handles     may be closed in any order, twice, or as NULL; a model lives until the last runner on it is closed.
 *               Using a closed handle answers RALLY_CLOSED. After fork() the handles of the parent answer RALLY_FORKED in the
 *               child; what the child opens itself works, whatever other threads of the parent were doing. A fork waits while one
 *               of them has a model file read by libonnx, or makes what is made once for all: 10 ms for small files, .7 s for 1.4 GB;
 *               and a minute at most.
 *   Threads     "any thread": may run at the same time as anything else, on the same handle. "one caller": one call at a time per
 *               handle; a second one answers RALLY_BUSY and changes nothing. No function may be called in a signal handler:
 *               let the handler set a flag of your own, and answer non-zero in a callback when it is set.
 *               A thread that is cancelled (pthread_cancel) in a call, callbacks included, finishes the call first.
 *   Arithmetic  Calls compute with exceptions masked, to nearest, subnormal numbers as they are, and leave the floating-point
 *               environment of the calling thread as it was. Callbacks run in that environment.
 *   Callbacks   run on the calling thread, may not call the handle they were given to, and must return normally. A host with
 *               coroutines may switch to another one in them, on the same thread.
 *   Same bits   The result of a row is bit for bit the same whatever the other rows of the call, their order, how a prompt is
 *               cut into calls, and the number of threads, on one machine and one instruction set.
 */
#ifndef RALLY_H
#define RALLY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------------------------------
 * Version
 * --------------------------------------------------------------------------------------------------------------------- */

#define RALLY_VERSION_MAJOR 0
#define RALLY_VERSION_MINOR 1
#define RALLY_VERSION_PATCH 0
/* One number that grows with every version, for #if: 1000000 * major + 1000 * minor + patch. */
#define RALLY_VERSION (RALLY_VERSION_MAJOR * 1000000 + RALLY_VERSION_MINOR * 1000 + RALLY_VERSION_PATCH)

/* The version of the library that is loaded, "major.minor.patch". Static storage. Any thread. */
const char *rally_version(void);

/* RALLY_VERSION of the library that is loaded. Any thread. */
uint32_t rally_version_number(void);

/* How the library was built, for reports of faults: lines `name value` with version, commit, compiler, architecture and the
 * libraries inside. Static storage. Any thread. */
const char *rally_build_info(void);

/*
 * The layout of every public struct as this library was compiled: one line `struct SIZE` and below it one line
 * `struct.field OFFSET SIZE` per field. Bindings compare it with their own declarations when they load. Static storage. Any
 * thread.
 */
const char *rally_abi_layout(void);

/* The instruction set in use: "avx512", "avx2", "sse4" or "sse2"; only x86-64 is tested and released. RALLY_MAX_CPU_ISA in the
 * environment, read when the library first computes, holds it down to sse4, avx2 or avx512; with any other value no model opens.
 * Static storage. Any thread. */
const char *rally_instruction_set(void);

/* ------------------------------------------------------------------------------------------------------------------------
 * Errors
 * --------------------------------------------------------------------------------------------------------------------- */

/* What a call answers: RALLY_OK, or why it failed. */
typedef enum rally_status {
  RALLY_OK = 0,

  /* The arguments of the call. */
  RALLY_INVALID_ARGUMENT = 1,   /* NULL, misaligned or contradictory; a NaN or a number outside its range */
  RALLY_INVALID_TOKEN = 2,      /* a token id outside [0, vocab_size) */
  RALLY_EMPTY_INPUT = 3,        /* no rows, or a row without tokens */
  RALLY_CONTEXT_EXCEEDED = 4,   /* a row longer than the model's max_position_embeddings */
  RALLY_WRONG_KIND = 5,         /* a rater asked to generate, a language model asked to rate */
  RALLY_BUFFER_TOO_SMALL = 6,   /* the message says how much is needed */
  RALLY_WRONG_MODEL = 7,        /* a saved state that another model, dtype or depth budget computed */
  RALLY_MISMATCH = 8,           /* two things that do not belong together, such as distributions of two raters */

  /* The state of a handle or of the machine. */
  RALLY_CLOSED = 10,
  RALLY_BUSY = 11,              /* another call is running on this handle */
  RALLY_FORKED = 12,            /* the handle belongs to the parent process: open it again in this one */
  RALLY_CANCELLED = 13,         /* rally_runner_cancel, or a progress callback that returned non-zero */
  RALLY_DEADLINE_EXCEEDED = 14, /* timeout_seconds went by */
  RALLY_OUT_OF_MEMORY = 15,
  RALLY_LIMIT_EXCEEDED = 16,    /* a limit of the options, such as max_file_bytes */
  RALLY_UNSUPPORTED = 17,       /* a valid request that this library cannot serve; the message names it */
  RALLY_QUEUE_FULL = 18,        /* as many unfinished requests as max_sequences and max_queue allow: submit again later */

  /* The file as a file. */
  RALLY_FILE_NOT_FOUND = 20,
  RALLY_NOT_A_FILE = 21,        /* a directory or a device */
  RALLY_EMPTY_FILE = 22,
  RALLY_IO = 23,                /* the system's own message is in the error */

  /* The file as a model; docs/format.md describes what is expected. */
  RALLY_CORRUPT_FILE = 30,      /* not a protobuf message, cut off, or nested too deeply */
  RALLY_NOT_A_RALLY_MODEL = 31, /* an ONNX model without `rally.` metadata */
  RALLY_UNSUPPORTED_VERSION = 32,
  RALLY_MISSING_KEY = 33,
  RALLY_UNKNOWN_KEY = 34,
  RALLY_DUPLICATE_KEY = 35,
  RALLY_INVALID_VALUE = 36,
  RALLY_MISSING_TENSOR = 37,
  RALLY_UNKNOWN_TENSOR = 38,
  RALLY_DUPLICATE_TENSOR = 39,
  RALLY_INVALID_SHAPE = 40,
  RALLY_INVALID_DATA_TYPE = 41,
  RALLY_TRUNCATED_DATA = 42,    /* fewer or more bytes than shape and type ask for */
  RALLY_NOT_FINITE = 43,        /* a NaN or an infinity among the weights, or among scores */
  RALLY_EXTERNAL_DATA_FORBIDDEN = 44, /* outside the model's folder, or from memory */
  RALLY_EXTERNAL_DATA_MISSING = 45,
  RALLY_EXTERNAL_DATA_RANGE = 46,
  RALLY_INVALID_TOKENIZER = 47
} rally_status;

/* The name of a status, such as "RALLY_NOT_FINITE"; "RALLY_UNKNOWN_STATUS" for a number that is none. Static storage.
 * Any thread. */
const char *rally_status_name(rally_status status);

/* Why a call failed: a code for programs, a line for people. */
typedef struct rally_error {
  size_t struct_size;
  rally_status code;
  char message[1020]; /* one line, NUL-terminated, cut at a character where it is longer */
} rally_error;

/* Every *_init below: sets struct_size to `size`, which must be sizeof the struct, and every field that fits into it to its
 * default. Does nothing with NULL. Any thread. */
void rally_error_init(rally_error *error, size_t size);

/* ------------------------------------------------------------------------------------------------------------------------
 * Model
 * --------------------------------------------------------------------------------------------------------------------- */

/* A file that was opened: weights, configuration, tokenizer. Immutable; any number of threads share it. */
typedef struct rally_model rally_model;

/* Element type of the matrix products. Norms, routers, softmax, scores and the embedding are computed in f32 whatever it is.
 * BF16: weights are rounded to bf16; rows and sums are f32, but where the processor multiplies bf16 at more than the speed of f32
 * (AMD with AVX512_BF16, Intel with AMX) rows are rounded to bf16, too. INT8: weights and rows with a scale for every 32
 * inputs, max|w| / 127, or as the file stores them; sums are exact within such a group (docs/number-formats.md). Q4: weights
 * of the layers in four bits with an f16 scale for every 32 inputs, the head and what the layers have alongside them as INT8;
 * rows as with INT8. */
typedef enum rally_dtype {
  RALLY_DTYPE_AUTO = 0, /* what most weights of the layers are stored in; f32 for f16 */
  RALLY_DTYPE_F32 = 1,
  RALLY_DTYPE_BF16 = 2,
  RALLY_DTYPE_INT8 = 3,
  RALLY_DTYPE_Q4 = 4
} rally_dtype;

/* Three-valued switch: what the model file says, or what the caller asks for. */
typedef enum rally_switch { RALLY_DEFAULT = -1, RALLY_OFF = 0, RALLY_ON = 1 } rally_switch;

/* How important a line of the log is. */
typedef enum rally_log_level { RALLY_LOG_DEBUG = 0, RALLY_LOG_INFO = 1, RALLY_LOG_WARNING = 2 } rally_log_level;

/* One line of text, without a newline; valid during the callback. */
typedef void (*rally_log_callback)(void *user, rally_log_level level, const char *message);

/* `done` of `total` units of work (bytes while a model opens, tokens while rows run). A call of several steps, such as preparing or
 * opening through a cache_folder, begins again with each. Return non-zero to cancel. */
typedef int32_t (*rally_progress_callback)(void *user, uint64_t done, uint64_t total);

/* Worker threads that any number of models, runners and engines of a process share, so that many of them do not start as many
 * threads each. Their passes of a model, which max_batch_tokens and max_step_tokens bound, take turns in the order in which
 * they came; so calls of several threads at once are safe, and each gets its share. What they compute is the same, bit for bit,
 * as with threads of their own. */
typedef struct rally_pool rally_pool;

/* Starts threads - 1 threads; the thread that calls works as well. threads: 0: as many as this process may use; at most 256.
 * With 1 no call waits for others: each computes on the thread that calls. Any thread. */
rally_status rally_pool_open(uint32_t threads, rally_pool **pool, rally_error *error);

/* Lets the pool go, at any time; its threads end with the last runner or engine that has them. NULL or a closed handle: nothing.
 * Any thread. */
void rally_pool_close(rally_pool *pool);

/* How a model is opened. */
typedef struct rally_model_options {
  size_t struct_size;
  rally_dtype dtype;         /* RALLY_DTYPE_AUTO (default) */
  uint32_t threads;          /* that pack the weights; 0 (default): as many as this process may use */
  uint64_t max_file_bytes;   /* 0 (default): no limit but ONNX's own 2 GB for the part that is not external data */
  uint64_t max_tensor_bytes; /* 0 (default): no limit */
  rally_progress_callback progress;
  void *progress_user;
  rally_log_callback log; /* NULL (default): silent */
  void *log_user;
  const char *cache_folder;   /* NULL (default): none. A folder of prepared files, made where it is missing from
                               * one that is there: rally_model_prepare */
  rally_switch share_weights; /* RALLY_DEFAULT (default) is ON: weights of a prepared file are mapped. OFF: copied into memory */
  const rally_pool *pool;     /* whose threads pack the weights, with threads 0; NULL (default): threads of its own */
  uint64_t max_memory_bytes;  /* of the model with all runners and engines on it; 0 (default): no limit. "Memory" below */
} rally_model_options;

void rally_model_options_init(rally_model_options *options, size_t size);

/*
 * Memory: max_memory_bytes of a model bounds what the model, its runners and its engines hold together; that of a runner or an
 * engine bounds its own part. What would go beyond answers RALLY_OUT_OF_MEMORY, which says the limit, what is held and what was
 * needed. Nothing is lost then: a runner lets go of what it kept for its next call and has the memory that it had when it was
 * opened, an engine's requests go on with its next step, and calls that need less succeed.
 * Counted, to the byte: weights, also those that are mapped or about to be packed; keys and values; workspaces, logits, sampling;
 * for the tokenizer 200 bytes for each entry and merge and 4 times their text, which is more than its tables take; and for the
 * lists of an engine some 400 bytes for each of max_step_tokens, also more than they take.
 * Not counted: the caller's own buffers; threads' stacks (2 MiB of addresses each, some 20 KiB of memory); lists of some 100
 * bytes for each token of a runner's call or of a request; while a model opens, the part of its file that is not external data,
 * and pages of mapped files, which the system takes back where it needs them; texts, metadata, messages and saved states of a
 * call.
 */

/*
 * Opens the model file at `path`, checks all of it and packs the weights; or maps a prepared file (rally_model_prepare). External
 * data is read from beneath the folder of the file (docs/format.md). The file is memory-mapped while it is read and let go
 * afterwards. Where another program may cut it short in that time (the system then ends this process), read it yourself and use
 * rally_model_open_memory.
 * Memory: weight_bytes of rally_model_info: the products' weights in `dtype`, and the embedding as it is stored.
 * Errors: RALLY_CANCELLED, RALLY_LIMIT_EXCEEDED, RALLY_UNSUPPORTED, and what is wrong with a file: RALLY_FILE_NOT_FOUND to
 * RALLY_INVALID_TOKENIZER. Any thread.
 */
rally_status rally_model_open(const char *path, const rally_model_options *options, rally_model **model, rally_error *error);

/* Opens a model from `size` bytes in memory, which are not needed after the call. External data is refused. Any thread. */
rally_status rally_model_open_memory(const void *data, size_t size, const rally_model_options *options, rally_model **model,
                                     rally_error *error);

/* Checks the file as rally_model_open does, weights included, and keeps nothing; of a prepared file every byte. Any thread. */
rally_status rally_model_validate(const char *path, const rally_model_options *options, rally_error *error);

/* How rally_model_prepare writes a file. */
typedef struct rally_prepare_options {
  size_t struct_size;
  rally_dtype dtype;                /* RALLY_DTYPE_AUTO (default): what the products are computed in */
  uint32_t threads;                 /* that pack the weights; 0 (default): as many as this process may use */
  rally_progress_callback progress; /* bytes that were checked, packed or written */
  void *progress_user;
  const char *calibration_text; /* NULL (default): none. As in rally_quantize_options: its result is prepared then */
  size_t calibration_text_size; /* bytes */
} rally_prepare_options;

void rally_prepare_options_init(rally_prepare_options *options, size_t size);

/*
 * Writes the model file at `in_path` to `out_path` with its weights packed as the products of this processor read them, and with
 * everything else that the model needs. rally_model_open maps such a prepared file and is done: nothing is packed or copied, and
 * all processes that open it share its pages, so that each further one takes next to no memory for weights. After fork() that is
 * the way to share, too: the handles of the parent answer RALLY_FORKED, and what the child opens has the same pages.
 * Results are the bits of the original opened with that dtype, fingerprints, score labels and saved states are the original's;
 * with a calibration_text they are those of what rally_quantize makes of it. docs/prepared.md has the details.
 * A prepared file serves one instruction set and one version of the packing (RALLY_UNSUPPORTED_VERSION elsewhere), and only the
 * dtype that it was made for. Where the original stands in the same folder under its name and has other content by now, opening
 * answers RALLY_MISMATCH. At open its length, header and description are checked against digests; rally_model_validate checks
 * every byte. With cache_folder in rally_model_options all of that is done where it is needed: the original is opened through a
 * prepared file in that folder, which is written, or written again, by whichever process finds none that it can use.
 * Whoever cuts a mapped file short ends the processes that read there (the system's SIGBUS). A prepared file is therefore written
 * without the right to write to it, is never changed but replaced in one step, and its length is looked at before each pass of
 * the model (RALLY_IO when it was cut); against a process that cuts it in the midst of a pass only share_weights OFF helps.
 * What stood at out_path is replaced in one step; on failure nothing there has changed.
 * Errors: RALLY_INVALID_ARGUMENT where out_path is in_path; RALLY_NOT_A_FILE, RALLY_IO for out_path; RALLY_UNSUPPORTED for a file
 * that is prepared already; those of rally_model_open and rally_quantize. Any thread.
 */
rally_status rally_model_prepare(const char *in_path, const char *out_path, const rally_prepare_options *options,
                                 rally_error *error);

/* How rally_quantize stores matrices. */
typedef struct rally_quantize_options {
  size_t struct_size;
  rally_dtype dtype; /* RALLY_DTYPE_INT8 (default), _Q4, _BF16 or _F32: how the matrices are stored */
  rally_progress_callback progress; /* bytes of weights, each counted when it is checked and when it is stored */
  void *progress_user;
  const char *calibration_text; /* NULL (default): none. UTF-8, with INT8 and Q4: what the model reads, to lose less */
  size_t calibration_text_size; /* bytes */
} rally_quantize_options;

void rally_quantize_options_init(rally_quantize_options *options, size_t size);

/*
 * Writes the model file at `in_path` to `out_path` with its matrices in another type: the embedding, all projections and the
 * head. Norms, biases, routers, positions and a rater's own head stay as they are stored, and so do metadata, tokenizer and
 * graph, whose nodes follow the types: the result is an ordinary model file, executable by any ONNX runtime. docs/format.md
 * has the rule of rounding. From a narrower type to a wider one, what the stored numbers stand for. The same file gives the
 * same bytes. With a calibration_text the model first reads some 16 000 tokens of it in f32, and int8 or q4 is stored so that
 * less is lost of what its matrices were given; matrices that have the type already stay. With RALLY_DTYPE_Q4 the embedding, the
 * head and matrices whose rows are no multiple of 32 long become int8. The new file is written under a name of its
 * own in the folder of `out_path`, checked as rally_model_open checks it, and takes the place of what stood there in one
 * step; on failure nothing there has changed. Where the file would exceed 2 GB, its data goes to `out_path` with ".data"
 * appended, which must not exist. The input is read as rally_model_open reads it.
 * Memory: some 10 MB, the graph, and of the mapped files the largest tensor; with a calibration_text also that of the model
 * in f32 and some 2 KiB for each input of each matrix.
 * Errors: those of rally_model_validate; RALLY_INVALID_ARGUMENT for another dtype and where the output is the input or its
 * data; RALLY_NOT_A_FILE where it is a directory; RALLY_IO with the system's message where it cannot be written, such as on a
 * full disk; RALLY_UNSUPPORTED for a graph that reads its weights in an unknown way, and for a calibration_text without a
 * tokenizer; RALLY_EMPTY_INPUT for one that makes no tokens; RALLY_NOT_FINITE for numbers beyond bf16. Any thread.
 */
rally_status rally_quantize(const char *in_path, const char *out_path, const rally_quantize_options *options,
                            rally_error *error);

/* Lets the model go; its memory is freed when the last runner on it is closed. NULL or a closed handle: nothing. Any thread. */
void rally_model_close(rally_model *model);

/* What a model is for. */
typedef enum rally_kind { RALLY_KIND_LM = 0, RALLY_KIND_RATER = 1 } rally_kind;
/* How the recursions that a token runs are chosen: not at all, by the capacity of each, or by each token at its first. */
typedef enum rally_routing { RALLY_ROUTING_NONE = 0, RALLY_ROUTING_EXPERT = 1, RALLY_ROUTING_TOKEN = 2 } rally_routing;

/* The rule by which a token leaves a looped model before its last recursion. */
typedef enum rally_exit {
  RALLY_EXIT_NONE = 0,       /* there is none */
  RALLY_EXIT_HAZARD = 1,     /* leaves where 1 - (product of 1 - sigmoid(gate)) has reached the threshold */
  RALLY_EXIT_LATENT_DIFF = 2 /* leaves where |x - x before| / |x| is below the threshold */
} rally_exit;

/* What later tokens see of the recursions that a token did not run. */
typedef enum rally_kv_policy {
  RALLY_KV_DEFAULT = 0,     /* as the model file says */
  RALLY_KV_FULL = 1,        /* its own: all recursions are computed, and the rule chooses which one is read */
  RALLY_KV_LAST_EXITED = 2, /* keys and values of the deepest recursion that it ran */
  RALLY_KV_PROPAGATED = 3   /* where recursions have layers of their own: what those that it skipped make of the state it left
                             * with */
} rally_kv_policy;

/* How one score comes from the outputs z of a rater, one per label. */
typedef enum rally_score_rule {
  RALLY_SCORE_NONE = 0,        /* none: the outputs are no probabilities either; and language models */
  RALLY_SCORE_LOGIT = 1,       /* z of one label */
  RALLY_SCORE_EXPECTATION = 2, /* the sum of value times softmax(z), with a value for each label */
  RALLY_SCORE_SOFTMAX = 3,     /* softmax(z) of one label */
  RALLY_SCORE_SIGMOID = 4      /* sigmoid(z) of one label */
} rally_score_rule;

/* What a model is. */
typedef struct rally_model_info {
  size_t struct_size;
  rally_kind kind;
  rally_routing routing;
  rally_dtype dtype;              /* in use, never AUTO */
  int32_t vocab_size;             /* V */
  int32_t hidden_size;            /* D */
  int32_t num_attention_heads;    /* H */
  int32_t num_key_value_heads;    /* G */
  int32_t head_dim;               /* K */
  int32_t intermediate_size;      /* F */
  int32_t max_position_embeddings;
  int32_t num_layers;             /* stored layers */
  int32_t num_effective_layers;   /* layers that a token of full depth runs through */
  int32_t num_recursion;          /* R, the greatest depth */
  int32_t bos_token_id;           /* -1: none */
  int32_t eos_token_id;           /* -1: none */
  int32_t has_tokenizer;          /* 0 or 1 */
  uint64_t parameter_count;       /* stored */
  uint64_t effective_parameter_count; /* with the block counted once per recursion */
  uint64_t weight_bytes;          /* packed weights, in memory */
  uint64_t kv_bytes_per_token;    /* greatest: a token of full depth, cache_dtype F32; 0 for raters */
  rally_exit exit;                /* how tokens leave a looped model early */
  rally_kv_policy kv_policy;      /* the file's own; RALLY_KV_DEFAULT (default) without exits */
  double exit_threshold;          /* the file's own; -1 (default) without exits */
  int32_t num_labels;             /* outputs of a rater; 0 for language models, and for raters without a head: rally_pooled is for
                                   * them */
  rally_score_rule score_rule;
  int32_t has_score;              /* 0 or 1: whether the rule makes one score of the outputs, which rally_rate gives */
  int32_t score_index;            /* the label whose output is the score; -1: none, or all of them */
} rally_model_info;

void rally_model_info_init(rally_model_info *info, size_t size);

/* Fills `info`, which must have been initialised. Any thread. */
rally_status rally_model_get_info(const rally_model *model, rally_model_info *info, rally_error *error);

/* The name of a rater's output, from 0 on; NULL where there is none. Lives as long as the model is open. Any thread. */
const char *rally_model_label(const rally_model *model, size_t index);

/* Number of metadata pairs, 0 for a closed handle. Any thread. */
size_t rally_model_metadata_count(const rally_model *model);

/* The pair at `index`, in the order of the file. The strings live as long as the model is open. Any thread. */
rally_status rally_model_metadata_at(const rally_model *model, size_t index, const char **key, const char **value,
                                     rally_error *error);

/* The value of `key`; RALLY_MISSING_KEY where there is none. Lives as long as the model is open. Any thread. */
rally_status rally_model_metadata_get(const rally_model *model, const char *key, const char **value, rally_error *error);

/* What a weight tensor is. */
typedef struct rally_tensor_info {
  size_t struct_size;
  const char *name;  /* lives as long as the model is open */
  const char *dtype; /* as stored: "f32", "f16", "bf16", "int8", "q4"; static storage */
  int32_t rank;
  int64_t shape[2];                 /* extents, the first `rank` of them */
  uint64_t byte_count;              /* as stored */
} rally_tensor_info;

void rally_tensor_info_init(rally_tensor_info *info, size_t size);

/*
 * The vocabulary: what each token stands for, laid end to end. bytes: [capacity], or NULL with capacity 0 to learn the rest.
 * offsets: [vocab_size + 1], token i is bytes[offsets[i]] ... bytes[offsets[i + 1] - 1]; offsets[vocab_size] bytes are needed.
 * special: [vocab_size], or NULL: 1 for tokens that steer the model and are no text. longest, or NULL: the most bytes that one
 * token adds to a text, with the space that some tokenizers put before it: what rally_decoder_push needs follows from it.
 * Errors: RALLY_BUFFER_TOO_SMALL; RALLY_UNSUPPORTED for a model without a tokenizer. Any thread.
 */
rally_status rally_model_vocabulary(const rally_model *model, char *bytes, size_t capacity, size_t *offsets, uint8_t *special,
                                    size_t *longest, rally_error *error);

/* Number of weight tensors, 0 for a closed handle. Any thread. */
size_t rally_model_tensor_count(const rally_model *model);

/* The weight tensor at `index`, in the order of docs/format.md. Any thread. */
rally_status rally_model_tensor_at(const rally_model *model, size_t index, rally_tensor_info *info, rally_error *error);

/* ------------------------------------------------------------------------------------------------------------------------
 * Tokenizer: what a tokenizer.json describes, as Hugging Face `tokenizers` computes it: byte-level BPE with the expressions of
 * published models, SentencePiece's BPE and Unigram, BERT's WordPiece
 *
 * WordPiece keeps the words of a text, not the spaces between them: decoding joins the words with single spaces, so it may not
 * give back the original text. Its first and last token are [CLS] and [SEP], called `bos` and `eos` here. Unigram and the BPE of
 * SentencePiece decode to the normalised text.
 *
 * Special tokens in a text are read as such where the text is the program's own, as in Hugging Face's libraries: rally_encode,
 * and prompts that bindings and the command encode. They are letters where the text is anybody's: rally_encode_document, and
 * whatever bindings, the command and the server rate, measure, calibrate with or take from clients. parse_special says otherwise.
 * A program that encodes what others wrote turns it off: they could end a message, or begin one.
 *
 * A model without a tokenizer answers RALLY_UNSUPPORTED. To learn the size first, pass NULL and capacity 0: the call succeeds and
 * sets the count. A buffer that is too small answers RALLY_BUFFER_TOO_SMALL.
 * --------------------------------------------------------------------------------------------------------------------- */

/* How text becomes tokens, and tokens text. */
typedef struct rally_tokenizer_options {
  size_t struct_size;
  rally_switch add_bos;        /* RALLY_DEFAULT (default): as the file says */
  rally_switch add_eos;        /* RALLY_DEFAULT (default): as the file says */
  rally_switch parse_special;  /* RALLY_DEFAULT (default) is ON: "<|endoftext|>" in the text becomes its one token. OFF:
                                  its letters; no special token comes from the text, whatever it is normalised to */
  rally_switch skip_special;   /* RALLY_DEFAULT (default) is OFF: special tokens appear in decoded text */
} rally_tokenizer_options;

void rally_tokenizer_options_init(rally_tokenizer_options *options, size_t size);

/*
 * Encodes `length` bytes of text. Bytes that are not UTF-8 are kept, through byte tokens: decoding gives back the very bytes. To
 * WordPiece they are U+FFFD, which it drops.
 * tokens: [capacity] i32, or NULL. token_count: how many there are. Any thread.
 */
rally_status rally_encode(const rally_model *model, const char *text, size_t length, const rally_tokenizer_options *options,
                          int32_t *tokens, size_t capacity, size_t *token_count, rally_error *error);

/*
 * Decodes tokens into bytes; not NUL-terminated. The bytes of one token may be part of a character: see rally_decoder.
 * text: [capacity], or NULL. length: how many bytes there are. Errors: RALLY_INVALID_TOKEN. Any thread.
 */
rally_status rally_decode(const rally_model *model, const int32_t *tokens, size_t token_count,
                          const rally_tokenizer_options *options, char *text, size_t capacity, size_t *length,
                          rally_error *error);

/* Decodes a stream of tokens and never splits a character. One caller. */
typedef struct rally_decoder rally_decoder;

/* Errors: RALLY_UNSUPPORTED for a model without a tokenizer. Any thread. */
rally_status rally_decoder_open(const rally_model *model, const rally_tokenizer_options *options, rally_decoder **decoder,
                                rally_error *error);

/*
 * Takes the next token and gives the bytes that are complete by now, often none. With text NULL and capacity 0 the token is not
 * taken, and length says how many bytes it would give. On RALLY_BUFFER_TOO_SMALL it is not taken either.
 * text: [capacity] bytes. Of a byte-level or WordPiece tokenizer, `longest` of rally_model_vocabulary and 3 more always suffice.
 * Where single bytes are tokens (<0x0A>), a run of them is held back until another token ends it, for it is text only as a whole:
 * then 3 more for each of the run. length: bytes written.
 */
rally_status rally_decoder_push(rally_decoder *decoder, int32_t token, char *text, size_t capacity, size_t *length,
                                rally_error *error);

/* Gives the bytes held back, an unfinished character or a run of single bytes, and starts again from nothing. text, capacity,
 * length as above; with text NULL the decoder goes on. */
rally_status rally_decoder_finish(rally_decoder *decoder, char *text, size_t capacity, size_t *length, rally_error *error);

/* Frees it. NULL or a closed handle: nothing. Any thread. */
void rally_decoder_close(rally_decoder *decoder);

/* ------------------------------------------------------------------------------------------------------------------------
 * Runner
 * --------------------------------------------------------------------------------------------------------------------- */

/* Worker threads and workspaces that compute with a model. One caller at a time. */
typedef struct rally_runner rally_runner;

/* How a runner is opened. */
typedef struct rally_runner_options {
  size_t struct_size;
  uint32_t threads;          /* 0 (default): as many as this process may use; at most 256 */
  uint32_t max_batch_tokens; /* tokens that are computed together; 0 (default): 2048. More rows are taken in turns. */
  rally_progress_callback progress; /* rally_run and rally_rate: tokens done */
  void *progress_user;
  rally_dtype cache_dtype; /* of a language model's keys and values: RALLY_DTYPE_AUTO (default) is F32; a rater has no other */
  const rally_pool *pool;  /* whose threads compute, with threads 0; NULL (default): threads of its own */
  uint64_t max_memory_bytes; /* of its workspaces and caches; 0 (default): no limit of its own. See rally_model_options */
} rally_runner_options;

void rally_runner_options_init(rally_runner_options *options, size_t size);

/* Starts the worker threads. Errors: RALLY_OUT_OF_MEMORY, RALLY_INVALID_ARGUMENT, RALLY_UNSUPPORTED for a rater with another
 * cache_dtype than F32, RALLY_CLOSED. Any thread. */
rally_status rally_runner_open(const rally_model *model, const rally_runner_options *options, rally_runner **runner,
                               rally_error *error);

/* Waits for the call in progress, after cancelling it, and frees workers and workspaces. Any thread. */
void rally_runner_close(rally_runner *runner);

/* Makes the call in progress on this runner return soon with RALLY_CANCELLED (rally_generate: with what it has). No effect when
 * none is in progress. Any thread. */
void rally_runner_cancel(rally_runner *runner);

/*
 * Greatest number of bytes that workspaces and caches take for rows of these lengths, besides the model's own weight_bytes: as
 * max_memory_bytes of such a runner it is enough.
 * row_offsets: [row_count + 1]. new_tokens: tokens generated per row, 0 for rally_run and rally_rate. Any thread.
 */
rally_status rally_runner_memory(const rally_runner *runner, const size_t *row_offsets, size_t row_count, size_t new_tokens,
                                 uint64_t *bytes, rally_error *error);

/* How an expert-choice model selects the tokens that go on. Other models are not affected. */
typedef enum rally_selection {
  RALLY_SELECT_THRESHOLD = 0, /* by the router's own threshold: causal, what generation does */
  RALLY_SELECT_TOPK = 1       /* the capacity's best of the whole row: not causal, what training did */
} rally_selection;

/* How rally_run computes. */
typedef struct rally_run_options {
  size_t struct_size;
  rally_selection selection; /* RALLY_SELECT_THRESHOLD (default) */
  uint32_t max_depth;        /* recursions a token may run; 0 (default) or more than it has: the model's number */
  double timeout_seconds;    /* 0 (default): none */
  double target_depth;       /* mean depth that the model is steered to, in [1, num_recursion]; 0 (default): none */
  double exit_threshold;     /* of a looped model's exits, at least 0; -1 (default): the model's own */
  const size_t *exit_from;   /* [row_count] tokens of a row before this one run at full depth; NULL (default): 0 for all rows */
  uint32_t min_depth;        /* recursions a token of a looped model runs at least; 0 (default): 1 */
  rally_kv_policy kv_policy; /* RALLY_KV_DEFAULT (default) */
} rally_run_options;

void rally_run_options_init(rally_run_options *options, size_t size);

/*
 * Steering to a mean depth (target_depth of rally_run_options and rally_request) needs a router and RALLY_SELECT_THRESHOLD, or a
 * looped model with exits. After every 64 tokens of a row, the score above which a token goes on is raised if the row has been
 * deeper than the target so far, and lowered if it has been shallower; within those 64 tokens it stays the same. Of a looped
 * model it is the exit threshold that moves, and tokens before exit_from do not count. A row's result depends on its own tokens
 * alone, so all that is said of same bits holds; a long row comes close to the target, a short one less so.
 *
 * Exits (exit_threshold, exit_from, min_depth, kv_policy of rally_run_options and rally_request) belong to looped models, those
 * whose rally_model_info.exit is not RALLY_EXIT_NONE; elsewhere they are RALLY_UNSUPPORTED where they ask for anything. A token
 * leaves after the first recursion from min_depth on at which the model's rule says so, at the latest after max_depth, beyond
 * which min_depth is RALLY_INVALID_ARGUMENT. A hazard threshold of 1 or more is never reached, 0 always; a latent difference is
 * never below 0. With RALLY_KV_FULL nothing is saved, and depth says which recursion is read.
 */

/*
 * What rally_run shall compute: set the pointers that are wanted, leave the others NULL. N is the number of tokens of all rows,
 * V vocab_size, D hidden_size. Token i is the i-th of `tokens`.
 */
typedef struct rally_outputs {
  size_t struct_size;
  const size_t *positions; /* [position_count] tokens whose logits and hidden states are wanted; NULL: all N */
  size_t position_count;
  float *logits;           /* [position_count or N, V] */
  float *hidden;           /* [position_count or N, D]: after the final norm, what the head sees */
  const int32_t *targets;  /* [N] ids whose log-probability is wanted after token i, -1: none (a NaN is written);
                                             NULL: the next token of the row */
  float *logprobs;         /* with targets [N]; without [N - row_count]: T - 1 per row, natural logarithm */
  int32_t *depths;         /* [N] recursions each token ran */
} rally_outputs;

void rally_outputs_init(rally_outputs *outputs, size_t size);

/*
 * Runs a language model over rows.
 * tokens: [N] i32; row_offsets: [row_count + 1], ascending from 0, every row of 1 ... max_position_embeddings tokens.
 * Log-probabilities are computed a tile of 64 tokens at a time: logits that were not asked for never exist as [N, V].
 * Errors: RALLY_INVALID_TOKEN, RALLY_EMPTY_INPUT, RALLY_CONTEXT_EXCEEDED, RALLY_WRONG_KIND, RALLY_CANCELLED,
 * RALLY_DEADLINE_EXCEEDED, RALLY_UNSUPPORTED. On an error the contents of the output buffers are not specified for
 * RALLY_CANCELLED and RALLY_DEADLINE_EXCEEDED, and untouched for all others. One caller.
 */
rally_status rally_run(rally_runner *runner, const int32_t *tokens, const size_t *row_offsets, size_t row_count,
                       const rally_run_options *options, const rally_outputs *outputs, rally_error *error);

/* ------------------------------------------------------------------------------------------------------------------------
 * Rating
 * --------------------------------------------------------------------------------------------------------------------- */

/* How rally_rate computes. */
typedef struct rally_rate_options {
  size_t struct_size;
  rally_switch squash;    /* RALLY_DEFAULT (default) is OFF: the raw score, which ranks without ties. ON: as the file says */
  double timeout_seconds; /* 0 (default): none */
  rally_switch probabilities; /* rally_rate_outputs; RALLY_DEFAULT (default) is OFF: the outputs as they are.
                               * ON: as the score rule makes them */
  rally_switch normalize;     /* rally_pooled; RALLY_DEFAULT (default) is OFF: the states as they are. ON: each divided by its
                               * length */
} rally_rate_options;

void rally_rate_options_init(rally_rate_options *options, size_t size);

/*
 * Scores rows with a rater. Higher is better; the scale is the rater's own, so compare within one rater only.
 * tokens, row_offsets, row_count: as in rally_run. scores: [row_count] f32. Errors and thread as rally_run;
 * RALLY_UNSUPPORTED, naming the labels, where a rater has several outputs and no rule that makes one score of them.
 */
rally_status rally_rate(rally_runner *runner, const int32_t *tokens, const size_t *row_offsets, size_t row_count,
                        const rally_rate_options *options, float *scores, rally_error *error);

/*
 * All outputs of a rater. outputs: [row_count, num_labels] f32, row-major, in the order of rally_model_label.
 * Errors and thread as rally_run; RALLY_UNSUPPORTED for probabilities where the score rule makes none.
 */
rally_status rally_rate_outputs(rally_runner *runner, const int32_t *tokens, const size_t *row_offsets, size_t row_count,
                                const rally_rate_options *options, float *outputs, rally_error *error);

/*
 * What a rater's head sees of each row, its state after pooling and the final norm: an embedding on which you can train a head
 * of your own. states: [row_count, hidden_size] f32, row-major. Errors and thread as rally_run.
 */
rally_status rally_pooled(rally_runner *runner, const int32_t *tokens, const size_t *row_offsets, size_t row_count,
                          const rally_rate_options *options, float *states, rally_error *error);

/* ------------------------------------------------------------------------------------------------------------------------
 * Documents: rows that may be longer than the rater's longest row, scored window by window
 *
 * Windows begin stride_tokens apart, from the first token on, until one reaches the end; the last one may be shorter. Where
 * max_windows leaves some out, those that stay are spread evenly over the document. A document that begins with the token that
 * the tokenizer puts first (add_bos of the file), or ends with the one that it puts last, has it in every window and outside of
 * what the stride counts: every window is what the rater would get if it stood alone. A document that fits one window is one
 * row, as it is, and its mean is the very score of rally_rate.
 *
 * A rater's file may say that less of a document is read, as its makers do it, and what its windows make together; the options
 * here come before the file. Tokens are chosen when a document is rated, characters when it is encoded: rally_encode_document.
 * --------------------------------------------------------------------------------------------------------------------- */

/* Which part of a document is read. */
typedef enum rally_reading {
  RALLY_READING_DEFAULT = 0, /* what the file says, or all windows */
  RALLY_READING_WINDOWS = 1, /* all of it, window after window */
  RALLY_READING_FIRST = 2,   /* one window, of its beginning */
  RALLY_READING_MIDDLE = 3,  /* one window, of the beginning of what `characters` leaves around the middle */
  RALLY_READING_ENDS = 4     /* the first window and the one that ends with the document; one where both would be the same */
} rally_reading;

/* What the windows' scores make together. */
typedef enum rally_join {
  RALLY_JOIN_DEFAULT = 0, /* what the file says, or the mean */
  RALLY_JOIN_MEAN = 1,    /* weighted by the windows' tokens */
  RALLY_JOIN_MAX = 2,
  RALLY_JOIN_MIN = 3
} rally_join;

/* How documents are cut into windows and scored. */
typedef struct rally_document_options {
  size_t struct_size;
  size_t window_tokens;   /* of a window, with those that the tokenizer adds; 0 (default): as the file says, or the longest row */
  size_t stride_tokens;   /* 0 (default): one window after the other; where it exceeds the window, some tokens are in no window */
  size_t max_windows;     /* of a document; 0 (default): all */
  rally_switch squash;    /* RALLY_DEFAULT (default): as in rally_rate_options, window by window */
  double timeout_seconds; /* 0 (default): none */
  rally_reading reading;  /* RALLY_READING_DEFAULT (default); but for windows, stride_tokens and max_windows must be 0 */
  rally_join join;        /* RALLY_JOIN_DEFAULT (default) */
  size_t characters;      /* rally_encode_document: Unicode scalars that are read of the beginning, to both sides of the middle,
                           * or of each end; 0 (default): as the file says, or all */
  rally_switch parse_special; /* rally_encode_document; RALLY_DEFAULT (default) is OFF: "[SEP]" in a text is these characters */
} rally_document_options;

void rally_document_options_init(rally_document_options *options, size_t size);

/* Where rally_rate_documents writes; a NULL pointer: not wanted. Windows of row i are window_offsets[i] ... [i + 1] - 1. */
typedef struct rally_document_scores {
  size_t struct_size;
  float *mean;            /* [row_count] of the windows' scores, weighted by their tokens */
  float *minimum;         /* [row_count] the lowest of them; a short last window is the noisiest */
  float *coverage;        /* [row_count] share of the tokens that were in a window; 1 exactly where all were */
  float *window_scores;   /* [window_capacity] of every window, row after row */
  size_t window_capacity; /* at least window_offsets[row_count]; as many as there are tokens always suffice */
  size_t *window_offsets; /* [row_count + 1] what rally_document_windows gives */
  float *score;           /* [row_count] what the join makes of the windows' scores: the document's score */
  int32_t *int_score;     /* [row_count] that score within the file's bounds, rounded, ties to even; INT32_MIN without bounds */
  float *outputs;         /* [row_count, num_labels] the join of the outputs, label by label, as probabilities where the score
                           * rule makes some */
} rally_document_scores;

void rally_document_scores_init(rally_document_scores *scores, size_t size);

/*
 * Encodes a text as a document to be rated: what the reading leaves of its characters, with what the tokenizer adds, and with
 * special tokens in the text as the characters that they are written with. Characters are Unicode scalars; of n of them and a
 * count c: RALLY_READING_FIRST takes the first c; RALLY_READING_MIDDLE those from max(0, m - c) to min(m + c, n), m = n / 2
 * rounded down; RALLY_READING_ENDS the first c and the last c, put together, where n > 2 c. options, tokens, capacity,
 * token_count as in rally_encode. Errors: RALLY_WRONG_KIND, RALLY_INVALID_ARGUMENT, RALLY_BUFFER_TOO_SMALL, RALLY_UNSUPPORTED
 * without a tokenizer. Any thread.
 */
rally_status rally_encode_document(const rally_model *model, const char *text, size_t length,
                                   const rally_document_options *options, int32_t *tokens, size_t capacity,
                                   size_t *token_count, rally_error *error);

/*
 * Says how documents will be cut, without computing anything. window_offsets: [row_count + 1], from 0.
 * tokens, row_offsets, row_count: as in rally_rate, but rows of any length.
 * Errors: RALLY_INVALID_TOKEN, RALLY_EMPTY_INPUT, RALLY_WRONG_KIND; RALLY_LIMIT_EXCEEDED where the windows of one call have more
 * than 2^28 tokens. Any thread.
 */
rally_status rally_document_windows(const rally_model *model, const int32_t *tokens, const size_t *row_offsets, size_t row_count,
                                    const rally_document_options *options, size_t *window_offsets, rally_error *error);

/*
 * Scores documents. The windows of all of them run together, without padding; progress counts their tokens.
 * Errors: those of rally_document_windows and rally_rate; RALLY_BUFFER_TOO_SMALL for window_capacity. Where a rater's outputs
 * make no score, coverage, window_offsets and outputs alone may be asked for. One caller.
 */
rally_status rally_rate_documents(rally_runner *runner, const int32_t *tokens, const size_t *row_offsets, size_t row_count,
                                  const rally_document_options *options, const rally_document_scores *scores,
                                  rally_error *error);

/* ------------------------------------------------------------------------------------------------------------------------
 * Selection: what is done with scores
 *
 * To keep the best N points of a stream at the discard share rho, draw B = rally_draw_count(N, rho) of them, rate them, and keep
 * rally_select_top. Where points are decided on one by one, over a corpus that no batch holds: its scores make a distribution, a
 * point's score has a quantile p in it, rally_acceptance says how likely the point would be kept as one of B, and rally_decide
 * draws by the point's name. Source: DataRater (arXiv 2505.17895). All of it: any thread.
 * --------------------------------------------------------------------------------------------------------------------- */

/*
 * Who made scores: 64 hexadecimal digits that stand for the content of the model's file, external data included, and for what
 * changes its scores, dtype and (raters) squash. The same on every machine and for every name of the file; rally_decide takes it.
 * Reads the whole file, the first time. squash: as in rally_rate_options.
 * text: [capacity], NUL-terminated, or NULL with capacity 0 to learn the size. size: bytes needed or written, 65.
 * Errors: RALLY_UNSUPPORTED for a model from memory, RALLY_BUFFER_TOO_SMALL, and what is wrong with a file.
 */
rally_status rally_score_fingerprint(const rally_model *model, rally_switch squash, char *text, size_t capacity, size_t *size,
                                     rally_error *error);

/* How documents are read that become scores. */
typedef struct rally_label_options {
  size_t struct_size;
  rally_switch squash;  /* RALLY_DEFAULT (default): as in rally_rate_options */
  size_t row_tokens;    /* of packed rows that are rated whole; 0 (default): documents, by the windows below */
  size_t window_tokens; /* 0 (default): as the file says, or the model's longest row */
  size_t stride_tokens; /* 0 (default): the window */
  size_t max_windows;   /* 0 (default): all */
  const char *more;     /* NULL (default); further `key=value` pairs with one space between, for whatever else parts scores */
} rally_label_options;

void rally_label_options_init(rally_label_options *options, size_t size);

/*
 * The label of a distribution of a model's scores, of a language model's perplexities: one line of `key=value` pairs, such as
 *     version=1 model=8f3c... measure=score reading=documents window=512 stride=512
 * Equal labels mean scores that belong together. Later versions append pairs for what is not at its default.
 * text, capacity, size and errors as in rally_score_fingerprint; RALLY_INVALID_ARGUMENT for `more`.
 */
rally_status rally_score_label(const rally_model *model, const rally_label_options *options, char *text, size_t capacity,
                               size_t *size, rally_error *error);

/* same: 1 where both models read the same tokens: their tokenizers are equal, or neither has one and the ids are as many; else
 * 0. */
rally_status rally_same_tokens(const rally_model *model, const rally_model *other, int32_t *same, rally_error *error);

/*
 * count: how many points to draw so that `keep` are left, B = ceil(keep / (1 - discard)), exact for the shortest decimal number
 * that `discard` stands for: keeping 1 point at a discard share of 0.9 takes 10 draws. discard: in [0, 1).
 * Errors: RALLY_INVALID_ARGUMENT; RALLY_LIMIT_EXCEEDED beyond 63 bits.
 */
rally_status rally_draw_count(size_t keep, double discard, size_t *count, rally_error *error);

/*
 * indices: [keep] places of the highest scores, ascending; of equal scores the earlier ones. scores: [count], infinities
 * included.
 * Errors: RALLY_EMPTY_INPUT without scores, RALLY_NOT_FINITE for a NaN, RALLY_INVALID_ARGUMENT for keep > count.
 */
rally_status rally_select_top(const float *scores, size_t count, size_t keep, size_t *indices, rally_error *error);

/* weights: [count] softmax of the scores, which must be finite. Errors: RALLY_EMPTY_INPUT, RALLY_NOT_FINITE. */
rally_status rally_softmax_weights(const float *scores, size_t count, float *weights, rally_error *error);

/*
 * probabilities: [count] that a point whose score has the quantile p is among the best `keep` of `batch` points, the others drawn
 * at random: the regularised incomplete beta function I_p(batch - keep, keep), to 1e-12 of its value. 0 for
 * keep = 0, 1 for keep = batch.
 * quantiles: [count] in [0, 1], as rally_distribution_cdf gives them. batch: 1 ... 2^24. Errors: RALLY_INVALID_ARGUMENT.
 */
rally_status rally_acceptance(const double *quantiles, size_t count, size_t batch, size_t keep, double *probabilities,
                              rally_error *error);

/*
 * keeps: [count] 1 for a point that stays, else 0: the same on every machine, in every language and order. A point stays if
 * u < its probability, where u in [0, 1) is the first 53 bits of the digest, in reading order, divided by 2^53, of
 *     SHA-256( seed u64, bytes of the fingerprint u64, fingerprint, bytes of the id u64, id ), numbers little-endian.
 * ids: the names of the points end to end, any bytes; id_offsets: [count + 1], ascending from 0.
 * probabilities: [count] in [0, 1], of the scores as they were stored: fresh ones may differ in the last bits between instruction
 * sets. fingerprint: of the rater.
 * Errors: RALLY_INVALID_ARGUMENT.
 */
rally_status rally_decide(const char *ids, const size_t *id_offsets, const double *probabilities, size_t count,
                          const char *fingerprint, uint64_t seed, uint8_t *keeps, rally_error *error);

/*
 * cost: what rating costs as a share of the training that it is for, rater_parameters / (3 model_parameters (1 - discard)): the
 * rater reads every point that is drawn, forward; the model is trained on those that are kept. More than discard / (1 - discard)
 * cannot be saved, even if what is dropped taught nothing; and at 1 rating takes what training takes. Beyond either, rate once,
 * store the scores, and cut them again without rating. Errors: RALLY_INVALID_ARGUMENT.
 */
rally_status rally_rating_cost(double rater_parameters, double model_parameters, double discard, double *cost,
                               rally_error *error);

/*
 * Two raters for one cut: a cheap one reads every point and decides what is clear, an expensive one reads only the band around
 * the cut. rally_cascade_choose finds the band on a sample that both have read, so that a cut at `discard` decides on at least
 * the share `agreement` of all points as the expensive rater alone would, with the stated confidence. rally_cascade_scores then
 * makes one score of both; the cut is rally_select_top of these.
 */
typedef struct rally_cascade {
  size_t struct_size;
  float lower;         /* points that the cheap rater scores below are dropped, and the expensive one need not read them; -inf:
                        * none */
  float upper;         /* points that it scores at least so stay; inf: none. What lies between is the band */
  float middle;        /* the expensive rater's score at the cut, in the sample */
  float spread;        /* the range of the middle half of its scores there */
  double agreement;    /* of the decisions, at least: the bound at `confidence`, from the three quarters of the sample that
                        * choose */
  double observed;     /* the same as the last quarter has it, which chooses nothing */
  double band;         /* share of that quarter that lies in the band */
  double discard;      /* what it was chosen for */
  double confidence;
  size_t sample_count; /* points of the sample */
} rally_cascade;

void rally_cascade_init(rally_cascade *cascade, size_t size);

/*
 * cheap, expensive: [count] scores of a uniform random sample of the points, in the order in which they were drawn: the first
 * three quarters choose, the last one checks. `discard` in (0, 1), `agreement` in [0.5, 1) such as 0.99, `confidence` in [0.5, 1)
 * such as 0.95.
 *
 * The bound holds with the confidence for the corpus that the sample was drawn from and for the cut that keeps the share 1 -
 * discard of it by rally_cascade_scores. Wrongly dropped and wrongly kept points are bounded by Clopper and Pearson, for whatever
 * the place of the corpus' own cut in the sample may be; twice the greater of the two is what decisions can differ by. Of a
 * sample of some hundreds no band can be trusted so far, and its ends are infinite.
 * Errors: RALLY_EMPTY_INPUT for fewer than 4 points, RALLY_NOT_FINITE, RALLY_INVALID_ARGUMENT; RALLY_MISMATCH where the last
 * quarter contradicts, so that the order was none of chance.
 */
rally_status rally_cascade_choose(const float *cheap, const float *expensive, size_t count, double discard, double agreement,
                                  double confidence, rally_cascade *cascade, rally_error *error);

/*
 * scores: [count] the cheap rater's, and in the band a place between its ends by the expensive rater's score: higher there is
 * higher here. expensive: [count]; read in the band only, anything else. The same bits everywhere.
 * Errors: RALLY_NOT_FINITE for a NaN among the scores that are read, RALLY_INVALID_ARGUMENT.
 */
rally_status rally_cascade_scores(const rally_cascade *cascade, const float *cheap, const float *expensive, size_t count,
                                  float *scores, rally_error *error);

/*
 * The distribution of any number of scores in little memory: exact while there are at most `capacity`, and within rank_error
 * of a rank beyond. It can be saved, and merged with others. Reads may run together; writes to one distribution take turns.
 */
typedef struct rally_distribution rally_distribution;

/* What a distribution is of, and how exact. */
typedef struct rally_distribution_info {
  size_t struct_size;
  const char *label;  /* lives as long as the distribution is open */
  size_t capacity;
  uint64_t count;     /* scores that were added */
  float minimum;      /* of all of them; NaN while there are none */
  float maximum;
  double rank_error;  /* no quantile is wrong by more, as a share of all scores; certain, not likely */
} rally_distribution_info;

void rally_distribution_info_init(rally_distribution_info *info, size_t size);

/*
 * label: what the scores are of, such as rater, mode and windows; NULL: "". capacity: scores that are kept of each doubling,
 * even, 8 ... 2^20; 0: 4096. With it rank_error is at most 0.11 % at a million scores in a stream and 0.23 % at a billion, and at
 * most 0.22 % and 0.46 % in any tree of merges. Errors: RALLY_INVALID_ARGUMENT.
 */
rally_status rally_distribution_open(const char *label, size_t capacity, rally_distribution **distribution, rally_error *error);

/* Adds scores: [count], infinities included; on an error none. Errors: RALLY_NOT_FINITE for a NaN; RALLY_LIMIT_EXCEEDED beyond
 * 2^53 of them. */
rally_status rally_distribution_add(rally_distribution *distribution, const float *scores, size_t count, rally_error *error);

/* Adds what another distribution has seen, which stays as it is. Errors: RALLY_MISMATCH for another label or capacity. */
rally_status rally_distribution_merge(rally_distribution *distribution, const rally_distribution *other, rally_error *error);

/* quantiles: [count] mid-ranks of the scores, (scores below + half of the equal ones) / all. Errors: RALLY_EMPTY_INPUT while
 * there are none, RALLY_NOT_FINITE. */
rally_status rally_distribution_cdf(const rally_distribution *distribution, const float *scores, size_t count,
                                    double *quantiles, rally_error *error);

/* scores: [count] the lowest score that the share p of all does not exceed; the minimum at 0, the maximum at 1. Errors:
 * RALLY_EMPTY_INPUT while there are none, RALLY_INVALID_ARGUMENT outside [0, 1]. */
rally_status rally_distribution_quantile(const rally_distribution *distribution, const double *quantiles, size_t count,
                                         float *scores, rally_error *error);

/* Fills `info`, which must have been initialised. */
rally_status rally_distribution_get_info(const rally_distribution *distribution, rally_distribution_info *info,
                                         rally_error *error);

/* Saves all of it, label and checksum included; the same scores in the same order give the same bytes on every machine.
 * data: [capacity] bytes, or NULL with capacity 0 to learn the size. size: bytes needed or written. Errors:
 * RALLY_BUFFER_TOO_SMALL. */
rally_status rally_distribution_save(const rally_distribution *distribution, void *data, size_t capacity, size_t *size,
                                     rally_error *error);

/* Opens what was saved. Errors: RALLY_CORRUPT_FILE, RALLY_UNSUPPORTED_VERSION. */
rally_status rally_distribution_load(const void *data, size_t size, rally_distribution **distribution, rally_error *error);

/* Frees it. NULL or a closed handle: nothing. Any thread. */
void rally_distribution_close(rally_distribution *distribution);

/* ------------------------------------------------------------------------------------------------------------------------
 * Generation
 * --------------------------------------------------------------------------------------------------------------------- */

/* A row of logits before a token is drawn from it. */
typedef struct rally_logits {
  size_t struct_size;
  size_t request;        /* as in events */
  void *user;            /* the request's own */
  float *values;         /* [count] of each token; may be changed in place, and -INFINITY forbids a token */
  size_t count;          /* vocab_size */
  const int32_t *tokens; /* [token_count] prompt and text so far */
  size_t token_count;
  size_t prompt_count;   /* of them the prompt */
  int32_t depth;         /* recursions that the last of them ran through */
} rally_logits;

/* Sees, and may change, the logits of all requests of this function and user that draw a token now: a sampler or grammar of your
 * own. rows: [row_count], valid during the callback, which may not change anything but values. Return 0 to go on, anything else
 * to end these requests, with RALLY_FINISH_CANCELLED. A row without a number above -INFINITY ends its request:
 * RALLY_FINISH_STOP, without a token; NaN is no number. */
typedef int32_t (*rally_logits_callback)(void *user, const rally_logits *const *rows, size_t row_count);

/* One sequence to be continued. */
typedef struct rally_request {
  size_t struct_size;
  const int32_t *tokens;      /* [token_count] the prompt, at least one token */
  size_t token_count;
  size_t max_tokens;                         /* tokens to generate; 0 (default): until the context is full */
  float temperature;                         /* 0 (default): the most probable token */
  int32_t top_k;                             /* 0 (default): all */
  float top_p;                               /* 1 (default): all; in (0, 1] */
  float min_p;                               /* 0 (default): all; in [0, 1], relative to the most probable token */
  uint64_t seed;                             /* 0; the same seed gives the same text, whatever else runs */
  const int32_t *stop_tokens; /* [stop_token_count] end the text; they are reported as its last token */
  size_t stop_token_count;
  rally_switch stop_at_eos;                  /* RALLY_DEFAULT (default) is ON: the model's eos_token_id ends the text too */
  uint32_t max_depth;                        /* recursions a token may run; 0 (default) or more than it has: the model's number */
  double target_depth;                       /* mean depth that the model is steered to; 0 (default): none */
  float repetition_penalty;    /* 1 (default): none. Tokens of prompt and text: positive logits are divided by it, others
                                * multiplied */
  float presence_penalty;      /* 0 (default). Subtracted from the logits of tokens that were generated */
  float frequency_penalty;     /* 0 (default). The same, for each time that they were */
  const int32_t *bias_tokens;  /* [bias_count] tokens whose logits are changed, after the penalties */
  const float *bias_values;    /* [bias_count] what is added; -INFINITY forbids a token */
  size_t bias_count;
  const char *const *stop_strings; /* [stop_string_count] texts that end the text; the token that completes one is the last */
  size_t stop_string_count;
  uint32_t top_logprobs;       /* most probable tokens reported with each token, at most 64; 0 (default): none */
  int32_t priority;            /* 0 (default). Engines: higher goes first, equal ones in the order of submission. When 64 in turn
                                * went ahead of an older one, the oldest of all goes first */
  rally_switch include_stop;   /* RALLY_DEFAULT (default) is OFF: the text leaves out the stop string that ends it */
  rally_switch skip_special;   /* RALLY_DEFAULT (default) is OFF: special tokens appear in the text */
  double exit_threshold;       /* of a looped model's exits, at least 0; -1 (default): the model's own */
  int64_t exit_from;           /* tokens of prompt and text before this one run at full depth; -1 (default): the prompt's
                                * length */
  uint32_t min_depth;          /* recursions a token of a looped model runs at least; 0 (default): 1 */
  rally_kv_policy kv_policy;   /* RALLY_KV_DEFAULT (default) */
  void *user;                  /* NULL (default). Given back in the request's events and logits */
  double timeout_seconds;      /* 0 (default): none. After so long from the submission the text ends: RALLY_FINISH_DEADLINE */
  rally_logits_callback on_logits; /* NULL (default). Before penalties and biases; logprob is of what it leaves. Calling thread */
  void *on_logits_user;
} rally_request;

void rally_request_init(rally_request *request, size_t size);

/* Why a sequence ended. */
typedef enum rally_finish_reason {
  RALLY_NOT_FINISHED = 0,
  RALLY_FINISH_STOP = 1,         /* a stop token, a stop string, or eos */
  RALLY_FINISH_LIMIT = 2,        /* max_tokens */
  RALLY_FINISH_CONTEXT_FULL = 3, /* max_position_embeddings, or all that the engine's cache_bytes hold */
  RALLY_FINISH_CANCELLED = 4,    /* by a callback, a cancel function, or the timeout of the call */
  RALLY_FINISH_DEADLINE = 5      /* timeout_seconds of the request */
} rally_finish_reason;

/*
 * One generated token, or (token = -1) the end of a sequence between two tokens: cancelled, at its deadline, or with all tokens
 * forbidden.
 *
 * The texts of a request's events, one after the other, are its text: decoded tokens without the stop string that ended them, and
 * without what follows it in its token. What may still become a stop string, or is not yet a whole character, comes with a later
 * event, at the latest with the last. Stop strings are looked for in that text alone, not in the prompt, and in special tokens
 * where these appear in it. The one that is complete first counts; of several complete at the same byte the longest.
 */
typedef struct rally_event {
  size_t struct_size;
  size_t request;                    /* index of the request, or the engine's number for it */
  size_t index;                      /* of the token among those generated for the request, from 0 */
  int32_t token;
  int32_t depth;                     /* recursions that the token this one was predicted from ran through */
  float logprob;                     /* of the token under the model, before penalties, temperature and cuts; natural logarithm */
  rally_finish_reason finish_reason; /* RALLY_NOT_FINISHED while the sequence goes on */
  int32_t stop_string;               /* index of the stop string that was completed; -1 (default): none */
  size_t top_count;                  /* as many as top_logprobs asked for, fewer where fewer are not forbidden */
  const int32_t *top_tokens;         /* [top_count] most probable first; valid during the callback */
  const float *top_logprobs;         /* [top_count] */
  const char *text;                  /* [text_length] UTF-8 that is certain by now, not NUL-terminated; valid during the
                                      * callback */
  size_t text_length;                /* 0 also where the model has no tokenizer */
  size_t cut_length;                 /* bytes of the decoded tokens, from their end, that the text leaves out: with stop_string */
  void *user;                        /* the request's own */
} rally_event;

/* Return 0 to go on, 1 to end this sequence, 2 to end all. */
typedef int32_t (*rally_event_callback)(void *user, const rally_event *event);

/* Where the tokens go when no callback is wanted, or in addition to one. `stride` is the number of places per request. */
typedef struct rally_generation {
  size_t struct_size;
  size_t stride;                        /* at least the greatest max_tokens, none of which may be 0 here */
  int32_t *tokens;                      /* [request_count, stride] */
  int32_t *depths;                      /* [request_count, stride], or NULL */
  float *logprobs;                      /* [request_count, stride], or NULL */
  size_t *token_counts;                 /* [request_count] */
  rally_finish_reason *finish_reasons;  /* [request_count], or NULL */
  int32_t *prompt_depths;               /* [sum of token_count], or NULL: recursions each prompt token ran; untouched where a
                                         * sequence ended before */
  double timeout_seconds;                              /* 0 (default): none */
  int32_t *stop_strings;                /* [request_count], or NULL: index of the stop string that ended each; -1: none */
  size_t *cut_lengths;                  /* [request_count], or NULL: what rally_decode gives for the tokens is longer by so
                                         * much */
} rally_generation;

void rally_generation_init(rally_generation *generation, size_t size);

/*
 * Continues a batch of prompts together until each has finished. Selection is by threshold.
 * requests: [request_count], all of the first one's struct_size. on_token and generation: at least one of them.
 * Nothing is allocated per token once the prompts have been computed.
 * Returns RALLY_OK also when sequences were cancelled: their finish_reason says so and what they have is kept.
 * Errors: RALLY_INVALID_TOKEN, RALLY_EMPTY_INPUT, RALLY_CONTEXT_EXCEEDED, RALLY_WRONG_KIND, RALLY_UNSUPPORTED.
 * One caller; on_token runs on the calling thread.
 */
rally_status rally_generate(rally_runner *runner, const rally_request *requests, size_t request_count,
                            rally_event_callback on_token, void *user, rally_generation *generation, rally_error *error);

/* ------------------------------------------------------------------------------------------------------------------------
 * Engine: continuous batching
 *
 * Submit requests at any time, from any thread; step until nothing is left:
 *
 *     rally_engine *engine = NULL; int32_t busy = 1;
 *     if (rally_engine_open(model, NULL, &engine, &error)) return 1;
 *     for (size_t i = 0; i < count; i++)
 *       if (rally_engine_submit(engine, &requests[i], NULL, &error)) return 1;
 *     while (busy)                                    // other threads may submit and cancel in the meantime
 *       if (rally_engine_step(engine, on_event, user, &busy, &error)) return 1;
 *     rally_engine_close(engine);
 *
 * A step lets those that are through the model's block go on to their next token, lets others enter, and runs the block once for
 * the tokens of all sequences, prompts and generated ones, each at its own recursion: its weights are read once for all of them.
 * Leavers wait up to three steps for company where that saves time. Keys and values live in blocks of 32 entries within
 * cache_bytes. When the blocks run out the youngest sequence gives up its own and is computed again later; sequences with the
 * same beginning share blocks. None of this changes a bit of what a sequence generates.
 *
 * cache_dtype says what keys and values are kept as: F32, BF16 (half of that) or INT8, with a scale for each 32 channels of one
 * head of one token (.28 of it). A token's keys and values are rounded when they are computed and everything reads the rounded
 * ones, its own piece of the prompt included: so a type changes what a sequence generates, but nothing else does.
 * --------------------------------------------------------------------------------------------------------------------- */

/* Continues any number of sequences together, which come and go at every step. */
typedef struct rally_engine rally_engine;

/* How an engine puts tokens together. */
typedef enum rally_batching {
  RALLY_BATCH_DEPTH = 0,   /* tokens of all recursions run together */
  RALLY_BATCH_SEQUENCE = 1 /* all sequences finish their token before the next ones start; for comparison */
} rally_batching;

/* How an engine is opened. */
typedef struct rally_engine_options {
  size_t struct_size;
  uint32_t threads;            /* 0 (default): as many as this process may use; at most 256 */
  uint32_t max_step_tokens;    /* tokens on their way together, prompts and generated ones; 0 (default): 512 */
  uint32_t max_sequences;      /* continued at the same time; others queue. 0 (default): 64 */
  uint64_t cache_bytes;        /* keys and values; 0 (default): what all sequences can fill, at most
                                * 1 GiB and four times the weights or 16 MiB, but one of full length */
  rally_batching batching;     /* RALLY_BATCH_DEPTH (default) */
  rally_switch share_prefixes; /* RALLY_DEFAULT (default) is ON: also with the last 32 that finished, until their blocks are
                                * needed */
  uint32_t max_queue;          /* requests that may wait besides max_sequences; 0 (default): any number */
  rally_dtype cache_dtype;     /* of keys and values: RALLY_DTYPE_AUTO (default) is F32 */
  const rally_pool *pool;      /* whose threads compute, with threads 0; NULL (default): threads of its own */
  uint64_t max_memory_bytes;   /* of its workspaces and its cache, which takes no more than is left where cache_bytes is 0;
                                * 0 (default): no limit of its own. See rally_model_options */
} rally_engine_options;

void rally_engine_options_init(rally_engine_options *options, size_t size);

/* The bytes that an engine takes when it is opened, lists included, besides the model's own weight_bytes: half a megabyte less
 * at most. Any thread. */
rally_status rally_engine_memory(const rally_model *model, const rally_engine_options *options, uint64_t *bytes,
                                 rally_error *error);

/* Starts the worker threads and takes the memory. Errors: RALLY_WRONG_KIND for a rater, RALLY_LIMIT_EXCEEDED,
 * RALLY_UNSUPPORTED. Any thread. */
rally_status rally_engine_open(const rally_model *model, const rally_engine_options *options, rally_engine **engine,
                               rally_error *error);

/* Waits for the step in progress and frees everything; requests that are unfinished end without an event. Any thread. */
void rally_engine_close(rally_engine *engine);

/*
 * Puts a request into the queue; its arrays and strings are copied. id, or NULL: its number in events, 0, 1, 2, ...
 * Errors: RALLY_INVALID_TOKEN, RALLY_EMPTY_INPUT, RALLY_CONTEXT_EXCEEDED, RALLY_UNSUPPORTED; RALLY_LIMIT_EXCEEDED when
 * cache_bytes cannot hold prompt and max_tokens. Any thread.
 */
rally_status rally_engine_submit(rally_engine *engine, const rally_request *request, size_t *id, rally_error *error);

/*
 * Waits until the engine has something to do: an unfinished request. At once where there is one; otherwise a submission on
 * another thread ends the wait. timeout_seconds: at least 0. Errors: RALLY_DEADLINE_EXCEEDED when it went by without work;
 * RALLY_CLOSED when the engine is closed meanwhile. Any thread.
 */
rally_status rally_engine_wait(rally_engine *engine, double timeout_seconds, rally_error *error);

/* Ends one request, or all, at the next step: an event says RALLY_FINISH_CANCELLED. Unknown or finished: nothing. Any thread. */
void rally_engine_cancel(rally_engine *engine, size_t id);
void rally_engine_cancel_all(rally_engine *engine);

/*
 * One step. on_event, or NULL: called with each generated token and the end of each request; it may submit and cancel.
 * busy, or NULL: set to 1 while any request is unfinished, else 0. On RALLY_OUT_OF_MEMORY nothing is lost: the next step starts
 * the sequences again from their tokens. One caller.
 */
rally_status rally_engine_step(rally_engine *engine, rally_event_callback on_event, void *user, int32_t *busy,
                               rally_error *error);

/* Steps until no request is left. Errors and thread as rally_engine_step. */
rally_status rally_engine_run(rally_engine *engine, rally_event_callback on_event, void *user, rally_error *error);

/*
 * Counters: what the engine did and holds, as numbers with names, such as "passes_total", "tokens_depth_2_total",
 * "blocks_used", "preemptions_total", "seconds_products_total". Names ending in _total only grow. Count and names: any thread,
 * names live as long as the engine is open (NULL beyond the count). values: [capacity], all of them at once, as the last step
 * left them, also while the next one runs. Any thread.
 */
size_t rally_engine_counter_count(const rally_engine *engine);
const char *rally_engine_counter_name(const rally_engine *engine, size_t index);
rally_status rally_engine_counters(rally_engine *engine, double *values, size_t capacity, rally_error *error);

/*
 * Saves what an unfinished request has computed: its tokens, depths, keys and values, with the model's fingerprint and a
 * checksum. The request goes on. data: [capacity] bytes, or NULL with capacity 0 to learn the size. size: bytes needed or
 * written.
 * Errors: RALLY_INVALID_ARGUMENT for an id that is unknown or finished, or that no step has seen yet; RALLY_BUFFER_TOO_SMALL.
 * One caller.
 */
rally_status rally_engine_save(rally_engine *engine, size_t id, void *data, size_t capacity, size_t *size, rally_error *error);

/*
 * Continues a saved request, in this engine or another on the same model: bit for bit as if it had never been interrupted.
 * request: how to go on (sampling, limits); its tokens must be empty, and max_tokens counts what was generated before. Events
 * count on from there. Errors: RALLY_CORRUPT_FILE, RALLY_UNSUPPORTED_VERSION, RALLY_WRONG_MODEL (also for another cache_dtype),
 * RALLY_LIMIT_EXCEEDED when the blocks or the place that it needs are not free now (step, then try again), and those of
 * rally_engine_submit. One caller.
 */
rally_status rally_engine_restore(rally_engine *engine, const void *data, size_t size, const rally_request *request, size_t *id,
                                  rally_error *error);

/* ------------------------------------------------------------------------------------------------------------------------
 * Lineage: whether two models come from one initialisation, from their weights alone
 *
 * A student that is trained on a teacher's outputs takes over the teacher's traits, whatever the outputs are about, where both
 * come from one initialisation. Under independent initialisations the hidden units of a model are exchangeable, whatever it was
 * trained on: units of A and B at the same places match no better than units paired at random. docs/lineage.md has the method.
 *
 *     rally_lineage_report *report = NULL;
 *     rally_lineage_result result; rally_lineage_result_init(&result, sizeof result);
 *     if (rally_lineage("teacher.onnx", "student-base/", NULL, &report, &error)
 *         || rally_lineage_get_result(report, &result, &error)) return 1;
 *     printf("p %g, rho %.3f: %s\n", result.p, result.rho, rally_lineage_verdict_text(result.verdict));
 *     rally_lineage_close(report);
 * --------------------------------------------------------------------------------------------------------------------- */

/* What a comparison of two models found. */
typedef struct rally_lineage_report rally_lineage_report;

/* The bounds of rho were calibrated on three-layer perceptrons that learned from each other's outputs; other models may
 * differ. */
typedef enum rally_lineage_verdict {
  RALLY_LINEAGE_NOT_SEEN = 0, /* p >= 0.001; no proof: a checkpoint whose units were permuted evades the test */
  RALLY_LINEAGE_SHARED = 1,   /* p < 0.001, rho < 0.75 */
  RALLY_LINEAGE_PARTIAL = 2,  /* p < 0.001, rho in [0.75, 0.95) */
  RALLY_LINEAGE_STRONG = 3    /* p < 0.001, rho >= 0.95 */
} rally_lineage_verdict;

/* One line, with what the verdict does not prove; NULL for a number that is none. Static storage. Any thread. */
const char *rally_lineage_verdict_text(rally_lineage_verdict verdict);

/* How models are compared. */
typedef struct rally_lineage_options {
  size_t struct_size;
  uint64_t permutations; /* 9999 (default): random pairings that the true one is compared with, 1 ... 10 000 000 */
  uint64_t seed;         /* 0; the same seed gives the same report */
  uint32_t threads;      /* 0 (default): as many as this process may use; without influence on the report */
  rally_progress_callback progress; /* sets of units that were compared, of all */
  void *progress_user;
} rally_lineage_options;

void rally_lineage_options_init(rally_lineage_options *options, size_t size);

/* A matrix whose rows are hidden units. Those called "head" or "lm_head" are the output head. */
typedef struct rally_matrix {
  size_t struct_size;
  const char *name;
  const char *set;   /* NULL (default): its own. Matrices of one set have the same units: what permutes one permutes all */
  const float *data; /* [rows, columns], row-major */
  size_t rows;
  size_t columns;
} rally_matrix;

void rally_matrix_init(rally_matrix *matrix, size_t size);

/*
 * Compares two files: model files, .safetensors files, or folders as Hugging Face's libraries save them (f32, f16, bf16; with an
 * index, too). Attention is compared where config.json says how many heads there are. Of more than 1024 units, 1024 are looked
 * at.
 * Errors: RALLY_MISMATCH for models of other shapes, with both; RALLY_UNSUPPORTED where no layer is named as those of Llama or
 * BERT, or units are too few for a p below 0.001; RALLY_INVALID_ARGUMENT where permutations are; RALLY_INVALID_VALUE for units
 * that are all alike; RALLY_INVALID_SHAPE, RALLY_NOT_FINITE, RALLY_CANCELLED, and what is wrong with
 * a file. Any thread.
 */
rally_status rally_lineage(const char *a, const char *b, const rally_lineage_options *options, rally_lineage_report **report,
                           rally_error *error);

/* Compares matrices; those of one name are partners. a, b: [a_count], [b_count], all of the first one's struct_size; not needed
 * afterwards. Errors as rally_lineage, RALLY_EMPTY_INPUT for none, RALLY_DUPLICATE_TENSOR. Any thread. */
rally_status rally_lineage_matrices(const rally_matrix *a, size_t a_count, const rally_matrix *b, size_t b_count,
                                    const rally_lineage_options *options, rally_lineage_report **report, rally_error *error);

/* Frees the report and its texts. NULL or a closed handle: nothing. Any thread. */
void rally_lineage_close(rally_lineage_report *report);

/* What a report says of the two models as a whole. */
typedef struct rally_lineage_result {
  size_t struct_size;
  rally_lineage_verdict verdict;
  double p;   /* of all sets of units but the head, by Fisher's method */
  double rho; /* of the same sets, each counted by the units that were compared */
  uint64_t permutations;
  uint64_t seed;
  size_t tensor_count; /* entries of each kind */
  size_t set_count;
  size_t head_count; /* 0 or 1 */
} rally_lineage_result;

void rally_lineage_result_init(rally_lineage_result *result, size_t size);

/* Any thread. */
rally_status rally_lineage_get_result(const rally_lineage_report *report, rally_lineage_result *result, rally_error *error);

/* What the entries of a report are about. */
typedef enum rally_lineage_kind {
  RALLY_LINEAGE_TENSORS = 0, /* one matrix each; those of one set depend on each other */
  RALLY_LINEAGE_SETS = 1,    /* matrices that share their units, as one; what p is combined from */
  RALLY_LINEAGE_HEAD = 2     /* apart: heads are often initialised again */
} rally_lineage_kind;

/* What a report says of one matrix, or of one set of units. */
typedef struct rally_lineage_entry {
  size_t struct_size;
  const char *name; /* of the matrix in A, or of the set */
  const char *set;
  size_t units;     /* that were compared ... */
  size_t all_units; /* ... of as many */
  double rho;       /* mean cosine of the pairs, less that of all units */
  double z;         /* the same in standard deviations of random pairings */
  double p;         /* (1 + reached) / (1 + permutations) */
  uint64_t reached; /* permutations that matched as well; 0: p < 1 / (1 + permutations) is all that is known */
} rally_lineage_entry;

void rally_lineage_entry_init(rally_lineage_entry *entry, size_t size);

/* Texts live as long as the report is open. Any thread. */
rally_status rally_lineage_entry_at(const rally_lineage_report *report, rally_lineage_kind kind, size_t index,
                                    rally_lineage_entry *entry, rally_error *error);

/* ------------------------------------------------------------------------------------------------------------------------
 * Exposure: what samples would pass on
 *
 * For each row, what a teacher and a student's base predict along it is compared. The Jeffreys divergence is the first-order pull
 * of distilling the teacher on the row. The log-likelihood ratios s of rows that came from the base itself make
 * E = exp(s_1 + ... + s_n) a martingale of mean 1, so P(sup E >= 1 / alpha) <= alpha: once log E reaches -log(alpha), "the base
 * wrote these rows" is rejected with at most that probability of error, however often one looked. It holds for rows whose tokens
 * after the given ones were drawn from the base's whole distribution (temperature 1, no cut, its own end), whatever the prompts.
 * --------------------------------------------------------------------------------------------------------------------- */

/* Where rally_exposure writes; a NULL pointer: not wanted. */
typedef struct rally_exposure_scores {
  size_t struct_size;
  double *jeffreys;     /* [row_count] sum over the sampled tokens of (p_T - p_0) . (z_T - z_0), in nats */
  double *log_ratio;    /* [row_count] sum of log p_T(y) - log p_0(y), in nats */
  size_t *token_counts; /* [row_count] tokens that were counted */
} rally_exposure_scores;

void rally_exposure_scores_init(rally_exposure_scores *scores, size_t size);

/*
 * Compares two language models with one tokenizer along rows. Progress is the teacher's, and cancelling its call ends this one.
 * tokens, row_offsets, row_count: as in rally_run.
 * given: [row_count] tokens at the beginning of each row that were not sampled, such as its prompt; NULL: 1 each, for no model
 * predicts a first token. Logits exist for 64 tokens at a time.
 * Errors: RALLY_MISMATCH for models that read other tokens, RALLY_BUSY also for one runner twice, and those of rally_run.
 * One caller of both.
 */
rally_status rally_exposure(rally_runner *teacher, rally_runner *base, const int32_t *tokens, const size_t *row_offsets,
                            size_t row_count, const size_t *given, const rally_exposure_scores *scores, rally_error *error);

#ifdef __cplusplus
}
#endif

#endif /* RALLY_H */
