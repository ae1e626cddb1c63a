/* Selection through the header: what comes back, and every wrong argument. */
#include "check.h"
#include <math.h>

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

void test_select(void) {
  test_counts();
  test_best();
  test_acceptance();
  test_decisions();
}
