#define _GNU_SOURCE 1
#include "server.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what) {
  perror(what);
  exit(2);
}

/* What a process that waits for ever is told by: its processor time stands still for so long. A busy machine alone does not do that. */
static const int standstill_milliseconds = 60000;

static double time_of(clockid_t clock) {
  struct timespec t = {0, 0};
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds_of(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec / 1e6; }

/* The file's bytes, so placed that reading one too many is a fault. */
static const uint8_t *load(const char *path, size_t size) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t room = (size + page - 1) / page * page;
  uint8_t *block = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED || mprotect(block + room, page, PROT_NONE)) fail("mmap");
  int file = open(path, O_RDONLY);
  if (file < 0) fail(path);
  for (size_t done = 0; done < size;) {
    ssize_t count = read(file, block + room - size + done, size - done);
    if (count <= 0) fail("read");
    done += (size_t)count;
  }
  close(file);
  return block + room - size;
}

static void run_child(mutant *m, examiner examine, int noise, size_t megabytes) {
  dup2(noise, STDOUT_FILENO);
  dup2(noise, STDERR_FILENO);
  if (megabytes) {
    struct rlimit limit = {megabytes << 20, megabytes << 20};
    setrlimit(RLIMIT_AS, &limit);
  }
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  m->data = load(m->path, m->size);
  examine(m);
  fflush(NULL);
  _exit(0);
}

static void print_noise(int noise) {
  char bytes[2000];
  ssize_t count = pread(noise, bytes, sizeof bytes, 0);
  if (count <= 0) {
    printf("-");
    return;
  }
  for (ssize_t i = 0; i < count; i++) printf("%02x", (unsigned char)bytes[i]);
  if (ftruncate(noise, 0)) fail("ftruncate");
  lseek(noise, 0, SEEK_SET);
}

/* Waits for the end of a process: 0 where it has used `seconds` of processor time, or waits for ever. */
static int has_ended(pid_t child, double seconds) {
  const int step = 100;
  int descriptor = (int)syscall(SYS_pidfd_open, child, 0);
  clockid_t clock;
  if (descriptor < 0 || clock_getcpuclockid(child, &clock)) fail("pidfd_open");
  struct pollfd ended = {.fd = descriptor, .events = POLLIN};
  double used = 0;
  int still = 0, ready = 0;
  while (ready <= 0 && used < seconds && still < standstill_milliseconds) {
    ready = poll(&ended, 1, step);
    const double before = used;
    used = time_of(clock);
    still = used > before ? 0 : still + step;
  }
  close(descriptor);
  return ready > 0;
}

static void answer(mutant *m, examiner examine, int noise, double seconds, size_t megabytes) {
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) run_child(m, examine, noise, megabytes);
  const int ended = has_ended(child, seconds);
  if (!ended) kill(child, SIGKILL);
  int state;
  struct rusage usage;
  if (wait4(child, &state, 0, &usage) < 0) fail("wait4");
  const char *kind = !ended ? "timeout" : WIFSIGNALED(state) ? "signal" : "exit";
  int code = WIFSIGNALED(state) ? WTERMSIG(state) : WEXITSTATUS(state);
  printf("%s %d %d %d %.0f %ld ", kind, code, m->stage, m->status,
         (seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime)) * 1000, usage.ru_maxrss >> 10);
  print_noise(noise);
  printf("\n");
  fflush(stdout);
}

int serve(int argc, char **argv, examiner examine) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s MODEL SECONDS MEGABYTES\n", argv[0]);
    return 2;
  }
  mutant *m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int noise = memfd_create("noise", 0);
  if (m == MAP_FAILED || noise < 0) fail("memory");
  uint64_t record[2];
  while (fread(record, sizeof record, 1, stdin) == 1) {
    *m = (mutant){.size = (size_t)record[0], .path = argv[1], .flags = (int)record[1], .stage = -1};
    answer(m, examine, noise, atof(argv[2]), (size_t)atol(argv[3]));
  }
  return 0;
}
