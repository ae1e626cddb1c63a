/* Reads a mutant through connx.h alone, for a build with AddressSanitizer. Stages: 0 open, 1 read, 2 check, 3 rewrite, 4 done. */
#include "server.h"

#include <connx.h>
#include <stdlib.h>
#include <string.h>

static volatile unsigned sink;

/* Touches every byte. */
static void touch(const void *data, size_t size) {
  unsigned sum = 0;
  for (size_t i = 0; i < size; i++) sum += ((const unsigned char *)data)[i];
  sink = sum;
}

static void touch_text(rox_text text) { touch(text.data, text.size); }

static void read_tensor(const rox_model *model, size_t index, rox_error *error) {
  rox_tensor tensor;
  rox_tensor_at(model, index, &tensor);
  touch_text(tensor.name);
  touch_text(tensor.location);
  touch(tensor.dims, tensor.rank * sizeof *tensor.dims);
  if (tensor.source == ROX_RAW) touch(tensor.data, tensor.byte_count);
  if (tensor.source == ROX_TYPED) {
    void *out = malloc(tensor.element_count * 8 + 1); /* the widest type */
    if (out) rox_tensor_read(model, index, out, error);
    free(out);
  }
  if (tensor.source == ROX_STRINGS) {
    size_t cursor = 0, count = 0;
    rox_text text;
    while (rox_string_next(model, index, &cursor, &text)) {
      touch_text(text);
      count++;
    }
    if (count != tensor.element_count) abort();
  }
}

/* Puts the pieces together, zeros for data: a model again, as far as the walk and libprotobuf can tell. */
static void put_together(const rox_storage *storages, const rox_rewrite *rewrite, const rox_limits *limits) {
  size_t size = 0, at = 0;
  rox_piece piece;
  for (int pass = 0; pass < 2; pass++) {
    uint8_t *bytes = pass ? calloc(size + 1, 1) : NULL;
    if (pass && !bytes) return;
    for (size_t i = 0; i < rox_rewrite_piece_count(rewrite); i++) {
      rox_rewrite_piece_at(rewrite, i, &piece);
      size_t data = 0;
      if (piece.data == ROX_ELEMENTS) data = storages[piece.storage].byte_count;
      if (piece.data == ROX_SCALES)
        data = storages[piece.storage].scale_count * (storages[piece.storage].data_type == ROX_UINT8 ? 2 : 4);
      if (piece.data == ROX_BALANCE) data = storages[piece.storage].balance_count * 4;
      if (pass) memcpy(bytes + at, piece.bytes.data, piece.bytes.size);
      if (pass) at += piece.bytes.size + data;
      else size += piece.bytes.size + data;
    }
    if (!pass) continue;
    rox_error error;
    rox_model *model = NULL;
    if (rox_model_open(bytes, size, limits, &model, &error) == ROX_CORRUPT) abort();
    rox_model_close(model);
    free(bytes);
  }
}

static int is_matrix(const rox_tensor *tensor) {
  const int has_type = tensor->data_type == ROX_FLOAT || tensor->data_type == ROX_FLOAT16 || tensor->data_type == ROX_BFLOAT16
                       || tensor->data_type == ROX_INT8 || tensor->data_type == ROX_UINT8;
  return has_type && tensor->rank == 2 && tensor->dims[0] >= 0 && tensor->dims[0] < 1 << 20;
}

static void rewrite(mutant *m, const rox_model *model, const rox_limits *limits, rox_error *error) {
  /* Three copies of a million nodes take more than the memory that the examination may. */
  if (rox_node_count(model) + rox_tensor_count(model) > 100000) return;
  static const int32_t types[] = {ROX_INT8, ROX_BFLOAT16, ROX_FLOAT, ROX_UINT8};
  size_t count = 0;
  rox_storage *storages = malloc((rox_tensor_count(model) + 1) * sizeof *storages);
  for (size_t i = 0; storages && i < rox_tensor_count(model); i++) {
    rox_tensor tensor;
    rox_tensor_at(model, i, &tensor);
    if (!is_matrix(&tensor)) continue;
    rox_storage *storage = &storages[count++];
    *storage = (rox_storage){
        .tensor = i, .data_type = types[(m->size + i / 50) % 4], .byte_count = i % 64, .offset = i % 5 ? -1 : (int64_t)i};
    if (storage->data_type != ROX_INT8 && storage->data_type != ROX_UINT8) continue;
    /* One scale for each row, for each half of it, or a number that suits no rows. */
    storage->scale_count = i % 7 ? (uint64_t)tensor.dims[0] * (1 + i % 2) : 1 + i % 3;
    storage->balance_count = i % 3 ? 0 : 1 + i % 64;
  }
  rox_rewrite *made = NULL;
  const rox_text location = {"data", 4};
  if (storages && !rox_rewrite_open(model, storages, count, location, &made, error)) put_together(storages, made, limits);
  rox_rewrite_close(made);
  free(storages);
}

static void examine(mutant *m) {
  /* A block of its very size: the sanitizer sees each byte read beyond. */
  uint8_t *copy = malloc(m->size);
  if (m->size) memcpy(copy, m->data, m->size);
  rox_limits limits = {SIZE_MAX, 64u << 20, 1u << 20};
  rox_error error;
  rox_model *model = NULL;
  m->stage = 0;
  m->status = (int)rox_model_open(copy, m->size, &limits, &model, &error);
  if (m->status) {
    touch(error.subject, strlen(error.subject));
    touch(error.expected, strlen(error.expected));
    touch(error.found, strlen(error.found));
    free(copy);
    return;
  }
  m->stage = 1;
  touch_text(rox_producer(model));
  touch_text(rox_graph_name(model));
  for (size_t i = 0; i < rox_metadata_count(model); i++) {
    rox_text key, value;
    rox_metadata_at(model, i, &key, &value);
    touch_text(key);
    touch_text(value);
  }
  for (int side = 0; side < 2; side++) {
    for (size_t i = 0; i < rox_value_count(model, (rox_side)side); i++) {
      rox_text name;
      int32_t type;
      rox_value_at(model, (rox_side)side, i, &name, &type);
      touch_text(name);
    }
  }
  for (size_t i = 0; i < rox_tensor_count(model); i++) read_tensor(model, i, &error);
  m->stage = 2;
  char reason[1024];
  m->status = 100 + (int)rox_model_check(model, reason, sizeof reason);
  touch(reason, strlen(reason));
  m->stage = 3;
  rewrite(m, model, &limits, &error);
  rox_model_close(model);
  free(copy);
  m->stage = 4;
}

#ifdef BY_COVERAGE
/* libFuzzer's own main() calls it with what it makes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  mutant m = {.data = data, .size = size};
  examine(&m);
  return 0;
}
#else
int main(int argc, char **argv) { return serve(argc, argv, examine); }
#endif
