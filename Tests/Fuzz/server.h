/* Examines one mutant after the other, each in a child of its own, so that one that dies takes no other with it. */
#ifndef SERVER_H
#define SERVER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { THROUGH_FILE = 1, TWO_THREADS = 2 };

/* What a mutant is, and what became of it. In memory that parent and child share. */
typedef struct mutant {
  const uint8_t *data; /* ends at a page that may not be touched */
  size_t size;
  const char *path; /* the same bytes as a file */
  int flags;
  /* Written as the examination goes on. */
  int stage;  /* how far it came: its meaning is the examiner's */
  int status; /* of the last call, 0 where all went well */
} mutant;

typedef void (*examiner)(mutant *m);

/*
 * main() of an examiner: MODEL SECONDS MEGABYTES. The seconds are those of the processor: a busy machine fails no mutant.
 * Reads records of two native uint64, size and flags, from standard input: the mutant is the file MODEL then. Answers each with a line
 *   KIND CODE STAGE STATUS MILLISECONDS MEGABYTES NOISE
 * KIND is exit, signal, or timeout; CODE the exit code or signal; NOISE what was printed, in hexadecimal, or "-".
 */
int serve(int argc, char **argv, examiner examine);

#ifdef __cplusplus
}
#endif

#endif
