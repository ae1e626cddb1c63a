#include "Rewiring.h"

#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "Structure.h"

namespace rox {
namespace {

using onnx::NodeProto;
using Nodes = google::protobuf::RepeatedPtrField<NodeProto>;
using Values = google::protobuf::RepeatedPtrField<onnx::ValueInfoProto>;

// DequantizeLinear has an axis, and Cast and Gather know bfloat16, from here on.
constexpr int64_t kLeastOpset = 13;
// Initializers need not be inputs from here on.
constexpr int64_t kLeastIr = 4;

[[noreturn]] void refuse(const std::string& subject, const std::string& expected, const std::string& found) {
  fail(ROX_UNSUPPORTED, subject, expected, found);
}

bool is_standard(const NodeProto& node, const char* op_type) {
  return node.op_type() == op_type && (node.domain().empty() || node.domain() == "ai.onnx");
}

int64_t attribute(const NodeProto& node, const char* name, int64_t otherwise) {
  for (const auto& attribute : node.attribute()) {
    if (attribute.name() == name) return attribute.i();
  }
  return otherwise;
}

void set_attribute(NodeProto& node, const char* name, int64_t value) {
  auto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INT);
  attribute->set_i(value);
}

// One weight's change is two steps: first its readers are given the f32 value itself, then what makes f32 of the new type.
class Rewiring {
 public:
  Rewiring(onnx::ModelProto& model, const std::map<std::string, TypeChange>& changes)
      : model_(model), graph_(*model.mutable_graph()), changes_(changes) {}

  void run() {
    check_model();
    note_names();
    for (const auto& [name, change] : changes_) check_weight(name, change);
    find_old_readers();
    remove_old_readers();
    add_new_readers();
    correct_types();
  }

