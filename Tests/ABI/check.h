/*
 * The smallest of test frameworks: CHECK counts, prints what does not hold, and goes on.
 */
#ifndef RALLY_TEST_CHECK_H
#define RALLY_TEST_CHECK_H

#include <rally.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

extern int checks_made, checks_failed;

#define CHECK(condition)                                                             \
  do {                                                                               \
    checks_made++;                                                                   \
    if (!(condition)) {                                                              \
      checks_failed++;                                                               \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
    }                                                                                \
  } while (0)

#define CHECK_STATUS(call, expected)                                                                                  \
  do {                                                                                                                \
    rally_status found_ = (call);                                                                                     \
    checks_made++;                                                                                                    \
    if (found_ != (expected)) {                                                                                       \
      checks_failed++;                                                                                                \
      fprintf(stderr, "%s:%d: %s\n  expected %s, found %s\n", __FILE__, __LINE__, #call, rally_status_name(expected), \
              rally_status_name(found_));                                                                             \
    }                                                                                                                 \
  } while (0)

/* Paths of a language model and of a rater, both with a tokenizer. */
extern const char *language_model_path, *rater_path;

/* Opened once for all tests; no test closes them. */
extern rally_model *language_model, *rater;

/* An initialised error. */
static inline rally_error make_error(void) {
  rally_error error;
  rally_error_init(&error, sizeof error);
  return error;
}

/* A path in a folder; the answer lives until the third next call. */
static inline const char *path_in(const char *folder, const char *name) {
  static char paths[3][256];
  static int turn = 0;
  char *path = paths[turn++ % 3];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

/* A pointer one byte off; volatile, so that no compiler reasons about it. */
static inline void *misaligned(void *pointer) {
  volatile uintptr_t address = (uintptr_t)pointer + 1;
  return (void *)address;
}

/* A request for `count` tokens after the two of `greeting`. */
extern const int32_t greeting[2];
rally_request make_request(size_t count);

/* One file of tests each. */
void test_layout(void);
void test_struct_sizes(void);
void test_null(void);
void test_arguments(void);
void test_handles(void);
void test_fork(void);
void test_threads(void);
void test_files(void);
void test_text(void);
void test_results(void);
void test_documents(void);
void test_select(void);
void test_cascade(void);
void test_identity(void);
void test_stop_strings(void);
void test_distributions(void);
void test_lineage(void);
void test_exposure(void);
void test_quantize(void);
void test_pool(void);
void test_room(void);
void test_prepare(void);
void test_engine(void);
void test_engine_arguments(void);
void test_engine_states(void);
void test_engine_threads(void);
void test_engine_server(void);
void test_floating_point(void);
void test_coroutines(void);

#endif
