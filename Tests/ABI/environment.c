/*
 * What the process around it tells the library: how many threads it starts, what those are, and that it works without /proc and
 * without standard streams, has memory for what it begins, and prints nothing whatever the environment says to Swift. A program
 * of its own, with a child for each environment: environment.c RATER FOLDER. Some need the right to
 * mount, and say so where it is missing.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <rally.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOT_TRIED = 254, FAILED = 255 };

/* As large variables of a thread as Fortran programs have: they lie in the stack of each. */
static _Thread_local char locals[3 << 20];

static const char *program, *rater;
static char out[4096];
static int failed;

/* ---- what a child does ---- */

static int in_child(int (*work)(void)) {
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    alarm(600);
    _exit(work());
  }
  int status = -1;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : FAILED;
}

static int open_runner(rally_model **model, rally_runner **runner) {
  return !rally_model_open(rater, NULL, model, NULL) && !rally_runner_open(*model, NULL, runner, NULL);
}

/* A line of a thread's /proc file; "" without one. */
static const char *line_of(const char *thread, const char *file, const char *beginning) {
  static char line[256];
  char path[300];
  snprintf(path, sizeof path, "/proc/self/task/%s/%s", thread, file);
  FILE *stream = fopen(path, "r");
  int found = 0;
  while (stream && !found && fgets(line, sizeof line, stream)) found = !strncmp(line, beginning, strlen(beginning));
  if (stream) fclose(stream);
  return found ? line : "";
}

/* Threads called rally-worker; FAILED where one has a signal open that can be blocked. */
static int count_workers(void) {
  rally_model *model = NULL;
  rally_runner *runner = NULL;
  if (!open_runner(&model, &runner)) return FAILED;
  const unsigned long long always_open =
      1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1) | 3ull << 31; /* 32 and 33: glibc's own */
  int count = 0;
  DIR *threads = opendir("/proc/self/task");
  for (struct dirent *each; threads && (each = readdir(threads));) {
    if (strcmp(line_of(each->d_name, "comm", ""), "rally-worker\n")) continue;
    count++;
    if (~(strtoull(line_of(each->d_name, "status", "SigBlk:") + 7, NULL, 16) | always_open)) return FAILED;
  }
  if (threads) closedir(threads);
  rally_runner_close(runner);
  rally_model_close(model);
  return count;
}

static int in_namespace(void) { return !unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL); }

static int write_file(const char *path, const char *text) {
  FILE *stream = fopen(path, "w");
  if (!stream) return 0;
  const int good = fputs(text, stream) >= 0;
  return !fclose(stream) && good;
}

/* Control groups of both versions that give half a processor. */
static int with_quota(void) {
  if (!in_namespace() || mount("none", "/sys/fs/cgroup", "tmpfs", 0, NULL)) return NOT_TRIED;
  mkdir("/sys/fs/cgroup/cpu", 0755);
  if (!write_file("/sys/fs/cgroup/cpu.max", "50000 100000\n") || !write_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n")
      || !write_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"))
    return NOT_TRIED;
  return count_workers();
}

static int on_one_processor(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set)) return NOT_TRIED;
  int first = 0;
  while (!CPU_ISSET(first, &set)) first++;
  CPU_ZERO(&set);
  CPU_SET(first, &set);
  return sched_setaffinity(0, sizeof set, &set) ? NOT_TRIED : count_workers();
}

static int with(const char *name, const char *value) {
  setenv(name, value, 1);
  return count_workers();
}

static int plainly(void) { return count_workers(); }
static int with_three(void) { return with("RALLY_NUM_THREADS", "3"); }
static int with_words(void) { return with("RALLY_NUM_THREADS", "three"); }
static int with_openmp(void) {
  setenv("OMP_THREAD_LIMIT", "1", 1);
  setenv("GOMP_CPU_AFFINITY", "0", 1);
  return with("OMP_NUM_THREADS", "5");
}

