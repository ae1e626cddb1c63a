#pragma once

/*
 * A flat C view of one ONNX model that lies in memory.
 *
 * The bytes are walked once by our own bounds-checked reader. What describes the model (nodes, types, metadata) is copied
 * out, without the weights, and given to libprotobuf and libonnx; the weights are never copied: a tensor points into the
 * caller's bytes, which must outlive the model.
 *
 * Whatever the bytes are, no function here throws, prints, exits or recurses beyond ROX_MAX_DEPTH. A model is immutable:
 * any number of threads may read it.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Messages within messages. A graph inside an attribute adds three; a tensor's shape stands at depth six. */
#define ROX_MAX_DEPTH 32

typedef enum rox_status {
  ROX_OK = 0,
  ROX_CORRUPT = 1,       /* not an ONNX model, or cut off, or contradictory */
  ROX_LIMIT = 2,         /* one of rox_limits */
  ROX_OUT_OF_MEMORY = 3,
  ROX_UNSUPPORTED = 4,   /* a graph that cannot be rewritten; the error says why */
  ROX_NO_READER = 5      /* the file with the reader is not there, or does not fit; the error has the system's words */
} rox_status;

/* NUL-terminated, one line each. `subject` names the message or tensor. */
typedef struct rox_error {
  char subject[200];
  char expected[160];
  char found[320];
} rox_error;

typedef struct rox_limits {
  size_t max_bytes;           /* of the whole model; libprotobuf itself ends at 2^31 - 1 */
  size_t max_structure_bytes; /* of what is not the data of an initializer */
  size_t max_items;           /* messages and repeated strings: libprotobuf takes some 100 bytes for each */
} rox_limits;

/* Not NUL-terminated; not necessarily UTF-8. */
typedef struct rox_text {
  const char *data;
  size_t size;
} rox_text;

typedef struct rox_model rox_model;

/* On failure `*model` stays as it was. `error` may not be NULL. */
rox_status rox_model_open(const void *data, size_t size, const rox_limits *limits, rox_model **model, rox_error *error);
void rox_model_close(rox_model *model); /* NULL: nothing */

int64_t rox_ir_version(const rox_model *model);    /* 0 where the file has none */
int64_t rox_opset_version(const rox_model *model); /* of the standard operators; 0 where none is imported */
rox_text rox_producer(const rox_model *model);
rox_text rox_graph_name(const rox_model *model);
int rox_has_graph(const rox_model *model);
size_t rox_node_count(const rox_model *model);

size_t rox_metadata_count(const rox_model *model);
/* The index must be below the count, here and below. */
void rox_metadata_at(const rox_model *model, size_t index, rox_text *key, rox_text *value);

typedef enum rox_side { ROX_INPUT = 0, ROX_OUTPUT = 1 } rox_side;
size_t rox_value_count(const rox_model *model, rox_side side);
/* element_type: a TensorProto.DataType, 0 where the value is no tensor. */
void rox_value_at(const rox_model *model, rox_side side, size_t index, rox_text *name, int32_t *element_type);

/* TensorProto.DataType, those that a Rally model may hold. */
enum {
  ROX_FLOAT = 1,
  ROX_UINT8 = 2, /* two numbers of q4 in a byte */
  ROX_INT8 = 3,
  ROX_INT64 = 7,
  ROX_STRING = 8,
  ROX_FLOAT16 = 10,
  ROX_BFLOAT16 = 16
};

typedef enum rox_source {
  ROX_NONE = 0,     /* no data at all; right for a tensor without elements */
  ROX_RAW = 1,      /* data, byte_count: little-endian, not aligned */
  ROX_TYPED = 2,    /* element_count elements in a typed field: rox_tensor_read */
  ROX_STRINGS = 3,  /* element_count strings: rox_string_next */
  ROX_EXTERNAL = 4, /* location, offset, length */
  ROX_SEVERAL = 5   /* more than one of these: contradictory */
} rox_source;

