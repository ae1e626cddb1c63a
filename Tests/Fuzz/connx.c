/* Reads a mutant through connx.h alone, for a build with AddressSanitizer. Stages: 0 open, 1 read, 2 check, 4 done. */
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
  rox_model_close(model);
  free(copy);
  m->stage = 4;
}

int main(int argc, char **argv) { return serve(argc, argv, examine); }
