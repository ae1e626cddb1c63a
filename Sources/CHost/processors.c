#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "chost.h"

size_t rh_affinity(void) {
  /* The system refuses a set that is smaller than its own, of at most 8192 processors. */
  cpu_set_t sets[8192 / CPU_SETSIZE];
  if (sched_getaffinity(0, sizeof sets, sets) != 0) return 1;
  const int count = CPU_COUNT_S(sizeof sets, sets);
  return count > 0 ? (size_t)count : 1;
}

/* The first line of folder + group + file; false where there is none. */
static bool read_line(const char *folder, const char *group, const char *file, char line[256]) {
  char path[1024];
  const int length = snprintf(path, sizeof path, "%s%s/%s", folder, group, file);
  if (length < 0 || (size_t)length >= sizeof path) return false;
  FILE *stream = fopen(path, "re");
  if (!stream) return false;
  const bool found = fgets(line, 256, stream) != NULL;
  fclose(stream);
  return found;
}

/* Processors for a quota of microseconds in each period, rounded up; 0: no bound. */
static size_t processors(long long quota, long long period) {
  if (quota <= 0 || period <= 0) return 0;
  const long long count = quota / period + (quota % period != 0);
  return (size_t)count;
}

static size_t quota_of(const char *group, bool is_second_version) {
  char line[256];
  long long quota = 0, period = 0;
  if (is_second_version) {
    if (!read_line("/sys/fs/cgroup", group, "cpu.max", line)) return 0;
    return sscanf(line, "%lld %lld", &quota, &period) == 2 ? processors(quota, period) : 0;
  }
  static const char *const folders[] = {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"};
  for (size_t i = 0; i < 2; i++) {
    if (!read_line(folders[i], group, "cpu.cfs_quota_us", line) || sscanf(line, "%lld", &quota) != 1) continue;
    if (!read_line(folders[i], group, "cpu.cfs_period_us", line) || sscanf(line, "%lld", &period) != 1) continue;
    return processors(quota, period);
  }
  return 0;
}

/* The least quota of a group and of those that it lies in; a container sees its own as the root. */
static size_t least_quota(char *group, bool is_second_version) {
  size_t least = 0;
  for (;;) {
    const size_t quota = quota_of(group, is_second_version);
    if (quota && (!least || quota < least)) least = quota;
    char *slash = strrchr(group, '/');
    if (!slash) return least;
    *slash = '\0';
  }
}

/* Lines of /proc/self/cgroup are `id:controllers:path`, with no controllers in the second version. */
static size_t group_quota(void) {
  size_t least = 0;
  char line[1024] = "";
  FILE *stream = fopen("/proc/self/cgroup", "re");
  while (stream && fgets(line, sizeof line, stream)) {
    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path) continue;
    *path++ = '\0';
    controllers++;
    const bool is_second_version = *controllers == '\0';
    const bool is_processor = strcmp(controllers, "cpu") == 0 || strncmp(controllers, "cpu,", 4) == 0
                              || strstr(controllers, ",cpu,")
                              || (strlen(controllers) > 4 && strcmp(controllers + strlen(controllers) - 4, ",cpu") == 0);
    if (!is_second_version && !is_processor) continue;
    if (strcmp(path, "/") == 0) *path = '\0';
    const size_t quota = least_quota(path, is_second_version);
    if (quota && (!least || quota < least)) least = quota;
  }
  if (stream) fclose(stream);
  return least;
}

size_t rh_available_processors(void) {
  const size_t allowed = rh_affinity();
  const size_t quota = group_quota();
  return quota && quota < allowed ? quota : allowed;
}
