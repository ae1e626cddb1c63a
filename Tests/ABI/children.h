/* What programs share that put kinds of call to the test in children. */
#ifndef RALLY_TESTS_CHILDREN_H
#define RALLY_TESTS_CHILDREN_H

#include <rally.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static inline int32_t ignore(void *user, const rally_event *event) {
  (void)user, (void)event;
  return 0;
}

/* A model and a runner of two threads. */
static inline rally_status open_runner(const char *path, rally_model **model, rally_runner **runner) {
  rally_runner_options options;
  rally_runner_options_init(&options, sizeof options);
  options.threads = 2;
  const rally_status status = rally_model_open(path, NULL, model, NULL);
  return status ? status : rally_runner_open(*model, &options, runner, NULL);
}

static inline rally_status with_runner(const char *path, rally_status (*work)(rally_runner *)) {
  rally_model *model = NULL;
  rally_runner *runner = NULL;
  rally_status status = open_runner(path, &model, &runner);
  if (!status) status = work(runner);
  rally_runner_close(runner);
  rally_model_close(model);
  return status;
}

static inline rally_status lineage_with_itself(const char *path) {
  rally_lineage_report *report = NULL;
  const rally_status status = rally_lineage(path, path, NULL, &report, NULL);
  rally_lineage_close(report);
  return status;
}

/* The exit status of a child that runs `body`, or -1 where it died or printed. */
static inline int in_child(int (*body)(const void *), const void *argument) {
  int ends[2];
  fflush(NULL);
  if (pipe(ends)) return -1;
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 1);
    dup2(ends[1], 2);
    close(ends[0]);
    close(ends[1]);
    alarm(600);
    _exit(body(argument));
  }
  close(ends[1]);
  char text[512];
  const ssize_t printed = read(ends[0], text, sizeof text - 1);
  if (printed > 0) printf("  printed: %.*s\n", (int)printed, text);
  close(ends[0]);
  int status = -1;
  if (child < 0 || waitpid(child, &status, 0) != child) return -1;
  return printed == 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
