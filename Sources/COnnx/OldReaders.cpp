#include "OldReaders.h"

#include "Nodes.h"

namespace rox {

using onnx::NodeProto;

void OldReaders::run() {
  note_names();
  for (const auto &[name, change] : changes_) check_weight(name, change);
  find();
  remove();
}

void OldReaders::note_names() {
  for (const auto &output : graph_.output()) names_.outputs.insert(output.name());
  for (const auto &input : graph_.input()) names_.values.insert(input.name());
  for (const auto &initializer : graph_.initializer()) names_.values.insert(initializer.name());
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
      names_.values.insert(output);
    }
    for (const auto &input : node.input()) readers_[input].push_back(i);
  }
}

void OldReaders::check_weight(const std::string &name, const TypeChange &change) {
  if (names_.outputs.count(name) > 0) refuse("weight " + name, "one that is no output of the graph", "an output");
  for (const std::string &factors : {scale_name(name), balance_name(name)}) {
    if (has_scales(change.from)) {
      names_.factors.insert(factors);
    } else if (has_scales(change.to) && names_.values.count(factors) > 0) {
      refuse("value " + factors, "a free name, for the scales", "a value");
    }
  }
}

void OldReaders::find() {
  const auto &nodes = graph_.node();
  for (int i = 0; i < nodes.size(); ++i) {
    for (int input = 0; input < nodes[i].input_size(); ++input) {
      const auto change = changes_.find(nodes[i].input(input));
      if (change != changes_.end() && change->second.from != ROX_FLOAT) {
        note_old_reader(i, input, change->first, change->second.from);
      } else if (names_.factors.count(nodes[i].input(input)) > 0 && removed_.count(i) == 0) {
        factor_readers_.emplace_back(i, nodes[i].input(input));
      }
    }
  }
  for (const auto &[index, factors] : factor_readers_) {
    if (removed_.count(index) == 0) strange(nodes.Get(index), factors);
  }
}

