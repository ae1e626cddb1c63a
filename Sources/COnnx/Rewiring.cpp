#include "Rewiring.h"

#include <set>
#include <utility>

#include "Nodes.h"
#include "OldReaders.h"

namespace rox {
namespace {

using onnx::NodeProto;
using Values = google::protobuf::RepeatedPtrField<onnx::ValueInfoProto>;

// DequantizeLinear has an axis, and Cast and Gather know bfloat16, from here on.
constexpr int64_t kLeastOpset = 13;
// Initializers need not be inputs from here on.
constexpr int64_t kLeastIr = 4;

// Gives each reader of a weight what makes f32 of its new type.
class NewReaders {
 public:
  NewReaders(onnx::GraphProto &graph, const std::map<std::string, TypeChange> &changes, std::set<std::string> &values)
      : graph_(graph), changes_(changes), make_(graph, values) {}

  void run() {
    google::protobuf::RepeatedPtrField<NodeProto> nodes;
    nodes.Swap(graph_.mutable_node());
    for (auto &node : nodes) {
      const auto change = node.input_size() > 0 ? changes_.find(node.input(0)) : changes_.end();
      const bool gathers = change != changes_.end() && is_standard(node, "Gather") && node.output_size() == 1;
      if (gathers && (change->second.to == ROX_BFLOAT16 || change->second.to == ROX_FLOAT16)) {
        gather_narrow(node);
        continue;
      }
      for (auto &input : *node.mutable_input()) {
        const auto read = changes_.find(input);
        if (read != changes_.end() && read->second.to != ROX_FLOAT) input = widened(read->first, read->second.to);
      }
      *graph_.add_node() = std::move(node);
    }
  }

 private:
  // The few rows that are looked up are widened, not the table.
  void gather_narrow(NodeProto &node) {
    const std::string wide = node.output(0);
    const std::string narrow = make_.fresh(wide + "/stored");
    node.set_output(0, narrow);
    *graph_.add_node() = std::move(node);
    make_.add_cast(narrow, wide, wide + "/cast");
  }

  // The f32 value of a weight; what makes it stands before its first reader.
  const std::string &widened(const std::string &weight, int32_t type) {
    std::string &value = widened_[weight];
    if (!value.empty()) return value;
    value = make_.fresh(weight + "/f32");
    if (!has_scales(type)) {
      make_.add_cast(weight, value, value);
      return value;
    }
    if (type == ROX_UINT8) return unpacked(weight, value);
    const TypeChange &change = changes_.at(weight);
    const bool is_grouped = change.group != change.columns;
    const std::string joined = change.is_balanced ? make_.fresh(weight + "/unbalanced") : value;
    const std::string dequantized = is_grouped ? make_.fresh(weight + "/groups/f32") : joined;
    const std::string rows = is_grouped ? make_.add_reshape(weight, make_.fresh(weight + "/groups"), change.group) : weight;
    make_.add_node("DequantizeLinear", rows, scale_name(weight), dequantized)->set_name(dequantized);
    set_attribute(*graph_.mutable_node(graph_.node_size() - 1), "axis", 0);
    if (is_grouped) make_.add_reshape(dequantized, joined, change.columns);
    if (change.is_balanced) make_.add_node("Mul", joined, balance_name(weight), value);
    return value;
  }