typedef struct rox_tensor {
  rox_text name;
  int32_t data_type; /* any number the file says */
  size_t rank;
  const int64_t *dims; /* [rank], any numbers the file says */
  rox_source source;
  const void *data;
  size_t byte_count;
  size_t element_count;
  rox_text location; /* empty where missing */
  int64_t offset;    /* 0 where missing, -1 where it is no decimal number */
  int64_t length;    /* -1 where missing, -2 where it is no decimal number */
} rox_tensor;

/* Initializers of the main graph, in the order of the file. */
size_t rox_tensor_count(const rox_model *model);
void rox_tensor_at(const rox_model *model, size_t index, rox_tensor *tensor);

/*
 * Decodes the typed field of a ROX_TYPED tensor of FLOAT, FLOAT16, BFLOAT16, INT8, UINT8 or INT64 into `element_count` elements of
 * its type. ROX_CORRUPT where the field is not the one of the type, or a number does not fit.
 * out: element_count elements, any alignment.
 */
rox_status rox_tensor_read(const rox_model *model, size_t index, void *out, rox_error *error);

/* The next string of a ROX_STRINGS tensor; *cursor starts at 0. Returns 0 after the last. Constant time per string. */
int rox_string_next(const rox_model *model, size_t index, size_t *cursor, rox_text *text);

typedef enum rox_check_result { ROX_CHECK_PASSED = 0, ROX_CHECK_FAILED = 1, ROX_CHECK_SKIPPED = 2 } rox_check_result;

/* Runs libonnx's checker and shape inference over the structure, where that is known to be safe (Checker.cpp says when).
 * reason: [capacity], why it failed or was skipped, one line. */
rox_check_result rox_model_check(const rox_model *model, char *reason, size_t capacity);

/* How one initializer shall be stored. */
typedef struct rox_storage {
  size_t tensor;       /* its index */
  int32_t data_type;   /* ROX_FLOAT …; ROX_INT8 and ROX_UINT8 for a matrix only */
  uint64_t byte_count; /* of its data */
  uint64_t scale_count; /* of an INT8 or UINT8 matrix: one for each row, or a multiple, for equal groups of its columns */
  uint64_t balance_count; /* of an INT8 or UINT8 matrix: factors of its columns, or 0 */
  int64_t offset;      /* of its data in the data file; -1: inside the model */
} rox_storage;

/* Another model with the same graph and some initializers stored in another type, as the bytes to be written. */
typedef struct rox_rewrite rox_rewrite;

typedef enum rox_data {
  ROX_NO_DATA = 0,
  ROX_ELEMENTS = 1, /* byte_count bytes, little-endian and row-major */
  ROX_SCALES = 2,   /* [scale_count] f32 of an INT8 matrix, f16 of a UINT8 matrix */
  ROX_BALANCE = 3   /* [balance_count] f32 of an INT8 or UINT8 matrix */
} rox_data;

/* `bytes`, and after them the data of storages[storage], which the caller writes. */
typedef struct rox_piece {
  rox_text bytes;
  rox_data data;
  size_t storage;
} rox_piece;

/*
 * Nodes that read a tensor whose type changes are changed with it (Rewiring.h); an INT8 or UINT8 matrix NAME gets its scales as
 * NAME.scale, and its balance as NAME.balance, and loses them with that type. Initializers that are not in `storages` are copied; none of them may have
 * external data. The same arguments give the same bytes.
 * storages: [count], each tensor at most once. location: of the data file.
 * ROX_UNSUPPORTED, ROX_LIMIT for a model beyond 2^31 - 1 bytes, ROX_OUT_OF_MEMORY. The model must outlive the rewrite.
 */
rox_status rox_rewrite_open(const rox_model *model, const rox_storage *storages, size_t count, rox_text location,
                            rox_rewrite **rewrite, rox_error *error);
void rox_rewrite_close(rox_rewrite *rewrite); /* NULL: nothing */
/* One after the other they are the model. */
size_t rox_rewrite_piece_count(const rox_rewrite *rewrite);
void rox_rewrite_piece_at(const rox_rewrite *rewrite, size_t index, rox_piece *piece);

#ifdef __cplusplus
}
#endif
