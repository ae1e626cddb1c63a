/* The table of cases of stop strings that every host runs: Tests/Fixtures/stops. */
#ifndef RALLY_TEST_STOP_CASES_H
#define RALLY_TEST_STOP_CASES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STOP_MODEL "../Fixtures/stops/stops.onnx"
#define STOP_CASES "../Fixtures/stops/cases.tsv"

enum { STOP_CASE_STRINGS = 8, STOP_CASE_PIECES = 24 };

typedef struct stop_case {
  char line[512]; /* what the pointers below point into */
  const char *name, *prompt, *finish_reason;
  int include_stop, skip_special, max_tokens, stop_string, cut_length;
  const char *stops[STOP_CASE_STRINGS];
  const char *pieces[STOP_CASE_PIECES]; /* the text of each event */
  int stop_count, piece_count;
} stop_case;

/* Cuts `text` at `mark` into at most `capacity` parts, empty ones included. */
static inline int stop_case_split(char *text, char mark, const char **parts, int capacity) {
  int count = 0;
  for (char *start = text; start && count < capacity; count++) {
    char *end = strchr(start, mark);
    if (end) *end = '\0';
    parts[count] = start;
    start = end ? end + 1 : NULL;
  }
  return count;
}

/* Reads the next case; 0 at the end of the table. */
static inline int stop_case_read(FILE *table, stop_case *one) {
  const char *fields[10];
  memset(one, 0, sizeof *one);
  if (!fgets(one->line, sizeof one->line, table)) return 0;
  one->line[strcspn(one->line, "\n")] = '\0';
  if (stop_case_split(one->line, '\t', fields, 10) != 10) return 0;
  one->name = fields[0];
  one->prompt = fields[1];
  one->include_stop = atoi(fields[2]);
  one->skip_special = atoi(fields[3]);
  one->max_tokens = atoi(fields[4]);
  if (*fields[5]) one->stop_count = stop_case_split((char *)fields[5], ',', one->stops, STOP_CASE_STRINGS);
  one->piece_count = stop_case_split((char *)fields[6], '/', one->pieces, STOP_CASE_PIECES);
  one->stop_string = atoi(fields[7]);
  one->cut_length = atoi(fields[8]);
  one->finish_reason = fields[9];
  return 1;
}

#endif