  // Groups of numbers, two in a byte, become numbers, f32, 8 less, times the scale of their group, and rows again.
  const std::string &unpacked(const std::string &weight, const std::string &value) {
    const TypeChange &change = changes_.at(weight);
    const std::string groups = make_.add_reshape(weight, make_.fresh(weight + "/groups"), change.group / 2);
    const std::string low = make_.fresh(weight + "/low"), high = make_.fresh(weight + "/high");
    make_.add_node("Mod", groups, make_.add_constant(low + "/divisor", onnx::TensorProto::UINT8, 16), low);
    auto *shift = make_.add_node("BitShift", groups, make_.add_constant(high + "/bits", onnx::TensorProto::UINT8, 4), high);
    auto *direction = shift->add_attribute();
    direction->set_name("direction");
    direction->set_type(onnx::AttributeProto::STRING);
    direction->set_s("RIGHT");
    const std::string numbers = make_.fresh(weight + "/numbers"), wide = make_.fresh(weight + "/numbers/f32");
    set_attribute(*make_.add_node("Concat", low, high, numbers), "axis", 1);
    make_.add_cast(numbers, wide, wide);
    const std::string centred = make_.fresh(weight + "/numbers/signed");
    make_.add_node("Sub", wide, make_.add_constant(centred + "/8", onnx::TensorProto::FLOAT, 8), centred);
    const std::string scales = make_.fresh(scale_name(weight) + "/f32");
    make_.add_cast(scale_name(weight), scales, scales);
    const std::string column = make_.add_reshape(scales, make_.fresh(scale_name(weight) + "/column"), 1);
    const std::string scaled = make_.fresh(weight + "/groups/f32");
    make_.add_node("Mul", centred, column, scaled);
    const std::string joined = change.is_balanced ? make_.fresh(weight + "/unbalanced") : value;
    make_.add_reshape(scaled, joined, change.columns);
    if (change.is_balanced) make_.add_node("Mul", joined, balance_name(weight), value);
    return value;
  }

  onnx::GraphProto &graph_;
  const std::map<std::string, TypeChange> &changes_;
  NodeMaker make_;
  std::map<std::string, std::string> widened_;  // by weight
};

// One weight's change is two steps: first its readers are given the f32 value itself, then what makes f32 of the new type.
class Rewiring {
 public:
  Rewiring(onnx::ModelProto &model, const std::map<std::string, TypeChange> &changes)
      : model_(model), graph_(*model.mutable_graph()), changes_(changes) {}

  void run() {
    check_model();
    OldReaders(graph_, changes_, names_).run();
    NewReaders(graph_, changes_, names_.values).run();
    correct_types();
  }

 private:
  void check_model() {
    int64_t opset = 0;
    for (const auto &import : model_.opset_import()) {
      if (import.domain().empty() || import.domain() == "ai.onnx") opset = import.version();
    }
    if (opset < kLeastOpset) refuse("ONNX opset", std::to_string(kLeastOpset) + " or newer", std::to_string(opset));
    if (model_.ir_version() < kLeastIr) {
      refuse("ONNX IR version", std::to_string(kLeastIr) + " or newer", std::to_string(model_.ir_version()));
    }
    if (model_.functions_size() > 0 || model_.training_info_size() > 0) {
      refuse("ONNX model", "a graph alone", "functions or training information");
    }
  }

  // What the file says about the types of values that are gone or changed.
  void correct_types() {
    Values inputs, values;
    for (auto &input : *graph_.mutable_input()) {
      const auto change = changes_.find(input.name());
      if (change != changes_.end()) {
        auto *type = input.mutable_type()->mutable_tensor_type();
        type->set_elem_type(change->second.to);
        if (change->second.from == ROX_UINT8 || change->second.to == ROX_UINT8) type->clear_shape();
      }
      // The caller writes scales for new INT8 only; an input without them would have to be fed.
      if (names_.factors.count(input.name()) == 0) inputs.Add(std::move(input));
    }
    for (auto &value : *graph_.mutable_value_info()) {
      const std::string &name = value.name();
      if (names_.retyped.count(name) + changes_.count(name) + names_.factors.count(name) == 0) values.Add(std::move(value));
    }
    graph_.mutable_input()->Swap(&inputs);
    graph_.mutable_value_info()->Swap(&values);
  }

  onnx::ModelProto &model_;
  onnx::GraphProto &graph_;
  const std::map<std::string, TypeChange> &changes_;
  Names names_;
};

}  // namespace

void rewire(onnx::ModelProto &model, const std::map<std::string, TypeChange> &changes) {
  if (!changes.empty()) Rewiring(model, changes).run();
}

}  // namespace rox
