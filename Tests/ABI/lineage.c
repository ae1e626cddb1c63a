/* Whether two models share an initialisation: files, matrices, reports, and what is refused. */
#include "check.h"
#include <math.h>
#include <stdlib.h>

enum { UNITS = 64, WIDTH = 32 };

static float first[UNITS * WIDTH], second[UNITS * WIDTH], third[UNITS * WIDTH];

/* Sums of twelve uniform numbers: normal enough. */
static void fill(float *values, uint64_t seed) {
  for (size_t i = 0; i < UNITS * WIDTH; i++) {
    double sum = -6;
    for (int k = 0; k < 12; k++) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      sum += (double)(seed >> 33) / 2147483648.0;
    }
    values[i] = (float)sum;
  }
}

static rally_matrix make_matrix(const char *name, const char *set, const float *data) {
  rally_matrix matrix;
  rally_matrix_init(&matrix, sizeof matrix);
  matrix.name = name;
  matrix.set = set;
  matrix.data = data;
  matrix.rows = UNITS;
  matrix.columns = WIDTH;
  return matrix;
}

static rally_lineage_result result_of(rally_lineage_report *report) {
  rally_lineage_result result;
  rally_lineage_result_init(&result, sizeof result);
  CHECK_STATUS(rally_lineage_get_result(report, &result, NULL), RALLY_OK);
  return result;
}

static rally_lineage_entry entry_of(rally_lineage_report *report, rally_lineage_kind kind, size_t index) {
  rally_lineage_entry entry;
  rally_lineage_entry_init(&entry, sizeof entry);
  CHECK_STATUS(rally_lineage_entry_at(report, kind, index, &entry, NULL), RALLY_OK);
  return entry;
}

static void test_matrices(void) {
  rally_lineage_options options;
  rally_lineage_options_init(&options, sizeof options);
  CHECK(options.permutations == 9999 && options.seed == 0 && options.threads == 0);
  const rally_matrix a[] = {make_matrix("up", "layer", first), make_matrix("gate", "layer", second),
                            make_matrix("head", NULL, third)};
  rally_lineage_report *report = NULL;
  CHECK_STATUS(rally_lineage_matrices(a, 3, a, 3, NULL, &report, NULL), RALLY_OK);
  rally_lineage_result result = result_of(report);
  CHECK(result.verdict == RALLY_LINEAGE_STRONG && result.p < 1.001e-4 && result.rho > 0.95);
  CHECK(result.tensor_count == 2 && result.set_count == 1 && result.head_count == 1 && result.permutations == 9999);
  const rally_lineage_entry set = entry_of(report, RALLY_LINEAGE_SETS, 0);
  const rally_lineage_entry up = entry_of(report, RALLY_LINEAGE_TENSORS, 0);
  const rally_lineage_entry head = entry_of(report, RALLY_LINEAGE_HEAD, 0);
  CHECK(!strcmp(set.name, "layer") && !strcmp(up.name, "up") && !strcmp(up.set, "layer") && !strcmp(head.name, "head"));
  CHECK(set.units == UNITS && set.all_units == UNITS && set.reached == 0 && set.p == 1e-4);
  CHECK(up.z > 20 && set.z > up.z && fabs(up.rho - 1) < 0.05);
  CHECK(strstr(rally_lineage_verdict_text(result.verdict), "shared") != NULL);
  rally_lineage_close(report);
  CHECK_STATUS(rally_lineage_get_result(report, &result, NULL), RALLY_CLOSED);
  rally_lineage_close(report);
  rally_lineage_close(NULL);

  /* Others: not seen. The same seed, another number of threads: the same report. */
  const rally_matrix b[] = {make_matrix("up", "layer", third), make_matrix("gate", "layer", first)};
  double p[2], z[2];
  for (uint32_t threads = 1; threads <= 2; threads++) {
    options.threads = threads;
    options.seed = 5;
    CHECK_STATUS(rally_lineage_matrices(a, 2, b, 2, &options, &report, NULL), RALLY_OK);
    result = result_of(report);
    CHECK(result.verdict == RALLY_LINEAGE_NOT_SEEN && result.seed == 5 && result.head_count == 0);
    p[threads - 1] = result.p;
    z[threads - 1] = entry_of(report, RALLY_LINEAGE_SETS, 0).z;
    rally_lineage_close(report);
  }
  CHECK(p[0] == p[1] && z[0] == z[1] && fabs(z[0]) < 4);
}

static int32_t stop(void *user, uint64_t done, uint64_t total) {
  CHECK(done <= total);
  ++*(int *)user;
  return 1;
}

