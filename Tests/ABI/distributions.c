/* Distributions through the header: what comes back, every wrong argument, in a forked child and among threads. */
#include "check.h"
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT = 20000 };

static rally_distribution_info info_of(const rally_distribution *distribution) {
  rally_distribution_info info;
  rally_distribution_info_init(&info, sizeof info);
  CHECK_STATUS(rally_distribution_get_info(distribution, &info, NULL), RALLY_OK);
  return info;
}

static void test_contents(void) {
  static float scores[COUNT];
  for (size_t i = 0; i < COUNT; i++) scores[i] = (float)(i * 7919 % COUNT);
  rally_distribution *one = NULL, *other = NULL, *stranger = NULL, *loaded = NULL;
  CHECK_STATUS(rally_distribution_open("rater:document", 0, &one, NULL), RALLY_OK);
  CHECK_STATUS(rally_distribution_open("rater:document", 4096, &other, NULL), RALLY_OK);
  CHECK_STATUS(rally_distribution_open(NULL, 0, &stranger, NULL), RALLY_OK);
  CHECK_STATUS(rally_distribution_add(one, scores, COUNT / 2, NULL), RALLY_OK);
  CHECK_STATUS(rally_distribution_add(other, scores + COUNT / 2, COUNT / 2, NULL), RALLY_OK);
  CHECK_STATUS(rally_distribution_merge(one, other, NULL), RALLY_OK);
  CHECK_STATUS(rally_distribution_merge(one, stranger, NULL), RALLY_MISMATCH);
  const rally_distribution_info info = info_of(one);
  CHECK(!strcmp(info.label, "rater:document") && info.capacity == 4096 && info.count == COUNT);
  CHECK(info.minimum == 0 && info.maximum == COUNT - 1 && info.rank_error > 0 && info.rank_error < 0.002);
  CHECK(info_of(other).count == COUNT / 2 && isnan(info_of(stranger).minimum));

  double p[3] = {7, 7, 7};
  const float probes[] = {-1, COUNT / 4, COUNT};
  CHECK_STATUS(rally_distribution_cdf(one, probes, 3, p, NULL), RALLY_OK);
  CHECK(p[0] == 0 && fabs(p[1] - 0.25) <= info.rank_error + 1.0 / COUNT && p[2] == 1);
  const double shares[] = {0, 0.5, 1};
  float found[3] = {7, 7, 7};
  CHECK_STATUS(rally_distribution_quantile(one, shares, 3, found, NULL), RALLY_OK);
  CHECK(found[0] == 0 && fabs(found[1] / COUNT - 0.5) <= info.rank_error + 1.0 / COUNT && found[2] == COUNT - 1);

  size_t size = 0, written = 0;
  CHECK_STATUS(rally_distribution_save(one, NULL, 0, &size, NULL), RALLY_OK);
  char *data = malloc(size);
  CHECK_STATUS(rally_distribution_save(one, data, size - 1, &written, NULL), RALLY_BUFFER_TOO_SMALL);
  CHECK_STATUS(rally_distribution_save(one, data, size, &written, NULL), RALLY_OK);
  CHECK(written == size);
  CHECK_STATUS(rally_distribution_load(data, size, &loaded, NULL), RALLY_OK);
  CHECK(info_of(loaded).count == COUNT && info_of(loaded).rank_error == info.rank_error);
  rally_distribution_close(loaded);
  loaded = NULL;
  data[size / 2] ^= 1;
  CHECK_STATUS(rally_distribution_load(data, size, &loaded, NULL), RALLY_CORRUPT_FILE);
  CHECK_STATUS(rally_distribution_load(data, 3, &loaded, NULL), RALLY_CORRUPT_FILE);
  CHECK_STATUS(rally_distribution_load(NULL, 0, &loaded, NULL), RALLY_CORRUPT_FILE);
  CHECK(loaded == NULL);
  free(data);

  CHECK_STATUS(rally_distribution_cdf(stranger, probes, 3, p, NULL), RALLY_EMPTY_INPUT);
  rally_distribution_close(one);
  rally_distribution_close(one);
  CHECK_STATUS(rally_distribution_add(one, scores, 1, NULL), RALLY_CLOSED);
  rally_distribution_close(other);
  rally_distribution_close(stranger);
}

