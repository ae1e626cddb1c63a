// libonnx 1.12 trusts its graphs. Read in its source, for the operators below at opset 17:
//
//   ParseData                copies raw_data of any size into whole elements: writes past the end when the size is not
//                            a multiple; [0] of an empty scalar (Range). Checker.cpp only passes exact constants.
//   Reshape                  % by a product of dimensions that overflows: -2^63 % -1 is SIGFPE. Products bounded here.
//   ConstantOfShape          adds as many axes as a dimension says, up to 2^63. Bounded here.
//   LayerNormalization       with two outputs writes at axis + rank, unchecked. One output only.
//   Gather, Unsqueeze        ranks that double from node to node. Ranks bounded here, before and after each node.
//   *OrEqual                 run another inference over a function body. They get that of Greater.
//
// Nothing is run for other operators: If, Loop and Scan recurse, Conv and the pools divide by attributes, Resize and
// Einsum parse. Neither are data propagation and the check of types, which follow other code.
#include "GuardedSchemas.h"

#include <cstring>
#include <set>
#include <unordered_map>

namespace rox {
namespace {

constexpr int kMaxRank = 8;
constexpr int64_t kMaxElements = int64_t{1} << 48;

const char *const kOperators[] = {"Add",
                                  "And",
                                  "ArgMax",
                                  "BitShift",
                                  "Cast",
                                  "Clip",
                                  "Concat",
                                  "ConstantOfShape",
                                  "Cos",
                                  "DequantizeLinear",
                                  "Div",
                                  "Equal",
                                  "Erf",
                                  "Gather",
                                  "GatherElements",
                                  "Greater",
                                  "GreaterOrEqual",
                                  "Identity",
                                  "LayerNormalization",
                                  "Less",
                                  "LessOrEqual",
                                  "MatMul",
                                  "Max",
                                  "Min",
                                  "Mod",
                                  "Mul",
                                  "Neg",
                                  "Not",
                                  "Or",
                                  "Pow",
                                  "Range",
                                  "ReduceMax",
                                  "ReduceMean",
                                  "ReduceSum",
                                  "Relu",
                                  "Reshape",
                                  "Shape",
                                  "Sigmoid",
                                  "Sin",
                                  "Slice",
                                  "Softmax",
                                  "Split",
                                  "Sqrt",
                                  "Squeeze",
                                  "Sub",
                                  "Tanh",
                                  "Transpose",
                                  "Unsqueeze",
                                  "Where"};

// Multiplies without overflow; zeros are left out, because what divides by a product leaves them out too.
void grow(int64_t &product, int64_t value) {
  if (value < 0 || value > kMaxElements) throw Refusal("a dimension that is negative or beyond 2^48");
  if (value == 0) return;
  if (product > kMaxElements / value) throw Refusal("a tensor of more than 2^48 elements");
  product *= value;
}

void check(const onnx::TypeProto *type) {
  if (type == nullptr || type->value_case() == onnx::TypeProto::VALUE_NOT_SET) return;
  if (!type->has_tensor_type()) throw Refusal("a value that is no tensor");
  const auto &shape = type->tensor_type().shape();
  if (shape.dim_size() > kMaxRank) throw Refusal("a tensor of more than 8 axes");
  int64_t product = 1;
  for (const auto &dim : shape.dim()) grow(product, dim.has_dim_value() ? dim.dim_value() : 1);
}

// An input whose numbers become dimensions. Constants are int64 in raw_data, of exact size.
void check_dimensions(const onnx::TensorProto *constant) {
  if (constant == nullptr) return;
  int64_t product = 1;
  const std::string &raw = constant->raw_data();
  for (size_t at = 0; at + sizeof(int64_t) <= raw.size(); at += sizeof(int64_t)) {
    int64_t value = 0;
    std::memcpy(&value, raw.data() + at, sizeof value);
    grow(product, value == -1 ? 1 : value);
  }
}

void check_inputs(onnx::InferenceContext &context, const std::string &name) {
  for (size_t i = 0; i < context.getNumInputs(); ++i) check(context.getInputType(i));
  if (context.getNumOutputs() == 0) throw Refusal(name + " without outputs");
  if (name == "Reshape" && context.getNumInputs() > 1) check_dimensions(context.getInputData(1));
  if (name == "LayerNormalization" && context.getNumOutputs() > 1) throw Refusal("LayerNormalization with several outputs");
  if (name != "ConstantOfShape" || context.getNumInputs() == 0) return;
  check_dimensions(context.getInputData(0));
  const onnx::TypeProto *type = context.getInputType(0);
  if (type == nullptr || !type->tensor_type().has_shape()) return;
  const auto &shape = type->tensor_type().shape();
  if (shape.dim_size() == 1 && shape.dim(0).has_dim_value() && shape.dim(0).dim_value() > kMaxRank) {
    throw Refusal("ConstantOfShape of more than 8 axes");
  }
}

class GuardedSchemas final : public onnx::ISchemaRegistry {
 public:
  GuardedSchemas() {
    const auto &all = *onnx::OpSchemaRegistry::Instance();
    for (const char *name : kOperators) {
      const bool is_or_equal = std::strstr(name, "OrEqual") != nullptr;
      const onnx::OpSchema *own = all.GetSchema(name, kCheckedOpset, onnx::ONNX_DOMAIN);
      const onnx::OpSchema *inferring = is_or_equal ? all.GetSchema("Greater", kCheckedOpset, onnx::ONNX_DOMAIN) : own;
      if (own == nullptr || inferring == nullptr) continue;
      onnx::OpSchema schema(*own);
      schema.TypeAndShapeInferenceFunction(guard(name, *inferring));
      schemas_.emplace(name, std::move(schema));
    }
  }

  const onnx::OpSchema *GetSchema(const std::string &key, const int, const std::string &domain) const override {
    const auto found = schemas_.find(key);
    return domain.empty() && found != schemas_.end() ? &found->second : nullptr;
  }

 private:
  static onnx::InferenceFunction guard(const char *name, const onnx::OpSchema &schema) {
    onnx::InferenceFunction infer;
    if (schema.has_type_and_shape_inference_function()) infer = schema.GetTypeAndShapeInferenceFunction();
    return [infer, name = std::string(name)](onnx::InferenceContext &context) {
      check_inputs(context, name);
      if (infer) infer(context);
      for (size_t i = 0; i < context.getNumOutputs(); ++i) check(context.getOutputType(i));
    };
  }

  std::unordered_map<std::string, onnx::OpSchema> schemas_;
};

}  // namespace

bool is_checked_operator(const std::string &op_type) {
  static const std::set<std::string> names(std::begin(kOperators), std::end(kOperators));
  return names.count(op_type) > 0;
}

const onnx::ISchemaRegistry &guarded_schemas() {
  static const GuardedSchemas schemas;
  return schemas;
}

}  // namespace rox
