// The functions of connx.h as one table: what the file that holds the reader gives to the library that opens it.
#pragma once

#include "include/connx.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rox_reader {
  /* Both from the same sources, or the table is of no use. */
  size_t byte_count;
  uint32_t version;
  rox_status (*model_open)(const void *, size_t, const rox_limits *, rox_model **, rox_error *);
  void (*model_close)(rox_model *);
  int64_t (*ir_version)(const rox_model *);
  int64_t (*opset_version)(const rox_model *);
  rox_text (*producer)(const rox_model *);
  rox_text (*graph_name)(const rox_model *);
  int (*has_graph)(const rox_model *);
  size_t (*node_count)(const rox_model *);
  size_t (*metadata_count)(const rox_model *);
  void (*metadata_at)(const rox_model *, size_t, rox_text *, rox_text *);
  size_t (*value_count)(const rox_model *, rox_side);
  void (*value_at)(const rox_model *, rox_side, size_t, rox_text *, int32_t *);
  size_t (*tensor_count)(const rox_model *);
  void (*tensor_at)(const rox_model *, size_t, rox_tensor *);
  rox_status (*tensor_read)(const rox_model *, size_t, void *, rox_error *);
  int (*string_next)(const rox_model *, size_t, size_t *, rox_text *);
  rox_check_result (*model_check)(const rox_model *, char *, size_t);
  rox_status (*rewrite_open)(const rox_model *, const rox_storage *, size_t, rox_text, rox_rewrite **, rox_error *);
  void (*rewrite_close)(rox_rewrite *);
  size_t (*rewrite_piece_count)(const rox_rewrite *);
  void (*rewrite_piece_at)(const rox_rewrite *, size_t, rox_piece *);
} rox_reader;

#define ROX_READER_VERSION (RALLY_VERSION_MAJOR * 1000000u + RALLY_VERSION_MINOR * 1000u + RALLY_VERSION_PATCH)
#define ROX_READER_SYMBOL "rally_onnx_reader"

__attribute__((visibility("default"))) const rox_reader *rally_onnx_reader(void);

#ifdef __cplusplus
}
#endif
