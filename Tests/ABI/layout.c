/* The structs as this compiler lays them out against the structs as the library was compiled. */
#include "check.h"
#include <stdlib.h>

typedef struct place {
  const char *name;
  size_t offset, size;
} place;

#define STRUCT(type) {#type, 0, sizeof(type)},
#define FIELD(type, field) {#type "." #field, offsetof(type, field), sizeof(((type *)0)->field)},

static const place places[] = {
#include "generated/places.inc"
};

static const place *find(const char *name, size_t length) {
  for (size_t i = 0; i < sizeof places / sizeof *places; i++)
    if (strlen(places[i].name) == length && !memcmp(places[i].name, name, length)) return &places[i];
  return NULL;
}

void test_layout(void) {
  size_t seen = 0;
  const char *line = rally_abi_layout();
  CHECK(line != NULL);
  while (line && *line) {
    const size_t name = strcspn(line, " \n");
    const place *known = find(line, name);
    char *end = NULL;
    size_t numbers[2] = {0, 0};
    CHECK(known != NULL);
    if (known) {
      const int is_field = memchr(line, '.', name) != NULL;
      if (is_field) numbers[0] = strtoull(line + name, &end, 10);
      numbers[1] = strtoull(is_field ? end : line + name, &end, 10);
      CHECK(numbers[0] == known->offset);
      CHECK(numbers[1] == known->size);
      CHECK(*end == '\n' || *end == '\0');
      seen++;
    }
    line += strcspn(line, "\n");
    if (*line) line++;
  }
  CHECK(seen == sizeof places / sizeof *places);
  CHECK(sizeof(rally_status) == 4 && sizeof(rally_switch) == 4 && sizeof(rally_finish_reason) == 4);

  char version[64];
  snprintf(version, sizeof version, "%d.%d.%d", RALLY_VERSION_MAJOR, RALLY_VERSION_MINOR, RALLY_VERSION_PATCH);
  CHECK(!strcmp(rally_version(), version));
  CHECK(!strcmp(rally_status_name(RALLY_NOT_FINITE), "RALLY_NOT_FINITE"));
  CHECK(!strcmp(rally_status_name(RALLY_OK), "RALLY_OK"));
  CHECK(!strcmp(rally_status_name((rally_status)9999), "RALLY_UNKNOWN_STATUS"));
  CHECK(!strcmp(rally_status_name((rally_status)-1), "RALLY_UNKNOWN_STATUS"));
}