static void test_wrong(void) {
  rally_distribution *one = NULL;
  const float nan[] = {1, NAN};
  const double outside[] = {0.5, 1.5};
  double p[2] = {7, 7};
  float scores[2] = {7, 7};
  size_t size = 7;
  const size_t wrong[] = {1, 6, 9, (1u << 20) + 2, SIZE_MAX};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    CHECK_STATUS(rally_distribution_open("", wrong[i], &one, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_distribution_open("\xff", 0, &one, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_distribution_open("", 0, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK(one == NULL);
  CHECK_STATUS(rally_distribution_open("", 8, &one, NULL), RALLY_OK);
  CHECK_STATUS(rally_distribution_add(one, nan, 2, NULL), RALLY_NOT_FINITE);
  CHECK(info_of(one).count == 0);
  CHECK_STATUS(rally_distribution_add(one, NULL, 2, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_distribution_add(one, NULL, 0, NULL), RALLY_OK);
  CHECK_STATUS(rally_distribution_add(one, nan, 1, NULL), RALLY_OK);
  CHECK_STATUS(rally_distribution_cdf(one, nan, 2, p, NULL), RALLY_NOT_FINITE);
  CHECK_STATUS(rally_distribution_cdf(one, nan, 1, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_distribution_quantile(one, outside, 2, scores, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_distribution_quantile(one, outside, 1, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_distribution_get_info(one, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_distribution_save(one, NULL, 0, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_distribution_merge(one, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_distribution_merge(NULL, one, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_distribution_add(NULL, nan, 1, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_distribution_cdf(NULL, nan, 1, p, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_distribution_quantile(NULL, outside, 1, scores, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_distribution_save(NULL, NULL, 0, &size, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_distribution_load("a", 1, NULL, NULL), RALLY_CORRUPT_FILE);
  /* A handle of another kind is none of these. */
  CHECK_STATUS(rally_distribution_add((rally_distribution *)rater, nan, 1, NULL), RALLY_CLOSED);
  rally_distribution_close((rally_distribution *)rater);
  rally_distribution_close(NULL);
  CHECK(p[0] == 7 && scores[0] == 7 && size == 7);
  rally_distribution_close(one);
}

/* In the child the parent's distribution is foreign, and one of its own works. */
static int child(rally_distribution *parents) {
  const float score = 1;
  double p = 0;
  rally_distribution *own = NULL;
  if (rally_distribution_add(parents, &score, 1, NULL) != RALLY_FORKED) return 1;
  if (rally_distribution_open("", 0, &own, NULL) || rally_distribution_add(own, &score, 1, NULL)) return 2;
  if (rally_distribution_merge(own, parents, NULL) != RALLY_FORKED) return 3;
  if (rally_distribution_cdf(own, &score, 1, &p, NULL) || p != 0.5) return 4;
  rally_distribution_close(parents); /* must neither hang nor crash */
  rally_distribution_close(own);
  return 0;
}

static void test_forked(void) {
  rally_distribution *distribution = NULL;
  CHECK_STATUS(rally_distribution_open("", 0, &distribution, NULL), RALLY_OK);
  fflush(NULL);
  pid_t process = fork();
  if (process == 0) {
    alarm(600);
    _exit(child(distribution));
  }
  int status = 0;
  CHECK(process > 0 && waitpid(process, &status, 0) == process);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK(info_of(distribution).count == 0);
  rally_distribution_close(distribution);
}

enum { WRITERS = 4, ROUNDS = 200 };

static void *write_and_read(void *distribution) {
  const float scores[] = {1, 2, 3};
  double p[3] = {0};
  for (int i = 0; i < ROUNDS; i++) {
    rally_distribution_add(distribution, scores, 3, NULL);
    rally_distribution_cdf(distribution, scores, 3, p, NULL);
  }
  return NULL;
}

/* Writers and readers on one distribution: nothing is lost. */
static void test_shared(void) {
  rally_distribution *distribution = NULL;
  pthread_t threads[WRITERS];
  CHECK_STATUS(rally_distribution_open("", 64, &distribution, NULL), RALLY_OK);
  for (int i = 0; i < WRITERS; i++) CHECK(!pthread_create(&threads[i], NULL, write_and_read, distribution));
  for (int i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
  CHECK(info_of(distribution).count == 3 * WRITERS * ROUNDS);
  rally_distribution_close(distribution);
}

void test_distributions(void) {
  test_contents();
  test_wrong();
  test_forked();
  test_shared();
}