/* Opening, rating, quantising and saving: 0 where all went well. */
static int without_proc(void) {
  static const int32_t tokens[] = {5, 6, 7};
  static const size_t offsets[] = {0, 3};
  float score = 0;
  rally_model *model = NULL;
  rally_runner *runner = NULL;
  if (!in_namespace() || umount2("/proc", MNT_DETACH)) return NOT_TRIED;
  if (!access("/proc/self", F_OK)) return NOT_TRIED;
  if (!open_runner(&model, &runner) || rally_rate(runner, tokens, offsets, 1, NULL, &score, NULL)) return FAILED;
  if (rally_quantize(rater, out, NULL, NULL) || rally_model_validate(out, NULL, NULL)) return FAILED;
  rally_runner_close(runner);
  rally_model_close(model);
  return unlink(out) ? FAILED : 0;
}

/* The heap cannot grow, and the system gives nothing else, to whom nothing was said of a limit. */
static int take_all_memory(void) {
  struct sock_filter steps[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 1),
                                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
                                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const struct sock_fprog filter = {sizeof steps / sizeof *steps, steps};
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), end = ((uintptr_t)sbrk(0) + page - 1) / page * page;
  void *const wall = mmap((void *)end, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  return wall == (void *)end && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

/* A system that promises no more than it has: 0 where calls say that there is no memory. */
static int on_strict_system(void) {
  static const int32_t tokens[] = {5, 6, 7};
  static const size_t offsets[] = {0, 3};
  float score = 0;
  size_t count = 0;
  rally_model *model = NULL, *second = NULL;
  rally_runner *runner = NULL;
  if (!in_namespace() || !write_file(out, "2\n") || mount(out, "/proc/sys/vm/overcommit_memory", NULL, MS_BIND, NULL))
    return NOT_TRIED;
  if (!open_runner(&model, &runner)) return FAILED;
  if (!take_all_memory()) return NOT_TRIED;
  if (rally_rate(runner, tokens, offsets, 1, NULL, &score, NULL) != RALLY_OUT_OF_MEMORY) return FAILED;
  if (rally_encode(model, "The sea", 7, NULL, NULL, 0, &count, NULL) != RALLY_OUT_OF_MEMORY) return FAILED;
  return rally_model_open(rater, NULL, &second, NULL) == RALLY_OUT_OF_MEMORY ? 0 : FAILED;
}

static int32_t print_progress(void *prints, uint64_t done, uint64_t total) {
  ++*(int *)prints;
  printf("%d %%\n", (int)(100 * done / total));
  fflush(stdout);
  fprintf(stderr, "still at it\n");
  return 0;
}

/* A host that has closed its standard streams and prints all the same, while it writes files: 0 where they are whole. */
static int without_streams(void) {
  int prints = 0;
  for (int stream = 0; stream < 3; stream++) close(stream);
  rally_quantize_options quantize;
  rally_quantize_options_init(&quantize, sizeof quantize);
  quantize.progress = print_progress;
  quantize.progress_user = &prints;
  if (rally_quantize(rater, out, &quantize, NULL) || rally_model_validate(out, NULL, NULL) || !prints) return FAILED;
  rally_prepare_options prepare;
  rally_prepare_options_init(&prepare, sizeof prepare);
  prepare.progress = print_progress;
  prepare.progress_user = &prints;
  unlink(out);
  if (rally_model_prepare(rater, out, &prepare, NULL) || rally_model_validate(out, NULL, NULL)) return FAILED;
  return unlink(out) ? FAILED : 0;
}

/* What this program says to `quiet`, which loads the library anew under a variable of the environment: 0 for nothing. */
static int with_words_to_swift(void) {
  static const char *const variables[] = {"SWIFT_DEBUG_HELP=YES", "SWIFT_DEBUG_NO_SUCH_THING=1",
                                          "SWIFT_DETERMINISTIC_HASHING=perhaps", "SWIFT_BACKTRACE=enable=yes,color=loud"};
  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
    char command[9000], text[200];
    snprintf(command, sizeof command, "%s '%s' '%s' . quiet 2>&1", variables[i], program, rater);
    FILE *said = popen(command, "r");
    const size_t length = said ? fread(text, 1, sizeof text - 1, said) : 0;
    if (length) fprintf(stderr, "  %s: %.*s\n", variables[i], (int)length, text);
    if (!said || pclose(said) || length) return FAILED;
  }
  return 0;
}

