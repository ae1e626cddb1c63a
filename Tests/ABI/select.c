/* Selection and distributions through the header: what comes back, and every wrong argument. */
#include "check.h"
#include <math.h>
#include <stdlib.h>

enum { COUNT = 20000 };

static void test_counts(void) {
  size_t count = 7;
  CHECK_STATUS(rally_draw_count(1, 0.9, &count, NULL), RALLY_OK);
  CHECK(count == 10);
  CHECK_STATUS(rally_draw_count(128, 0.1, &count, NULL), RALLY_OK);
  CHECK(count == 143);
  CHECK_STATUS(rally_draw_count(1, 1.0, &count, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_draw_count(1, NAN, &count, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_draw_count(SIZE_MAX, 0.5, &count, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_draw_count(SIZE_MAX / 2, 0.5, &count, NULL), RALLY_LIMIT_EXCEEDED);
  CHECK_STATUS(rally_draw_count(1, 0.5, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK(count == 143);

  double cost = 7;
  CHECK_STATUS(rally_rating_cost(50e6, 50e6, 0.75, &cost, NULL), RALLY_OK);
  CHECK(fabs(cost - 4.0 / 3) < 1e-15);
  CHECK_STATUS(rally_rating_cost(0, 1, 0.5, &cost, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_rating_cost(1, NAN, 0.5, &cost, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_rating_cost(1, 1, 0.5, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK(fabs(cost - 4.0 / 3) < 1e-15);
}

static void test_best(void) {
  const float scores[] = {1, 5, 5, -INFINITY, 5, INFINITY}, wrong[] = {1, NAN}, infinite[] = {1, INFINITY};
  size_t kept[6] = {7, 7, 7, 7, 7, 7};
  float weights[4] = {7, 7, 7, 7};
  rally_error error = make_error();
  CHECK_STATUS(rally_select_top(scores, 6, 3, kept, NULL), RALLY_OK);
  CHECK(kept[0] == 1 && kept[1] == 2 && kept[2] == 5 && kept[3] == 7);
  CHECK_STATUS(rally_select_top(scores, 6, 0, NULL, NULL), RALLY_OK);
  CHECK_STATUS(rally_select_top(scores, 6, 7, kept, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_select_top(scores, 0, 0, kept, NULL), RALLY_EMPTY_INPUT);
  CHECK_STATUS(rally_select_top(wrong, 2, 1, kept, &error), RALLY_NOT_FINITE);
  CHECK(strstr(error.message, "place 1") != NULL);
  CHECK_STATUS(rally_select_top(scores, 6, 2, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_select_top(NULL, 6, 2, kept, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_select_top(scores, SIZE_MAX, 2, kept, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_select_top(misaligned((void *)scores), 5, 2, kept, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_select_top(scores, 6, 2, misaligned(kept), NULL), RALLY_INVALID_ARGUMENT);
  CHECK(kept[0] == 1 && kept[1] == 2);

  const float equal[] = {2, 2, 2, 2};
  CHECK_STATUS(rally_softmax_weights(equal, 4, weights, NULL), RALLY_OK);
  for (int i = 0; i < 4; i++) CHECK(weights[i] == 0.25f);
  CHECK_STATUS(rally_softmax_weights(infinite, 2, weights, NULL), RALLY_NOT_FINITE);
  CHECK_STATUS(rally_softmax_weights(equal, 0, weights, NULL), RALLY_EMPTY_INPUT);
  CHECK_STATUS(rally_softmax_weights(equal, 4, NULL, NULL), RALLY_INVALID_ARGUMENT);
}

static void test_acceptance(void) {
  const double p[] = {0, 0.25, 1}, wrong[] = {0.5, NAN};
  double found[3] = {7, 7, 7};
  /* One of three stays: the two others are below with p^2. */
  CHECK_STATUS(rally_acceptance(p, 3, 3, 1, found, NULL), RALLY_OK);
  CHECK(found[0] == 0 && fabs(found[1] - 0.0625) < 1e-16 && found[2] == 1);
  CHECK_STATUS(rally_acceptance(p, 3, 3, 0, found, NULL), RALLY_OK);
  CHECK(found[2] == 0);
  CHECK_STATUS(rally_acceptance(p, 3, 3, 3, found, NULL), RALLY_OK);
  CHECK(found[0] == 1);
  CHECK_STATUS(rally_acceptance(wrong, 2, 3, 1, found, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_acceptance(p, 3, 3, 4, found, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_acceptance(p, 3, 0, 0, found, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_acceptance(p, 3, SIZE_MAX, 1, found, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_acceptance(p, 3, 3, 1, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_acceptance(NULL, 0, 3, 1, NULL, NULL), RALLY_OK);
  CHECK(found[0] == 1);
}

static void test_decisions(void) {
  const size_t offsets[] = {0, 1, 1, 3}, descending[] = {0, 2, 1, 3}, late[] = {1, 1, 1, 3};
  const double p[] = {0.5, 1, 0}, wrong[] = {0.5, 2, 0};
  uint8_t keeps[3] = {7, 7, 7}, again[3] = {7, 7, 7};
  CHECK_STATUS(rally_decide("abc", offsets, p, 3, "rater", 3, keeps, NULL), RALLY_OK);
  CHECK(keeps[0] <= 1 && keeps[1] == 1 && keeps[2] == 0);
  CHECK_STATUS(rally_decide("abc", offsets, p, 1, "rater", 3, again, NULL), RALLY_OK);
  CHECK(again[0] == keeps[0] && again[1] == 7);
  CHECK_STATUS(rally_decide("abc", descending, p, 3, "rater", 3, again, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_decide("abc", late, p, 3, "rater", 3, again, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_decide("abc", offsets, wrong, 3, "rater", 3, again, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_decide(NULL, offsets, p, 3, "rater", 3, again, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_decide("abc", NULL, p, 3, "rater", 3, again, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_decide("abc", offsets, NULL, 3, "rater", 3, again, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_decide("abc", offsets, p, 3, NULL, 3, again, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_decide("abc", offsets, p, 3, "\xff", 3, again, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_decide("abc", offsets, p, SIZE_MAX, "rater", 3, again, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_decide("abc", offsets, p, 3, "rater", 3, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_decide(NULL, NULL, NULL, 0, "rater", 3, NULL, NULL), RALLY_OK);
  CHECK(again[1] == 7 && again[2] == 7);
}

static rally_distribution_info info_of(const rally_distribution *distribution) {
  rally_distribution_info info;
  rally_distribution_info_init(&info, sizeof info);
  CHECK_STATUS(rally_distribution_get_info(distribution, &info, NULL), RALLY_OK);
  return info;
}

static void test_distribution(void) {
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

static void test_wrong_distributions(void) {
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

void test_select(void) {
  test_counts();
  test_best();
  test_acceptance();
  test_decisions();
  test_distribution();
  test_wrong_distributions();
}
