/* Two raters for one cut through the header: the band, the scores of both, and every wrong argument. */
#include "check.h"
#include <math.h>
#include <stdlib.h>

enum { COUNT = 2000 };

/* Two views of one quality: pseudorandom numbers, the same everywhere. */
static void fill_scores(float *cheap, float *expensive) {
  uint64_t state = 7;
  for (int i = 0; i < COUNT; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const float quality = (float)(state >> 40) / (1 << 24), noise = (float)((state >> 16) & 0xFFFF) / 65536;
    expensive[i] = quality;
    cheap[i] = quality + 0.05f * (noise - 0.5f);
  }
}

static void test_band(const float *cheap, const float *expensive) {
  rally_cascade band;
  rally_cascade_init(&band, sizeof band);
  CHECK_STATUS(rally_cascade_choose(cheap, expensive, COUNT, 0.5, 0.98, 0.9, &band, NULL), RALLY_OK);
  CHECK(band.lower < band.upper && band.lower > 0.4f && band.upper < 0.6f);
  CHECK(band.agreement >= 0.98 && band.observed > 0.97 && band.band < 0.2);
  CHECK(band.discard == 0.5 && band.confidence == 0.9 && band.sample_count == COUNT);
  CHECK(fabsf(band.middle - 0.5f) < 0.05f && fabsf(band.spread - 0.5f) < 0.05f);

  float scores[COUNT], *own = malloc(COUNT * sizeof *own);
  int inside = 0;
  for (int i = 0; i < COUNT; i++) {
    const int reads = cheap[i] >= band.lower && cheap[i] < band.upper;
    inside += reads;
    own[i] = reads ? expensive[i] : NAN;
  }
  CHECK_STATUS(rally_cascade_scores(&band, cheap, own, COUNT, scores, NULL), RALLY_OK);
  CHECK(inside > 0 && inside < COUNT / 5);
  for (int i = 0; i < COUNT; i++) {
    const int reads = own[i] == own[i];
    CHECK(reads ? scores[i] >= band.lower && scores[i] < band.upper : scores[i] == cheap[i]);
  }
  CHECK_STATUS(rally_cascade_scores(&band, cheap, own, 0, NULL, NULL), RALLY_OK);
  CHECK_STATUS(rally_cascade_scores(&band, cheap, own, COUNT, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_cascade_scores(NULL, cheap, own, COUNT, scores, NULL), RALLY_INVALID_ARGUMENT);
  for (int i = 0; i < COUNT; i++) own[i] = NAN;
  CHECK_STATUS(rally_cascade_scores(&band, cheap, own, COUNT, scores, NULL), RALLY_NOT_FINITE);
  band.spread = 0;
  CHECK_STATUS(rally_cascade_scores(&band, cheap, expensive, COUNT, scores, NULL), RALLY_INVALID_ARGUMENT);
  free(own);
}

static void test_wrong_samples(const float *cheap, const float *expensive) {
  rally_cascade band;
  rally_cascade_init(&band, sizeof band);
  band.lower = 7;
  const float nan[4] = {1, 2, NAN, 4};
  CHECK_STATUS(rally_cascade_choose(cheap, expensive, 3, 0.5, 0.99, 0.95, &band, NULL), RALLY_EMPTY_INPUT);
  CHECK_STATUS(rally_cascade_choose(nan, expensive, 4, 0.5, 0.99, 0.95, &band, NULL), RALLY_NOT_FINITE);
  CHECK_STATUS(rally_cascade_choose(cheap, nan, 4, 0.5, 0.99, 0.95, &band, NULL), RALLY_NOT_FINITE);
  CHECK_STATUS(rally_cascade_choose(NULL, expensive, 4, 0.5, 0.99, 0.95, &band, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_cascade_choose(cheap, expensive, 4, 0, 0.99, 0.95, &band, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_cascade_choose(cheap, expensive, 4, NAN, 0.99, 0.95, &band, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_cascade_choose(cheap, expensive, 4, 0.5, 1, 0.95, &band, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_cascade_choose(cheap, expensive, 4, 0.5, 0.99, 0.4, &band, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_cascade_choose(cheap, expensive, SIZE_MAX, 0.5, 0.99, 0.95, &band, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_cascade_choose(cheap, expensive, 4, 0.5, 0.99, 0.95, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK(band.lower == 7);
  CHECK_STATUS(rally_cascade_choose(cheap, expensive, 4, 0.5, 0.99, 0.95, &band, NULL), RALLY_OK);
  CHECK(isinf(band.lower) && isinf(band.upper) && band.agreement == 1);
}

void test_cascade(void) {
  float cheap[COUNT], expensive[COUNT];
  fill_scores(cheap, expensive);
  test_band(cheap, expensive);
  test_wrong_samples(cheap, expensive);
}
