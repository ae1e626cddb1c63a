/*
 * The functions of connx.h, by the reader in librally-onnx.so.0, which is opened when the first file is.
 *
 * libonnx and libprotobuf stand in that file's scope, not in the host's: a host may load its own of either, before or after.
 * Programs that only compute never open it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <rally.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "../COnnx/Reader.h"
#include "chost.h"

#define READER_FILE "librally-onnx.so.0"

/* What opening it takes: 7 MB of mapped files, and what libprotobuf and libonnx allocate when they start. */
#define READER_BYTES ((size_t)24 << 20)

#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#else
#define MULTIARCH "lib"
#endif

/* Where it lies, seen from the folder of the file that holds this code: a build and a wheel, an installed library, an installed
 * program. */
static const char *const places[] = {"", "rally/", "../lib/rally/", "../lib/" MULTIARCH "/rally/", "../lib64/rally/"};

static _Atomic(const rox_reader *) opened;

static rox_status fail(rox_error *error, rox_status status, const char *expected, const char *found) {
  snprintf(error->subject, sizeof error->subject, "%s", READER_FILE);
  snprintf(error->expected, sizeof error->expected, "%s", expected);
  snprintf(error->found, sizeof error->found, "%s", found);
  return status;
}

/* The folder of the file that holds this code, with its slash; false where the system does not say. */
static int own_folder(char folder[PATH_MAX]) {
  Dl_info info;
  if (!dladdr((const void *)&opened, &info) || !info.dli_fname) return 0;
  const char *name = info.dli_fname;
  /* A program that was found by PATH has a name without a folder. */
  if (!strchr(name, '/')) {
    name = (const char *)getauxval(AT_EXECFN);
    if (!name || !strchr(name, '/')) return 0;
  }
  if (!realpath(name, folder)) return 0;
  strrchr(folder, '/')[1] = '\0';
  return 1;
}

static const rox_reader *table_of(void *library) {
  const rox_reader *(*get)(void) = NULL;
  *(void **)&get = dlsym(library, ROX_READER_SYMBOL);
  return get ? get() : NULL;
}

/* Its handle; NULL with the system's words in `found`. */
static void *open_library(char found[320]) {
  char folder[PATH_MAX], path[PATH_MAX + 64];
  const int known = own_folder(folder);
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    /* The loader has its own idea of the folder, from when it loaded this file. */
    for (int own = known; own >= 0; own--) {
      snprintf(path, sizeof path, "%s%s%s", own ? folder : "$ORIGIN/", places[i], READER_FILE);
      if (own && access(path, F_OK) != 0) continue;
      void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
      if (library) return library;
      const char *reason = dlerror();
      if (!own && i > 0) continue;
      snprintf(found, 320, "%s", reason ? reason : "none");
      if (own) return NULL;
    }
  }
  return NULL;
}

static rox_status open_reader(rox_error *error) {
  if (!rh_has_headroom(READER_BYTES)) {
    return fail(error, ROX_OUT_OF_MEMORY, "24 MB of memory to read a model file", "less");
  }
  char found[320] = "none";
  void *library = open_library(found);
  if (!library) return fail(error, ROX_NO_READER, "the file next to the library of Rally", found);
  const rox_reader *reader = table_of(library);
  if (!reader || reader->byte_count != sizeof *reader || reader->version != ROX_READER_VERSION) {
    return fail(error, ROX_NO_READER, "the file of this version of Rally", "another version of it");
  }
  atomic_store_explicit(&opened, reader, memory_order_release);
  return ROX_OK;
}

/* Whoever has a model has opened the reader. */
static const rox_reader *reader(void) { return atomic_load_explicit(&opened, memory_order_acquire); }

/* libprotobuf and libonnx make their tables when they are first asked, behind locks that no handler of a fork knows. */
rox_status rox_model_open(const void *data, size_t size, const rox_limits *limits, rox_model **model, rox_error *error) {
  rh_hold_forks();
  rox_status status = reader() ? ROX_OK : open_reader(error);
  if (status == ROX_OK) status = reader()->model_open(data, size, limits, model, error);
  rh_release_forks();
  return status;
}

void rox_model_close(rox_model *model) {
  if (model) reader()->model_close(model);
}

int64_t rox_ir_version(const rox_model *model) { return reader()->ir_version(model); }
int64_t rox_opset_version(const rox_model *model) { return reader()->opset_version(model); }
rox_text rox_producer(const rox_model *model) { return reader()->producer(model); }
rox_text rox_graph_name(const rox_model *model) { return reader()->graph_name(model); }
int rox_has_graph(const rox_model *model) { return reader()->has_graph(model); }
size_t rox_node_count(const rox_model *model) { return reader()->node_count(model); }
size_t rox_metadata_count(const rox_model *model) { return reader()->metadata_count(model); }

void rox_metadata_at(const rox_model *model, size_t index, rox_text *key, rox_text *value) {
  reader()->metadata_at(model, index, key, value);
}

size_t rox_value_count(const rox_model *model, rox_side side) { return reader()->value_count(model, side); }

void rox_value_at(const rox_model *model, rox_side side, size_t index, rox_text *name, int32_t *element_type) {
  reader()->value_at(model, side, index, name, element_type);
}

size_t rox_tensor_count(const rox_model *model) { return reader()->tensor_count(model); }

void rox_tensor_at(const rox_model *model, size_t index, rox_tensor *tensor) { reader()->tensor_at(model, index, tensor); }

rox_status rox_tensor_read(const rox_model *model, size_t index, void *out, rox_error *error) {
  return reader()->tensor_read(model, index, out, error);
}

int rox_string_next(const rox_model *model, size_t index, size_t *cursor, rox_text *text) {
  return reader()->string_next(model, index, cursor, text);
}

rox_check_result rox_model_check(const rox_model *model, char *reason, size_t capacity) {
  rh_hold_forks();
  const rox_check_result result = reader()->model_check(model, reason, capacity);
  rh_release_forks();
  return result;
}

rox_status rox_rewrite_open(const rox_model *model, const rox_storage *storages, size_t count, rox_text location,
                            rox_rewrite **rewrite, rox_error *error) {
  rh_hold_forks();
  const rox_status status = reader()->rewrite_open(model, storages, count, location, rewrite, error);
  rh_release_forks();
  return status;
}

void rox_rewrite_close(rox_rewrite *rewrite) {
  if (rewrite) reader()->rewrite_close(rewrite);
}

size_t rox_rewrite_piece_count(const rox_rewrite *rewrite) { return reader()->rewrite_piece_count(rewrite); }

void rox_rewrite_piece_at(const rox_rewrite *rewrite, size_t index, rox_piece *piece) {
  reader()->rewrite_piece_at(rewrite, index, piece);
}
