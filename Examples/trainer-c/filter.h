/* Batches of the best windows, made on a thread alongside the trainer: drawn, rated, selected. */
#ifndef TRAINER_FILTER_H
#define TRAINER_FILTER_H

#include "text.h"

#include <rally.h>

typedef struct filter filter;

typedef struct filter_options {
  const char *rater;   /* model file */
  const text *source;  /* outlives the filter */
  double junk_share;   /* of the windows that are drawn */
  double discard;      /* share of them that is dropped */
  size_t batch;        /* windows that are kept */
  uint64_t seed;
} filter_options;

/* Opens the rater and starts the thread. Errors: those of rally_model_open; RALLY_OUT_OF_MEMORY. */
rally_status filter_open(const filter_options *options, filter **opened, rally_error *error);

/* Takes the next batch, [options.batch] windows. Fails where rating failed. */
rally_status filter_next(filter *from, window *batch, rally_error *error);

/* Ends the thread and frees everything. NULL: nothing. */
void filter_close(filter *closed);

#endif
