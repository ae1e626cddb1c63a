/* What the tests of the engine share: texts gathered from events, and what a runner generates alone. */
#ifndef RALLY_TEST_ENGINE_H
#define RALLY_TEST_ENGINE_H

#include "check.h"

enum { TEXT_CAPACITY = 128, TEXT_COUNT = 32 };

/* What was generated for one request. */
typedef struct text {
  size_t count;
  int32_t tokens[TEXT_CAPACITY];
  int32_t depths[TEXT_CAPACITY];
  float logprobs[TEXT_CAPACITY];
  rally_finish_reason reason;
} text;

/* By the engine's number of the request. */
typedef struct texts {
  text of[TEXT_COUNT];
  size_t ended;
  int disorder; /* events that were none, twice, or after the end */
} texts;

/* The callback whose user is a `texts`. */
int32_t gather(void *user, const rally_event *event);

/* Generates with a runner, without company. */
text generate_alone(rally_model *model, const rally_request *request);

/* The same tokens, depths, finish reason, and bits of the log-probabilities. */
int same_text(const text *one, const text *other);

rally_engine *open_engine(rally_model *model, const rally_engine_options *options);
rally_engine_options engine_options(void);
double counter(rally_engine *engine, const char *name);

#endif
