// Runs libonnx's checker and shape inference over the structure of a graph, if the graph is one that they survive.
#include <onnx/checker.h>
#include <onnx/shape_inference/implementation.h>

#include <new>
#include <set>
#include <string>

#include <google/protobuf/stubs/logging.h>

#include "GuardedSchemas.h"
#include "Model.h"
#include "Room.h"

namespace rox {
namespace {

// Every type that inference makes is kept: together at most 2^17 · 8 axes · some 100 bytes.
constexpr size_t kMaxOutputs = size_t{1} << 17;
constexpr size_t kMaxSymbolBytes = 64;
constexpr int kMaxAxes = 8;
// Constants that inference reads are axes and shapes.
constexpr size_t kMaxConstantCount = 16;

void check_versions(const onnx::ModelProto &model) {
  if (model.ir_version() < 4 || model.ir_version() > 8) {
    throw Refusal("IR version " + std::to_string(model.ir_version()) + "; libonnx here knows 4 to 8");
  }
  for (const auto &opset : model.opset_import()) {
    if (!opset.domain().empty()) throw Refusal("operators of the domain " + opset.domain());
    if (opset.version() != kCheckedOpset) {
      throw Refusal("opset " + std::to_string(opset.version()) + "; only " + std::to_string(kCheckedOpset) + " is checked");
    }
  }
  if (model.functions_size() > 0 || model.training_info_size() > 0) throw Refusal("functions or training information");
  if (model.graph().sparse_initializer_size() > 0) throw Refusal("sparse initializers");
}

void check_values(const google::protobuf::RepeatedPtrField<onnx::ValueInfoProto> &values) {
  for (const auto &value : values) {
    if (!value.has_type() || value.type().value_case() == onnx::TypeProto::VALUE_NOT_SET) continue;
    if (!value.type().has_tensor_type()) throw Refusal("a value that is no tensor");
    const auto &shape = value.type().tensor_type().shape();
    if (shape.dim_size() > kMaxAxes) throw Refusal("a value of more than 8 axes");
    for (const auto &dim : shape.dim()) {
      if (dim.dim_param().size() > kMaxSymbolBytes) throw Refusal("a symbol longer than 64 bytes");
    }
  }
}

void check_nodes(const onnx::GraphProto &graph) {
  size_t outputs = 0;
  for (const auto &node : graph.node()) {
    if (!node.domain().empty() || !is_checked_operator(node.op_type())) {
      throw Refusal("the operator " + node.op_type().substr(0, 60) + ", which is not among those known to be safe");
    }
    outputs += static_cast<size_t>(node.output_size());
    if (outputs > kMaxOutputs) throw Refusal("more than 131072 values");
    for (const auto &attribute : node.attribute()) {
      if (attribute.has_g() || attribute.has_tp() || attribute.has_sparse_tensor() || attribute.graphs_size() > 0
          || attribute.tensors_size() > 0 || attribute.sparse_tensors_size() > 0 || attribute.type_protos_size() > 0
          || !attribute.ref_attr_name().empty()) {
        throw Refusal("attributes that hold more than numbers");
      }
      // The checker would look for the file that the tensor names.
      if (attribute.t().data_location() == onnx::TensorProto::EXTERNAL) throw Refusal("an external attribute");
    }
  }
}

// The numbers of a small int64 constant, exactly as many as its shape says; false for anything else.
bool read_constant(const rox_model &model, size_t index, std::string *raw) {
  rox_tensor tensor;
  rox_tensor_at(&model, index, &tensor);
  if (tensor.data_type != ROX_INT64 || tensor.rank > 1) return false;
  const int64_t count = tensor.rank == 0 ? 1 : tensor.dims[0];
  if (count < 0 || count > static_cast<int64_t>(kMaxConstantCount)) return false;
  const size_t byte_count = static_cast<size_t>(count) * sizeof(int64_t);
  raw->assign(byte_count, '\0');
  if (tensor.source == ROX_RAW && tensor.byte_count == byte_count) {
    raw->assign(static_cast<const char *>(tensor.data), byte_count);
    return true;
  }
  rox_error ignored;
  return tensor.source == ROX_TYPED && tensor.element_count == static_cast<size_t>(count)
         && rox_tensor_read(&model, index, raw->data(), &ignored) == ROX_OK;
}

// Initializers become inputs of their type and shape: the weights are not here. Small constants keep their numbers.
void replace_initializers(const rox_model &model, onnx::GraphProto &graph) {
  std::set<std::string> inputs;
  for (const auto &input : graph.input()) inputs.insert(input.name());
  graph.clear_initializer();
  graph.clear_quantization_annotation();
  for (size_t i = 0; i < model.structure.payloads.size(); ++i) {
    const auto &from = model.graph().initializer(static_cast<int>(i));
    std::string raw;
    if (read_constant(model, i, &raw)) {
      auto *constant = graph.add_initializer();
      constant->set_name(from.name());
      constant->set_data_type(from.data_type());
      *constant->mutable_dims() = from.dims();
      if (!raw.empty()) constant->set_raw_data(raw);
      continue;
    }
    if (inputs.count(from.name()) > 0) continue;
    if (from.dims_size() > kMaxAxes) throw Refusal("an initializer of more than 8 axes");
    auto *input = graph.add_input();
    input->set_name(from.name());
    auto *type = input->mutable_type()->mutable_tensor_type();
    type->set_elem_type(from.data_type());
    type->mutable_shape();
    for (const int64_t extent : from.dims()) type->mutable_shape()->add_dim()->set_dim_value(extent);
  }
}

void run(const rox_model &model) {
  check_versions(model.proto);
  check_nodes(model.graph());
  check_values(model.graph().input());
  check_values(model.graph().output());
  check_values(model.graph().value_info());
  // A copy, the types that are inferred in it, and maps of names.
  require_room(4 * model.proto.SpaceUsedLong());
  onnx::ModelProto copy(model.proto);
  replace_initializers(model, *copy.mutable_graph());
  google::protobuf::LogSilencer silence;
  onnx::checker::check_model(copy);
  onnx::shape_inference::InferShapes(copy, &guarded_schemas(), onnx::ShapeInferenceOptions(false, 1, false));
}

// One line, cut where it is longer.
rox_check_result answer(rox_check_result result, const char *text, char *reason, size_t capacity) {
  size_t length = 0;
  for (; length + 1 < capacity && text[length] != '\0'; ++length) {
    const unsigned char byte = static_cast<unsigned char>(text[length]);
    reason[length] = byte < 0x20 || byte == 0x7F ? ' ' : text[length];
  }
  if (capacity > 0) reason[length] = '\0';
  return result;
}

}  // namespace
}  // namespace rox

extern "C" rox_check_result rox_model_check(const rox_model *model, char *reason, size_t capacity) {
  try {
    rox::run(*model);
    return rox::answer(ROX_CHECK_PASSED, "", reason, capacity);
  } catch (const rox::Refusal &refusal) {
    return rox::answer(ROX_CHECK_SKIPPED, refusal.what(), reason, capacity);
  } catch (const std::bad_alloc &) {
    return rox::answer(ROX_CHECK_SKIPPED, "not enough memory", reason, capacity);
  } catch (const std::exception &error) {
    return rox::answer(ROX_CHECK_FAILED, error.what(), reason, capacity);
  } catch (...) {
    return rox::answer(ROX_CHECK_FAILED, "an exception of libonnx", reason, capacity);
  }
}
