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

[[noreturn]] void refuse(const std::string &subject, const std::string &expected, const std::string &found) {
  fail(ROX_UNSUPPORTED, subject, expected, found);
}

bool is_standard(const NodeProto &node, const char *op_type) {
  return node.op_type() == op_type && (node.domain().empty() || node.domain() == "ai.onnx");
}

int64_t attribute(const NodeProto &node, const char *name, int64_t otherwise) {
  for (const auto &attribute : node.attribute()) {
    if (attribute.name() == name) return attribute.i();
  }
  return otherwise;
}

void set_attribute(NodeProto &node, const char *name, int64_t value) {
  auto *attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INT);
  attribute->set_i(value);
}

// One weight's change is two steps: first its readers are given the f32 value itself, then what makes f32 of the new type.
class Rewiring {
 public:
  Rewiring(onnx::ModelProto &model, const std::map<std::string, TypeChange> &changes)
      : model_(model), graph_(*model.mutable_graph()), changes_(changes) {}

  void run() {
    check_model();
    note_names();
    for (const auto &[name, change] : changes_) check_weight(name, change);
    find_old_readers();
    remove_old_readers();
    add_new_readers();
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

  void note_names() {
    for (const auto &output : graph_.output()) outputs_.insert(output.name());
    for (const auto &input : graph_.input()) names_.insert(input.name());
    for (const auto &initializer : graph_.initializer()) names_.insert(initializer.name());
    for (int i = 0; i < graph_.node_size(); ++i) {
      const NodeProto &node = graph_.node(i);
      // A graph inside a node could read a weight unseen.
      for (const auto &attribute : node.attribute()) {
        if (attribute.has_g() || attribute.graphs_size() > 0) {
          refuse("node " + node.name(), "no graph inside a node", node.op_type());
        }
      }
      if (node.output_size() == 1) makers_[node.output(0)] = i;
      for (const auto &output : node.output()) {
        if (changes_.count(output) > 0) refuse("value " + output, "a weight", "the output of a node too");
        names_.insert(output);
      }
      for (const auto &input : node.input()) readers_[input].push_back(i);
    }
  }

  void check_weight(const std::string &name, const TypeChange &change) {
    if (outputs_.count(name) > 0) refuse("weight " + name, "one that is no output of the graph", "an output");
    for (const std::string &factors : {scale_name(name), balance_name(name)}) {
      if (has_scales(change.from)) {
        factors_.insert(factors);
      } else if (has_scales(change.to) && names_.count(factors) > 0) {
        refuse("value " + factors, "a free name, for the scales", "a value");
      }
    }
  }

  void find_old_readers() {
    const Nodes &nodes = graph_.node();
    for (int i = 0; i < nodes.size(); ++i) {
      for (int input = 0; input < nodes[i].input_size(); ++input) {
        const auto change = changes_.find(nodes[i].input(input));
        if (change != changes_.end() && change->second.from != ROX_FLOAT) {
          note_old_reader(i, input, change->first, change->second.from);
        } else if (factors_.count(nodes[i].input(input)) > 0 && removed_.count(i) == 0) {
          factor_readers_.emplace_back(i, nodes[i].input(input));
        }
      }
    }
    for (const auto &[index, factors] : factor_readers_) {
      if (removed_.count(index) == 0) strange(nodes.Get(index), factors);
    }
  }

  void note_old_reader(int index, int input, const std::string &weight, int32_t from) {
    const NodeProto &node = graph_.node(index);
    if (input != 0 || node.output_size() != 1) strange(node, weight);
    if (from == ROX_INT8) {
      note_dequantized(index, weight);
    } else if (from == ROX_UINT8) {
      note_unpacked(index, weight);
    } else if (is_cast(node)) {
      replace(index, node.output(0), weight);
    } else if (is_standard(node, "Gather")) {
      note_gathered(index, weight);
    } else {
      strange(node, weight);
    }
  }

  // DequantizeLinear alone, or between two Reshapes, and Mul by the factors of the columns.
  void note_dequantized(int index, const std::string &weight) {
    const bool is_grouped = is_standard(graph_.node(index), "Reshape");
    if (is_grouped) index = pass_reshape(index, weight);
    const NodeProto &node = graph_.node(index);
    const bool is_plain = is_standard(node, "DequantizeLinear") && node.input_size() == 2 && node.output_size() == 1
                          && node.input(1) == scale_name(weight) && attribute(node, "axis", 1) == 0;
    if (!is_plain) strange(node, weight);
    if (is_grouped) {
      index = pass_on(index, "Reshape", weight);
      remove_shape(index, weight);
    }
    note_widened(index, weight);
  }

  // Reshape; Mod and BitShift; Concat, Cast, Sub, Mul by the scales; Reshape, and Mul by the factors of the columns.
  void note_unpacked(int index, const std::string &weight) {
    const NodeProto &groups = graph_.node(index);
    if (!is_standard(groups, "Reshape")) strange(groups, weight);
    remove_shape(index, weight);
    const auto &halves = readers_[groups.output(0)];
    if (halves.size() != 2 || outputs_.count(groups.output(0)) > 0) strange(groups, weight);
    const NodeProto &low = graph_.node(halves[0]), &high = graph_.node(halves[1]);
    const bool are_halves =
        is_standard(low, "Mod") && is_standard(high, "BitShift") && low.output_size() == 1 && high.output_size() == 1;
    if (!are_halves) strange(groups, weight);
    removed_.insert(index);
    retyped_.insert(groups.output(0));
    int join = -1;
    for (const int half : halves) {
      remove_constant(half, weight);
      const std::string &value = graph_.node(half).output(0);
      const auto &readers = readers_[value];
      if (readers.size() != 1 || outputs_.count(value) > 0 || (join >= 0 && join != readers[0]))
        strange(graph_.node(half), weight);
      join = readers[0];
      removed_.insert(half);
      retyped_.insert(value);
    }
    const NodeProto &both = graph_.node(join);
    if (!is_standard(both, "Concat") || both.input_size() != 2 || both.input(0) != low.output(0)) strange(both, weight);
    index = pass_on(join, "Cast", weight);
    index = pass_on(index, "Sub", weight);
    remove_constant(index, weight);
    index = pass_on(index, "Mul", weight);
    remove_scales(index, weight);
    index = pass_on(index, "Reshape", weight);
    remove_shape(index, weight);
    note_widened(index, weight);
  }

  // The scales that a Mul is given, through Cast and Reshape.
  void remove_scales(int mul, const std::string &weight) {
    const NodeProto &node = graph_.node(mul);
    const auto maker = node.input_size() == 2 ? makers_.find(node.input(1)) : makers_.end();
    if (maker == makers_.end() || !is_standard(graph_.node(maker->second), "Reshape")) strange(node, weight);
    const NodeProto &rows = graph_.node(maker->second);
    const auto cast = makers_.find(rows.input_size() == 2 ? rows.input(0) : std::string());
    if (cast == makers_.end() || !is_cast(graph_.node(cast->second)) || graph_.node(cast->second).input_size() != 1
        || graph_.node(cast->second).input(0) != scale_name(weight)) {
      strange(node, weight);
    }
    remove_shape(maker->second, weight);
    pass(cast->second, weight);
    pass(maker->second, weight, 1);
  }

  // Node `index` makes the weight, or what Mul by the factors of its columns makes it of.
  void note_widened(int index, const std::string &weight) {
    if (names_.count(balance_name(weight)) > 0) {
      index = pass(index, weight);
      const NodeProto &last = graph_.node(index);
      const bool is_balanced = is_standard(last, "Mul") && last.input_size() == 2 && last.output_size() == 1
                               && last.input(1) == balance_name(weight);
      if (!is_balanced) strange(last, weight);
    }
    replace(index, graph_.node(index).output(0), weight);
  }

  int pass_reshape(int index, const std::string &weight) {
    remove_shape(index, weight);
    return pass(index, weight);
  }

  // As `pass`, to a node of this operator.
  int pass_on(int index, const char *op_type, const std::string &weight) {
    const int next = pass(index, weight);
    if (!is_standard(graph_.node(next), op_type)) strange(graph_.node(next), weight);
    return next;
  }

  // Node `index` goes with the value that it makes for one other node; the number of that one.
  int pass(int index, const std::string &weight, int input = 0) {
    const NodeProto &node = graph_.node(index);
    if (node.output_size() != 1) strange(node, weight);
    const std::string value = node.output(0);
    const auto &readers = readers_[value];
    if (readers.size() != 1 || outputs_.count(value) > 0 || graph_.node(readers[0]).input_size() <= input
        || graph_.node(readers[0]).input(input) != value) {
      strange(node, weight);
    }
    removed_.insert(index);
    retyped_.insert(value);
    return readers[0];
  }

  void remove_shape(int reshape, const std::string &weight) { remove_constant(reshape, weight); }

  // The constant that a node is given, such as the shape of a Reshape, goes with it.
  void remove_constant(int reader, const std::string &weight) {
    const NodeProto &node = graph_.node(reader);
    const auto maker = node.input_size() == 2 ? makers_.find(node.input(1)) : makers_.end();
    const bool is_constant = maker != makers_.end() && is_standard(graph_.node(maker->second), "Constant")
                             && readers_[node.input(1)].size() == 1 && outputs_.count(node.input(1)) == 0;
    if (!is_constant) strange(node, weight);
    removed_.insert(maker->second);
  }

  // Rows that are looked up are widened afterwards. The widened value is kept: it is what the rest of the graph reads.
  void note_gathered(int gather, const std::string &weight) {
    const std::string narrow = graph_.node(gather).output(0);
    if (outputs_.count(narrow) > 0) strange(graph_.node(gather), weight);
    std::string wide;
    for (const int i : readers_[narrow]) {
      const NodeProto &node = graph_.node(i);
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

  bool is_cast(const NodeProto &node) const {
    return is_standard(node, "Cast") && attribute(node, "to", 0) == onnx::TensorProto::FLOAT;
  }

  // Node `index` goes; who read its output reads `value`.
  void replace(int index, const std::string &output, const std::string &value) {
    if (outputs_.count(output) > 0) refuse("weight " + value, "one that is no output of the graph", "an output");
    removed_.insert(index);
    replaced_[output] = value;
    retyped_.insert(output);
  }

  [[noreturn]] void strange(const NodeProto &node, const std::string &weight) {
    refuse("node " + node.name(),
           "a weight read as docs/format.md says, through Cast, Gather, DequantizeLinear or the numbers of q4",
           node.op_type() + " of " + weight);
  }

  void remove_old_readers() {
    Nodes kept;
    for (int i = 0; i < graph_.node_size(); ++i) {
      NodeProto &node = *graph_.mutable_node(i);
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
      for (auto &input : *node.mutable_input()) {
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

  // The few rows that are looked up are widened, not the table.
  void gather_narrow(NodeProto &node) {
    const std::string wide = node.output(0);
    const std::string narrow = fresh(wide + "/stored");
    node.set_output(0, narrow);
    *graph_.add_node() = std::move(node);
    add_cast(narrow, wide, wide + "/cast");
  }

  // The f32 value of a weight; what makes it stands before its first reader.
  const std::string &widened(const std::string &weight, int32_t type) {
    std::string &value = widened_[weight];
    if (!value.empty()) return value;
    value = fresh(weight + "/f32");
    if (!has_scales(type)) {
      add_cast(weight, value, value);
      return value;
    }
    if (type == ROX_UINT8) return unpacked(weight, value);
    const TypeChange &change = changes_.at(weight);
    const bool is_grouped = change.group != change.columns;
    const std::string joined = change.is_balanced ? fresh(weight + "/unbalanced") : value;
    const std::string dequantized = is_grouped ? fresh(weight + "/groups/f32") : joined;
    const std::string rows = is_grouped ? add_reshape(weight, fresh(weight + "/groups"), change.group) : weight;
    add_node("DequantizeLinear", rows, scale_name(weight), dequantized)->set_name(dequantized);
    set_attribute(*graph_.mutable_node(graph_.node_size() - 1), "axis", 0);
    if (is_grouped) add_reshape(dequantized, joined, change.columns);
    if (change.is_balanced) add_node("Mul", joined, balance_name(weight), value);
    return value;
  }

  // Groups of numbers, two in a byte, become numbers, f32, 8 less, times the scale of their group, and rows again.
  const std::string &unpacked(const std::string &weight, const std::string &value) {
    const TypeChange &change = changes_.at(weight);
    const std::string groups = add_reshape(weight, fresh(weight + "/groups"), change.group / 2);
    const std::string low = fresh(weight + "/low"), high = fresh(weight + "/high");
    add_node("Mod", groups, add_constant(low + "/divisor", onnx::TensorProto::UINT8, 16), low);
    auto *shift = add_node("BitShift", groups, add_constant(high + "/bits", onnx::TensorProto::UINT8, 4), high);
    auto *direction = shift->add_attribute();
    direction->set_name("direction");
    direction->set_type(onnx::AttributeProto::STRING);
    direction->set_s("RIGHT");
    const std::string numbers = fresh(weight + "/numbers"), wide = fresh(weight + "/numbers/f32");
    set_attribute(*add_node("Concat", low, high, numbers), "axis", 1);
    add_cast(numbers, wide, wide);
    const std::string centred = fresh(weight + "/numbers/signed");
    add_node("Sub", wide, add_constant(centred + "/8", onnx::TensorProto::FLOAT, 8), centred);
    const std::string scales = fresh(scale_name(weight) + "/f32");
    add_cast(scale_name(weight), scales, scales);
    const std::string column = add_reshape(scales, fresh(scale_name(weight) + "/column"), 1);
    const std::string scaled = fresh(weight + "/groups/f32");
    add_node("Mul", centred, column, scaled);
    const std::string joined = change.is_balanced ? fresh(weight + "/unbalanced") : value;
    add_reshape(scaled, joined, change.columns);
    if (change.is_balanced) add_node("Mul", joined, balance_name(weight), value);
    return value;
  }

  // One number.
  std::string add_constant(const std::string &wanted, int32_t type, int number) {
    const std::string name = fresh(wanted);
    auto *node = graph_.add_node();
    node->set_op_type("Constant");
    node->set_name(name);
    node->add_output(name);
    auto *attribute = node->add_attribute();
    attribute->set_name("value");
    attribute->set_type(onnx::AttributeProto::TENSOR);
    attribute->mutable_t()->set_data_type(type);
    if (type == onnx::TensorProto::FLOAT) {
      attribute->mutable_t()->add_float_data(static_cast<float>(number));
    } else {
      attribute->mutable_t()->add_int32_data(number);
    }
    return name;
  }

  NodeProto *add_node(const char *op_type, const std::string &x, const std::string &y, const std::string &output) {
    auto *node = graph_.add_node();
    node->set_op_type(op_type);
    node->set_name(output);
    node->add_input(x);
    node->add_input(y);
    node->add_output(output);
    return node;
  }

  // Rows of `columns` values.
  const std::string &add_reshape(const std::string &from, const std::string &to, int64_t columns) {
    const std::string shape = fresh(to + "/shape");
    auto *node = graph_.add_node();
    node->set_op_type("Constant");
    node->set_name(shape);
    node->add_output(shape);
    auto *attribute = node->add_attribute();
    attribute->set_name("value_ints");
    attribute->set_type(onnx::AttributeProto::INTS);
    attribute->add_ints(-1);
    attribute->add_ints(columns);
    return add_node("Reshape", from, shape, to)->output(0);
  }

  void add_cast(const std::string &from, const std::string &to, const std::string &name) {
    auto *node = graph_.add_node();
    node->set_op_type("Cast");
    node->set_name(name);
    node->add_input(from);
    node->add_output(to);
    set_attribute(*node, "to", onnx::TensorProto::FLOAT);
  }

  std::string fresh(const std::string &wanted) {
    std::string name = wanted;
    for (int i = 2; !names_.insert(name).second; ++i) name = wanted + "." + std::to_string(i);
    return name;
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
      if (factors_.count(input.name()) == 0) inputs.Add(std::move(input));
    }
    for (auto &value : *graph_.mutable_value_info()) {
      const std::string &name = value.name();
      if (retyped_.count(name) + changes_.count(name) + factors_.count(name) == 0) values.Add(std::move(value));
    }
    graph_.mutable_input()->Swap(&inputs);
    graph_.mutable_value_info()->Swap(&values);
  }

  onnx::ModelProto &model_;
  onnx::GraphProto &graph_;
  const std::map<std::string, TypeChange> &changes_;
  std::set<std::string> outputs_;  // of the graph
  std::set<std::string> names_;    // of values
  std::set<std::string> factors_;  // scales and balances of weights that were INT8
  std::vector<std::pair<int, std::string>> factor_readers_;  // nodes, which go with the weights
  std::unordered_map<std::string, int> makers_;  // nodes by the value that they make
  std::unordered_map<std::string, std::vector<int>> readers_;  // of values, before any change
  std::set<int> removed_;          // nodes
  std::map<int, std::string> gathered_;            // nodes and their new output
  std::map<std::string, std::string> replaced_;    // values that nobody makes any more, and what takes their place
  std::set<std::string> retyped_;                  // values that are gone or of another type
  std::map<std::string, std::string> widened_;     // by weight
};

}  // namespace

void rewire(onnx::ModelProto &model, const std::map<std::string, TypeChange> &changes) {
  if (!changes.empty()) Rewiring(model, changes).run();
}

}  // namespace rox
