// The walk over the bytes: what is copied for libprotobuf, and where the weights lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "Grammar.h"
#include "Wire.h"
#include "include/connx.h"

namespace rox {

// Thrown inside the shim only; every C function catches it.
struct Failure {
  rox_status status;
  rox_error error;
};

[[noreturn]] void fail(rox_status status, const std::string &subject, const std::string &expected, const std::string &found);

// The data of one initializer, inside the caller's bytes.
struct Payload {
  const uint8_t *body = nullptr;  // of the TensorProto
  size_t body_size = 0;
  const uint8_t *data = nullptr;  // raw_data, or the one packed run of float_data
  size_t byte_count = 0;
  size_t element_count = 0;  // of the typed field or of string_data
  uint32_t field = 0;        // the field that holds the data, 0: none
  uint32_t run_count = 0;    // occurrences of that field
  bool several = false;      // more than one kind of field holds data
};

struct Structure {
  std::string bytes;  // a ModelProto whose initializers have no data
  std::vector<Payload> payloads;
  size_t item_count = 0;  // messages and repeated strings
};

// Copies everything but data. Throws Failure, std::bad_alloc.
Structure read_structure(const uint8_t *data, size_t size, const rox_limits &limits);

// Whether the field of a TensorProto holds elements.
inline bool holds_elements(uint32_t field) { return (field >= 4 && field <= 7) || (field >= 9 && field <= 11); }

}  // namespace rox
