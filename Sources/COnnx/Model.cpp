#include "Model.h"
#include "Room.h"

#include <climits>
#include <memory>
#include <new>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>

namespace rox {
namespace {

rox_text text(const std::string &value) { return {value.data(), value.size()}; }

// Digits only: no sign, no spaces. `otherwise` for anything else and for what does not fit.
int64_t decimal(const std::string &value, int64_t otherwise) {
  if (value.empty() || value.size() > 18) return otherwise;
  int64_t number = 0;
  for (const char digit : value) {
    if (digit < '0' || digit > '9') return otherwise;
    number = number * 10 + (digit - '0');
  }
  return number;
}

std::unique_ptr<rox_model> open(const uint8_t *data, size_t size, const rox_limits &limits) {
  const size_t max_bytes = limits.max_bytes < INT_MAX ? limits.max_bytes : INT_MAX;
  if (size > max_bytes) {
    fail(ROX_LIMIT, "ONNX model", "at most " + std::to_string(max_bytes) + " bytes without external data",
         std::to_string(size) + " bytes");
  }
  auto model = std::make_unique<rox_model>();
  model->structure = read_structure(data, size, limits);

  // Texts once more, and the greatest message that an item may be with what its list keeps of it.
  require_room(2 * model->structure.bytes.size() + 256 * model->structure.item_count);
  // libprotobuf logs some malformed inputs to stderr; this holds it back while we parse and no longer.
  google::protobuf::LogSilencer silence;
  const std::string &bytes = model->structure.bytes;
  google::protobuf::io::CodedInputStream input(reinterpret_cast<const uint8_t *>(bytes.data()), static_cast<int>(bytes.size()));
  input.SetRecursionLimit(ROX_MAX_DEPTH + 1);
  if (!model->proto.ParseFromCodedStream(&input) || !input.ConsumedEntireMessage()) {
    fail(ROX_CORRUPT, "ModelProto", "an ONNX model", "bytes that libprotobuf does not read");
  }
  if (static_cast<size_t>(model->graph().initializer_size()) != model->structure.payloads.size()) {
    fail(ROX_CORRUPT, "GraphProto", "initializers", "two readings that differ");
  }
  return model;
}

void find_external(const onnx::TensorProto &proto, rox_tensor &tensor) {
  for (const auto &pair : proto.external_data()) {
    if (pair.key() == "location") tensor.location = text(pair.value());
    if (pair.key() == "offset") tensor.offset = decimal(pair.value(), -1);
    if (pair.key() == "length") tensor.length = decimal(pair.value(), -2);
  }
}

}  // namespace
}  // namespace rox

extern "C" {

rox_status rox_model_open(const void *data, size_t size, const rox_limits *limits, rox_model **model, rox_error *error) {
  try {
    *model = rox::open(static_cast<const uint8_t *>(data), size, *limits).release();
    return ROX_OK;
  } catch (const rox::Failure &failure) {
    *error = failure.error;
    return failure.status;
  } catch (const std::bad_alloc &) {
    *error = {"ONNX model", "memory for its structure", "none"};
    return ROX_OUT_OF_MEMORY;
  } catch (...) {
    *error = {"ONNX model", "bytes that libprotobuf reads", "an exception of libprotobuf"};
    return ROX_CORRUPT;
  }
}

void rox_model_close(rox_model *model) { delete model; }

int64_t rox_ir_version(const rox_model *model) { return model->proto.ir_version(); }

int64_t rox_opset_version(const rox_model *model) {
  for (const auto &opset : model->proto.opset_import()) {
    if (opset.domain().empty() || opset.domain() == "ai.onnx") return opset.version();
  }
  return 0;
}

rox_text rox_producer(const rox_model *model) { return rox::text(model->proto.producer_name()); }
rox_text rox_graph_name(const rox_model *model) { return rox::text(model->graph().name()); }
int rox_has_graph(const rox_model *model) { return model->proto.has_graph(); }
size_t rox_node_count(const rox_model *model) { return static_cast<size_t>(model->graph().node_size()); }
size_t rox_metadata_count(const rox_model *model) { return static_cast<size_t>(model->proto.metadata_props_size()); }

void rox_metadata_at(const rox_model *model, size_t index, rox_text *key, rox_text *value) {
  const auto &pair = model->proto.metadata_props(static_cast<int>(index));
  *key = rox::text(pair.key());
  *value = rox::text(pair.value());
}

size_t rox_value_count(const rox_model *model, rox_side side) {
  return static_cast<size_t>(side == ROX_INPUT ? model->graph().input_size() : model->graph().output_size());
}

void rox_value_at(const rox_model *model, rox_side side, size_t index, rox_text *name, int32_t *element_type) {
  const int at = static_cast<int>(index);
  const auto &value = side == ROX_INPUT ? model->graph().input(at) : model->graph().output(at);
  *name = rox::text(value.name());
  *element_type = value.type().has_tensor_type() ? value.type().tensor_type().elem_type() : 0;
}

size_t rox_tensor_count(const rox_model *model) { return model->structure.payloads.size(); }

void rox_tensor_at(const rox_model *model, size_t index, rox_tensor *tensor) {
  const auto &proto = model->graph().initializer(static_cast<int>(index));
  const rox::Payload &payload = model->structure.payloads[index];
  *tensor = {};
  tensor->name = rox::text(proto.name());
  tensor->data_type = proto.data_type();
  tensor->rank = static_cast<size_t>(proto.dims_size());
  tensor->dims = proto.dims().data();
  tensor->element_count = payload.element_count;
  tensor->length = -1;
  if (proto.data_location() == onnx::TensorProto::EXTERNAL) {
    tensor->source = payload.field == 0 ? ROX_EXTERNAL : ROX_SEVERAL;
    rox::find_external(proto, *tensor);
    return;
  }
  const bool packed_floats = payload.field == 4 && payload.run_count == 1 && payload.data != nullptr;
  if (payload.several) {
    tensor->source = ROX_SEVERAL;
  } else if (payload.field == 0) {
    tensor->source = ROX_NONE;
  } else if (payload.field == 6) {
    tensor->source = ROX_STRINGS;
  } else if (payload.field == 9 || (packed_floats && proto.data_type() == ROX_FLOAT)) {
    tensor->source = ROX_RAW;
    tensor->data = payload.data;
    tensor->byte_count = payload.byte_count;
  } else {
    tensor->source = ROX_TYPED;
  }
}

}  // extern "C"