 private:
  void check_model() {
    int64_t opset = 0;
    for (const auto& import : model_.opset_import()) {
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

  void note_names() {
    for (const auto& output : graph_.output()) outputs_.insert(output.name());
    for (const auto& input : graph_.input()) names_.insert(input.name());
    for (const auto& initializer : graph_.initializer()) names_.insert(initializer.name());
    for (int i = 0; i < graph_.node_size(); ++i) {
      const NodeProto& node = graph_.node(i);
      // A graph inside a node could read a weight unseen.
      for (const auto& attribute : node.attribute()) {
        if (attribute.has_g() || attribute.graphs_size() > 0) {
          refuse("node " + node.name(), "no graph inside a node", node.op_type());
        }
      }
      for (const auto& output : node.output()) {
        if (changes_.count(output) > 0) refuse("value " + output, "a weight", "the output of a node too");
        names_.insert(output);
      }
      for (const auto& input : node.input()) readers_[input].push_back(i);
    }
  }

  void check_weight(const std::string& name, const TypeChange& change) {
    if (outputs_.count(name) > 0) refuse("weight " + name, "one that is no output of the graph", "an output");
    const std::string scale = scale_name(name);
    if (change.from == ROX_INT8) {
      scales_.insert(scale);
    } else if (change.to == ROX_INT8 && names_.count(scale) > 0) {
      refuse("value " + scale, "a free name, for the scales", "a value");
    }
  }

  void find_old_readers() {
    const Nodes& nodes = graph_.node();
    for (int i = 0; i < nodes.size(); ++i) {
      for (int input = 0; input < nodes[i].input_size(); ++input) {
        const auto change = changes_.find(nodes[i].input(input));
        if (change != changes_.end() && change->second.from != ROX_FLOAT) {
          note_old_reader(i, input, change->first, change->second.from);
        } else if (scales_.count(nodes[i].input(input)) > 0 && !is_standard(nodes[i], "DequantizeLinear")) {
          strange(nodes[i], nodes[i].input(input));
        }
      }
    }
  }

  void note_old_reader(int index, int input, const std::string& weight, int32_t from) {
    const NodeProto& node = graph_.node(index);
    if (input != 0 || node.output_size() != 1) strange(node, weight);
    if (from == ROX_INT8) {
      const bool is_plain = is_standard(node, "DequantizeLinear") && node.input_size() == 2 &&
                            node.input(1) == scale_name(weight) && attribute(node, "axis", 1) == 0;
      if (!is_plain) strange(node, weight);
      replace(index, node.output(0), weight);
    } else if (is_cast(node)) {
      replace(index, node.output(0), weight);
    } else if (is_standard(node, "Gather")) {
      note_gathered(index, weight);
    } else {
      strange(node, weight);
    }
  }

  // Rows that are looked up are widened afterwards. The widened value is kept: it is what the rest of the graph reads.
  void note_gathered(int gather, const std::string& weight) {
    const std::string narrow = graph_.node(gather).output(0);
    if (outputs_.count(narrow) > 0) strange(graph_.node(gather), weight);
    std::string wide;
    for (const int i : readers_[narrow]) {
      const NodeProto& node = graph_.node(i);
      if (!is_cast(node) || node.output_size() != 1) strange(node, weight);
      if (wide.empty()) {
        wide = node.output(0);
        removed_.insert(i);
      } else {
        replace(i, node.output(0), wide);
      }
    }
    if (!wide.empty()) gathered_[gather] = wide;
    retyped_.insert(narrow);
  }

  bool is_cast(const NodeProto& node) const {
    return is_standard(node, "Cast") && attribute(node, "to", 0) == onnx::TensorProto::FLOAT;
  }

  // Node `index` goes; who read its output reads `value`.
  void replace(int index, const std::string& output, const std::string& value) {
    if (outputs_.count(output) > 0) refuse("weight " + value, "one that is no output of the graph", "an output");
    removed_.insert(index);
    replaced_[output] = value;
    retyped_.insert(output);
  }

  [[noreturn]] void strange(const NodeProto& node, const std::string& weight) {
    refuse("node " + node.name(), "a weight read through Cast, Gather or DequantizeLinear as docs/format.md says",
           node.op_type() + " of " + weight);
  }

  void remove_old_readers() {
    Nodes kept;
    for (int i = 0; i < graph_.node_size(); ++i) {
      NodeProto& node = *graph_.mutable_node(i);
      if (removed_.count(i) > 0) {
        names_.erase(node.output(0));
        continue;
      }
      const auto gathered = gathered_.find(i);
      if (gathered != gathered_.end()) {
        names_.erase(node.output(0));
        names_.insert(gathered->second);
        node.set_output(0, gathered->second);
      }
      for (auto& input : *node.mutable_input()) {
        const auto value = replaced_.find(input);
        if (value != replaced_.end()) input = value->second;
      }
      kept.Add(std::move(node));
    }
    graph_.mutable_node()->Swap(&kept);
  }

  void add_new_readers() {
    Nodes nodes;
    nodes.Swap(graph_.mutable_node());
    for (auto& node : nodes) {
      const auto change = node.input_size() > 0 ? changes_.find(node.input(0)) : changes_.end();
      const bool gathers = change != changes_.end() && is_standard(node, "Gather") && node.output_size() == 1;
      if (gathers && (change->second.to == ROX_BFLOAT16 || change->second.to == ROX_FLOAT16)) {
        gather_narrow(node);
        continue;
      }
      for (auto& input : *node.mutable_input()) {
        const auto read = changes_.find(input);
        if (read != changes_.end() && read->second.to != ROX_FLOAT) input = widened(read->first, read->second.to);
      }
      *graph_.add_node() = std::move(node);
    }
  }

  // The few rows that are looked up are widened, not the table.
  void gather_narrow(NodeProto& node) {
    const std::string wide = node.output(0);
    const std::string narrow = fresh(wide + "/stored");
    node.set_output(0, narrow);
    *graph_.add_node() = std::move(node);
    add_cast(narrow, wide, wide + "/cast");
  }

  // The f32 value of a weight; what makes it stands before its first reader.
  const std::string& widened(const std::string& weight, int32_t type) {
    std::string& value = widened_[weight];
    if (!value.empty()) return value;
    value = fresh(weight + "/f32");
    if (type != ROX_INT8) {
      add_cast(weight, value, value);
      return value;
    }
    auto* node = graph_.add_node();
    node->set_op_type("DequantizeLinear");
    node->set_name(value);
    node->add_input(weight);
    node->add_input(scale_name(weight));
    node->add_output(value);
    set_attribute(*node, "axis", 0);
    return value;
  }

  void add_cast(const std::string& from, const std::string& to, const std::string& name) {
    auto* node = graph_.add_node();
    node->set_op_type("Cast");
    node->set_name(name);
    node->add_input(from);
    node->add_output(to);
    set_attribute(*node, "to", onnx::TensorProto::FLOAT);
  }

  std::string fresh(const std::string& wanted) {
    std::string name = wanted;
    for (int i = 2; !names_.insert(name).second; ++i) name = wanted + "." + std::to_string(i);
    return name;
  }

  // What the file says about the types of values that are gone or changed.
  void correct_types() {
    Values inputs, values;
    for (auto& input : *graph_.mutable_input()) {
      const auto change = changes_.find(input.name());
      if (change != changes_.end()) input.mutable_type()->mutable_tensor_type()->set_elem_type(change->second.to);
      // The caller writes scales for new INT8 only; an input without them would have to be fed.
      if (scales_.count(input.name()) == 0) inputs.Add(std::move(input));
    }
    for (auto& value : *graph_.mutable_value_info()) {
      const std::string& name = value.name();
      if (retyped_.count(name) + changes_.count(name) + scales_.count(name) == 0) values.Add(std::move(value));
    }
    graph_.mutable_input()->Swap(&inputs);
    graph_.mutable_value_info()->Swap(&values);
  }

  onnx::ModelProto& model_;
  onnx::GraphProto& graph_;
  const std::map<std::string, TypeChange>& changes_;
  std::set<std::string> outputs_;  // of the graph
  std::set<std::string> names_;    // of values
  std::set<std::string> scales_;   // of weights that were INT8
  std::unordered_map<std::string, std::vector<int>> readers_;  // of values, before any change
  std::set<int> removed_;          // nodes
  std::map<int, std::string> gathered_;            // nodes and their new output
  std::map<std::string, std::string> replaced_;    // values that nobody makes any more, and what takes their place
  std::set<std::string> retyped_;                  // values that are gone or of another type
  std::map<std::string, std::string> widened_;     // by weight
};

}  // namespace

void rewire(onnx::ModelProto& model, const std::map<std::string, TypeChange>& changes) {
  if (!changes.empty()) Rewiring(model, changes).run();
}

}  // namespace rox
