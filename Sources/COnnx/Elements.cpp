// Elements that lie in the typed fields of a TensorProto instead of raw_data.
#include <cstring>
#include <new>

#include "Model.h"

namespace rox {
namespace {

struct Encoding {
  uint32_t field;
  size_t byte_count;
  int64_t least, greatest;
};

// Which field holds a type, and which numbers fit. Source: the comments of TensorProto in onnx.proto.
// Half floats are stored by their bits as unsigned numbers.
Encoding encoding_for(int32_t data_type, const std::string &name) {
  switch (data_type) {
    case ROX_FLOAT: return {4, 4, 0, 0};
    case ROX_INT8: return {5, 1, INT8_MIN, INT8_MAX};
    case ROX_UINT8: return {5, 1, 0, UINT8_MAX};
    case ROX_FLOAT16:
    case ROX_BFLOAT16: return {5, 2, 0, UINT16_MAX};
    case ROX_INT64: return {7, 8, INT64_MIN, INT64_MAX};
    default: fail(ROX_CORRUPT, name, "a type with a typed field", "type " + std::to_string(data_type));
  }
}

class Decoder {
 public:
  Decoder(const Encoding &encoding, const std::string &name, void *out)
      : encoding_(encoding), name_(name), out_(static_cast<uint8_t *>(out)) {}

  void field(const Field &field) {
    if (encoding_.field == 4) {
      std::memcpy(out_, field.data, field.size);
      out_ += field.size;
    } else if (field.wire_type == kVarint) {
      number(field.value);
    } else {
      Reader numbers(field.data, field.size);
      uint64_t value = 0;
      while (!numbers.at_end() && numbers.varint(&value)) number(value);
    }
  }

 private:
  void number(uint64_t bits) {
    int64_t value = 0;
    std::memcpy(&value, &bits, sizeof value);
    if (value < encoding_.least || value > encoding_.greatest) {
      fail(ROX_CORRUPT, name_, "elements that fit its type", std::to_string(value));
    }
    // The machines this library runs on are little-endian: the low bytes come first.
    std::memcpy(out_, &value, encoding_.byte_count);
    out_ += encoding_.byte_count;
  }

  const Encoding encoding_;
  const std::string &name_;
  uint8_t *out_;
};

}  // namespace
}  // namespace rox

extern "C" {

rox_status rox_tensor_read(const rox_model *model, size_t index, void *out, rox_error *error) {
  try {
    const auto &proto = model->graph().initializer(static_cast<int>(index));
    const rox::Payload &payload = model->structure.payloads[index];
    const rox::Encoding encoding = rox::encoding_for(proto.data_type(), proto.name());
    if (payload.several || payload.field != encoding.field) {
      rox::fail(ROX_CORRUPT, proto.name(), "its elements in field " + std::to_string(encoding.field),
                "field " + std::to_string(payload.field));
    }
    rox::Decoder decoder(encoding, proto.name(), out);
    rox::Reader reader(payload.body, payload.body_size);
    rox::Field field;
    while (!reader.at_end() && reader.next(&field)) {
      if (field.number == encoding.field) decoder.field(field);
    }
    return ROX_OK;
  } catch (const rox::Failure &failure) {
    *error = failure.error;
    return failure.status;
  } catch (...) {
    *error = {"ONNX tensor", "memory", "none"};
    return ROX_OUT_OF_MEMORY;
  }
}

int rox_string_next(const rox_model *model, size_t index, size_t *cursor, rox_text *text) {
  const rox::Payload &payload = model->structure.payloads[index];
  if (*cursor > payload.body_size) return 0;
  rox::Reader reader(payload.body + *cursor, payload.body_size - *cursor);
  rox::Field field;
  while (!reader.at_end() && reader.next(&field)) {
    if (field.number != 6) continue;
    *cursor = static_cast<size_t>(field.end - payload.body);
    *text = {reinterpret_cast<const char *>(field.data), field.size};
    return 1;
  }
  *cursor = payload.body_size;
  return 0;
}

}  // extern "C"