void OldReaders::note_old_reader(int index, int input, const std::string &weight, int32_t from) {
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

void OldReaders::note_dequantized(int index, const std::string &weight) {
  const bool is_grouped = is_standard(graph_.node(index), "Reshape");
  if (is_grouped) index = pass_reshape(index, weight);
  const NodeProto &node = graph_.node(index);
  const bool is_plain = is_standard(node, "DequantizeLinear") && node.input_size() == 2 && node.output_size() == 1
                        && node.input(1) == scale_name(weight) && attribute(node, "axis", 1) == 0;
  if (!is_plain) strange(node, weight);
  if (is_grouped) {
    index = pass_on(index, "Reshape", weight);
    remove_constant(index, weight);
  }
  note_widened(index, weight);
}

void OldReaders::note_unpacked(int index, const std::string &weight) {
  const NodeProto &groups = graph_.node(index);
  if (!is_standard(groups, "Reshape")) strange(groups, weight);
  remove_constant(index, weight);
  const auto &halves = readers_[groups.output(0)];
  if (halves.size() != 2 || names_.outputs.count(groups.output(0)) > 0) strange(groups, weight);
  const NodeProto &low = graph_.node(halves[0]), &high = graph_.node(halves[1]);
  const bool are_halves =
      is_standard(low, "Mod") && is_standard(high, "BitShift") && low.output_size() == 1 && high.output_size() == 1;
  if (!are_halves) strange(groups, weight);
  removed_.insert(index);
  names_.retyped.insert(groups.output(0));
  int join = -1;
  for (const int half : halves) {
    remove_constant(half, weight);
    const std::string &value = graph_.node(half).output(0);
    const auto &readers = readers_[value];
    if (readers.size() != 1 || names_.outputs.count(value) > 0 || (join >= 0 && join != readers[0]))
      strange(graph_.node(half), weight);
    join = readers[0];
    removed_.insert(half);
    names_.retyped.insert(value);
  }
  const NodeProto &both = graph_.node(join);
  if (!is_standard(both, "Concat") || both.input_size() != 2 || both.input(0) != low.output(0)) strange(both, weight);
  index = pass_on(join, "Cast", weight);
  index = pass_on(index, "Sub", weight);
  remove_constant(index, weight);
  index = pass_on(index, "Mul", weight);
  remove_scales(index, weight);
  index = pass_on(index, "Reshape", weight);
  remove_constant(index, weight);
  note_widened(index, weight);
}

void OldReaders::remove_scales(int mul, const std::string &weight) {
  const NodeProto &node = graph_.node(mul);
  const auto maker = node.input_size() == 2 ? makers_.find(node.input(1)) : makers_.end();
  if (maker == makers_.end() || !is_standard(graph_.node(maker->second), "Reshape")) strange(node, weight);
  const NodeProto &rows = graph_.node(maker->second);
  const auto cast = makers_.find(rows.input_size() == 2 ? rows.input(0) : std::string());
  if (cast == makers_.end() || !is_cast(graph_.node(cast->second)) || graph_.node(cast->second).input_size() != 1
      || graph_.node(cast->second).input(0) != scale_name(weight)) {
    strange(node, weight);
  }
  remove_constant(maker->second, weight);
  pass(cast->second, weight);
  pass(maker->second, weight, 1);
}

void OldReaders::note_widened(int index, const std::string &weight) {
  if (names_.values.count(balance_name(weight)) > 0) {
    index = pass(index, weight);
    const NodeProto &last = graph_.node(index);
    const bool is_balanced =
        is_standard(last, "Mul") && last.input_size() == 2 && last.output_size() == 1 && last.input(1) == balance_name(weight);
    if (!is_balanced) strange(last, weight);
  }
  replace(index, graph_.node(index).output(0), weight);
}

int OldReaders::pass_reshape(int index, const std::string &weight) {
  remove_constant(index, weight);
  return pass(index, weight);
}

int OldReaders::pass_on(int index, const char *op_type, const std::string &weight) {
  const int next = pass(index, weight);
  if (!is_standard(graph_.node(next), op_type)) strange(graph_.node(next), weight);
  return next;
}

int OldReaders::pass(int index, const std::string &weight, int input) {
  const NodeProto &node = graph_.node(index);
  if (node.output_size() != 1) strange(node, weight);
  const std::string value = node.output(0);
  const auto &readers = readers_[value];
  if (readers.size() != 1 || names_.outputs.count(value) > 0 || graph_.node(readers[0]).input_size() <= input
      || graph_.node(readers[0]).input(input) != value) {
    strange(node, weight);
  }
  removed_.insert(index);
  names_.retyped.insert(value);
  return readers[0];
}

void OldReaders::remove_constant(int reader, const std::string &weight) {
  const NodeProto &node = graph_.node(reader);
  const auto maker = node.input_size() == 2 ? makers_.find(node.input(1)) : makers_.end();
  const bool is_constant = maker != makers_.end() && is_standard(graph_.node(maker->second), "Constant")
                           && readers_[node.input(1)].size() == 1 && names_.outputs.count(node.input(1)) == 0;
  if (!is_constant) strange(node, weight);
  removed_.insert(maker->second);
}

void OldReaders::note_gathered(int gather, const std::string &weight) {
  const std::string narrow = graph_.node(gather).output(0);
  if (names_.outputs.count(narrow) > 0) strange(graph_.node(gather), weight);
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
  names_.retyped.insert(narrow);
}

void OldReaders::replace(int index, const std::string &output, const std::string &value) {
  if (names_.outputs.count(output) > 0) refuse("weight " + value, "one that is no output of the graph", "an output");
  removed_.insert(index);
  replaced_[output] = value;
  names_.retyped.insert(output);
}

void OldReaders::strange(const NodeProto &node, const std::string &weight) {
  refuse("node " + node.name(),
         "a weight read as docs/format.md says, through Cast, Gather, DequantizeLinear or the numbers of q4",
         node.op_type() + " of " + weight);
}

void OldReaders::remove() {
  google::protobuf::RepeatedPtrField<onnx::NodeProto> kept;
  for (int i = 0; i < graph_.node_size(); ++i) {
    NodeProto &node = *graph_.mutable_node(i);
    if (removed_.count(i) > 0) {
      names_.values.erase(node.output(0));
      continue;
    }
    const auto gathered = gathered_.find(i);
    if (gathered != gathered_.end()) {
      names_.values.erase(node.output(0));
      names_.values.insert(gathered->second);
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

}  // namespace rox