static void test_paths(void) {
  rally_lineage_report *report = NULL;
  rally_error error = make_error();
  CHECK_STATUS(rally_lineage(language_model_path, language_model_path, NULL, &report, &error), RALLY_OK);
  const rally_lineage_result result = result_of(report);
  CHECK(result.verdict == RALLY_LINEAGE_STRONG && result.tensor_count > result.set_count && result.set_count > 1);
  rally_lineage_close(report);
  rally_lineage_report *const untouched = (rally_lineage_report *)&error;
  report = untouched;
  CHECK_STATUS(rally_lineage(language_model_path, rater_path, NULL, &report, &error), RALLY_MISMATCH);
  CHECK_STATUS(rally_lineage("no such file", rater_path, NULL, &report, &error), RALLY_FILE_NOT_FOUND);
  CHECK_STATUS(rally_lineage("/", rater_path, NULL, &report, &error), RALLY_FILE_NOT_FOUND);
  CHECK_STATUS(rally_lineage(NULL, rater_path, NULL, &report, &error), RALLY_INVALID_ARGUMENT);
  rally_lineage_options options;
  rally_lineage_options_init(&options, sizeof options);
  int calls = 0;
  options.progress = stop;
  options.progress_user = &calls;
  CHECK_STATUS(rally_lineage(rater_path, rater_path, &options, &report, &error), RALLY_CANCELLED);
  CHECK(calls == 1 && report == untouched);
}

static void test_wrong(void) {
  rally_error error = make_error();
  rally_lineage_report *report = NULL;
  const rally_matrix good = make_matrix("up", NULL, first);
  rally_matrix bad = good;
#define REFUSED(expected) CHECK_STATUS(rally_lineage_matrices(&good, 1, &bad, 1, NULL, &report, &error), expected)
  bad.columns = WIDTH / 2;
  REFUSED(RALLY_MISMATCH);
  CHECK(strstr(error.message, "[64, 32]") && strstr(error.message, "[64, 16]"));
  bad = make_matrix("down", NULL, first);
  REFUSED(RALLY_MISMATCH);
  bad = good;
  bad.rows = SIZE_MAX;
  REFUSED(RALLY_INVALID_ARGUMENT);
  bad.rows = (size_t)1 << 62;
  REFUSED(RALLY_INVALID_ARGUMENT);
  bad.rows = 0;
  REFUSED(RALLY_INVALID_SHAPE);
  bad = good;
  bad.data = NULL;
  REFUSED(RALLY_INVALID_ARGUMENT);
  bad.data = misaligned(first);
  REFUSED(RALLY_INVALID_ARGUMENT);
  bad = good;
  bad.name = NULL;
  REFUSED(RALLY_INVALID_ARGUMENT);
  bad = good;
  bad.struct_size = 3;
  REFUSED(RALLY_INVALID_ARGUMENT);
  bad = make_matrix("up", NULL, second);
  second[7] = NAN;
  REFUSED(RALLY_NOT_FINITE);
  CHECK(strstr(error.message, "up") != NULL);
  for (size_t i = 0; i < UNITS * WIDTH; i++) second[i] = (float)(i % WIDTH);
  REFUSED(RALLY_INVALID_VALUE);
  memset(second, 0, sizeof second);
  REFUSED(RALLY_INVALID_VALUE);
  fill(second, 2);
#undef REFUSED
  const rally_matrix twice[] = {good, good};
  CHECK_STATUS(rally_lineage_matrices(twice, 2, twice, 2, NULL, &report, &error), RALLY_DUPLICATE_TENSOR);
  CHECK_STATUS(rally_lineage_matrices(&good, 1, &good, 0, NULL, &report, &error), RALLY_EMPTY_INPUT);
  CHECK_STATUS(rally_lineage_matrices(NULL, 1, &good, 1, NULL, &report, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_lineage_matrices(&good, 1, &good, 1, NULL, NULL, &error), RALLY_INVALID_ARGUMENT);
  rally_matrix one = good, few = good;
  one.rows = 1;
  few.rows = 4;
  CHECK_STATUS(rally_lineage_matrices(&one, 1, &one, 1, NULL, &report, &error), RALLY_INVALID_SHAPE);
  CHECK_STATUS(rally_lineage_matrices(&few, 1, &few, 1, NULL, &report, &error), RALLY_UNSUPPORTED);
  rally_lineage_options options;
  const uint64_t counts[] = {0, 99, UINT64_MAX};
  for (size_t i = 0; i < 3; i++) {
    rally_lineage_options_init(&options, sizeof options);
    options.permutations = counts[i];
    CHECK_STATUS(rally_lineage_matrices(&good, 1, &good, 1, &options, &report, &error), RALLY_INVALID_ARGUMENT);
  }
  CHECK(report == NULL && rally_lineage_verdict_text((rally_lineage_verdict)9) == NULL);

  CHECK_STATUS(rally_lineage_matrices(&good, 1, &good, 1, NULL, &report, &error), RALLY_OK);
  rally_lineage_entry entry;
  rally_lineage_entry_init(&entry, sizeof entry);
  CHECK_STATUS(rally_lineage_entry_at(report, RALLY_LINEAGE_HEAD, 0, &entry, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_lineage_entry_at(report, RALLY_LINEAGE_SETS, SIZE_MAX, &entry, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_lineage_entry_at(report, (rally_lineage_kind)9, 0, &entry, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_lineage_entry_at(NULL, RALLY_LINEAGE_SETS, 0, &entry, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_lineage_entry_at(report, RALLY_LINEAGE_SETS, 0, NULL, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_lineage_get_result(report, NULL, &error), RALLY_INVALID_ARGUMENT);
  rally_lineage_close(report);
}

void test_lineage(void) {
  fill(first, 1);
  fill(second, 2);
  fill(third, 3);
  test_matrices();
  test_paths();
  test_wrong();
}