static rally_runner *first_runner;

static int use_parents_runner(void) {
  static const int32_t tokens[] = {5, 6, 7};
  static const size_t offsets[] = {0, 3};
  float score = 0;
  const rally_status status = rally_rate(first_runner, tokens, offsets, 1, NULL, &score, NULL);
  rally_runner_close(first_runner);
  return (int)status;
}

/* A process whose number is 1, as that of its parent, which is the first of a namespace, too: what it gets from the handle. */
static int be_first_again(void) {
  rally_model *model = NULL;
  if (getpid() != 1) return FAILED;
  if (!open_runner(&model, &first_runner)) return FAILED;
  return unshare(CLONE_NEWPID) ? NOT_TRIED : in_child(use_parents_runner);
}

static int in_namespaces_of_processes(void) { return unshare(CLONE_NEWPID) ? NOT_TRIED : in_child(be_first_again); }

static void *set_variables(void *done) {
  char name[40];
  for (int i = 0; !atomic_load((atomic_int *)done); i = (i + 1) % 30000) {
    snprintf(name, sizeof name, "VARIABLE_%d", i);
    setenv(name, "1", 1);
  }
  return NULL;
}

/* After its first call the library looks at no variable, which another thread of the host may be moving: 0 where it lives. */
static int among_new_variables(void) {
  rally_model *model = NULL;
  rally_runner *runner = NULL;
  pthread_t thread;
  atomic_int done = 0;
  int wrong = !open_runner(&model, &runner) || pthread_create(&thread, NULL, set_variables, &done);
  for (int i = 0; !wrong && i < 3000; i++) {
    rally_runner_close(runner);
    wrong = rally_runner_open(model, NULL, &runner, NULL) != RALLY_OK;
  }
  for (int i = 0; !wrong && i < 20; i++) wrong = rally_model_validate(rater, NULL, NULL) != RALLY_OK;
  atomic_store(&done, 1);
  pthread_join(thread, NULL);
  return wrong ? FAILED : 0;
}

/* ---- the parent ---- */

static void expect(const char *what, int (*work)(void), int expected) {
  const int found = in_child(work);
  if (found == NOT_TRIED) printf("  not tried, this process has not the right: %s\n", what);
  else if (found == expected) printf("  %s\n", what);
  else printf("  DOES NOT HOLD: %s; expected %d, found %d\n", what, expected, found);
  failed += found != expected && found != NOT_TRIED;
}

int main(int argc, char **argv) {
  if (argc != 3 && argc != 4) return 2;
  locals[argc] = 1;
  program = argv[0];
  rater = argv[1];
  if (argc == 4) return count_workers() == FAILED;
  snprintf(out, sizeof out, "%s/environment-out.onnx", argv[2]);
  unsetenv("RALLY_NUM_THREADS");
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set)) return 2;
  /* This process may itself have a quota: its own number is what most others are compared with. */
  const int usual = in_child(plainly);
  printf("  %d processors, %d workers, each called rally-worker with every signal blocked\n", CPU_COUNT(&set), usual);
  failed += usual >= CPU_COUNT(&set);
  expect("one processor in the affinity mask: no worker", on_one_processor, 0);
  expect("RALLY_NUM_THREADS=3: two workers", with_three, 2);
  expect("RALLY_NUM_THREADS that is no number: as many as without", with_words, usual);
  expect("OMP_NUM_THREADS and its like: as many as without", with_openmp, usual);
  expect("a quota of half a processor: no worker", with_quota, 0);
  expect("without /proc it opens, rates and quantises", without_proc, 0);
  expect("a system without memory that promises none: calls say so", on_strict_system, 0);
  unlink(out);
  expect("standard streams that are closed and printed to: files are whole", without_streams, 0);
  expect("variables that Swift's runtime would speak about: not a word", with_words_to_swift, 0);
  expect("a child with its parent's number: handles say whose they are", in_namespaces_of_processes, RALLY_FORKED);
  expect("variables that the host sets in another thread: nothing is read there", among_new_variables, 0);
  printf("environment: %d FAILED\n", failed);
  return failed != 0;
}
