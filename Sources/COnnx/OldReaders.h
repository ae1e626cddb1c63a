// What made f32 values of the weights before their type changes.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <onnx/onnx_pb.h>

#include "Rewiring.h"

namespace rox {

// Names in a graph.
struct Names {
  std::set<std::string> outputs;  // of the graph
  std::set<std::string> values;   // all that are taken
  std::set<std::string> factors;  // scales and balances of weights that were INT8 or UINT8
  std::set<std::string> retyped;  // values that are gone or of another type
};

// Finds the nodes by which the weights in `changes` are read, takes them out, and gives the weight to those that read their f32
// value. Throws Failure where a node reads a weight in a way that cannot be followed.
class OldReaders {
 public:
  OldReaders(onnx::GraphProto &graph, const std::map<std::string, TypeChange> &changes, Names &names)
      : graph_(graph), changes_(changes), names_(names) {}

  void run();

 private:
  void note_names();
  void check_weight(const std::string &name, const TypeChange &change);
  void find();
  void note_old_reader(int index, int input, const std::string &weight, int32_t from);
  // DequantizeLinear alone, or between two Reshapes, and Mul by the factors of the columns.
  void note_dequantized(int index, const std::string &weight);
  // Reshape; Mod and BitShift; Concat, Cast, Sub, Mul by the scales; Reshape, and Mul by the factors of the columns.
  void note_unpacked(int index, const std::string &weight);
  // The scales that a Mul is given, through Cast and Reshape.
  void remove_scales(int mul, const std::string &weight);
  // Node `index` makes the weight, or what Mul by the factors of its columns makes it of.
  void note_widened(int index, const std::string &weight);
  int pass_reshape(int index, const std::string &weight);
  // As `pass`, to a node of this operator.
  int pass_on(int index, const char *op_type, const std::string &weight);
  // Node `index` goes with the value that it makes for one other node; the number of that one.
  int pass(int index, const std::string &weight, int input = 0);
  // The constant that a node is given, such as the shape of a Reshape, goes with it.
  void remove_constant(int reader, const std::string &weight);
  // Rows that are looked up are widened afterwards. The widened value is kept: it is what the rest of the graph reads.
  void note_gathered(int gather, const std::string &weight);
  // Node `index` goes; who read its output reads `value`.
  void replace(int index, const std::string &output, const std::string &value);
  [[noreturn]] void strange(const onnx::NodeProto &node, const std::string &weight);
  void remove();

  onnx::GraphProto &graph_;
  const std::map<std::string, TypeChange> &changes_;
  Names &names_;
  std::vector<std::pair<int, std::string>> factor_readers_;    // nodes, which go with the weights
  std::unordered_map<std::string, int> makers_;                // nodes by the value that they make
  std::unordered_map<std::string, std::vector<int>> readers_;  // of values, before any change
  std::set<int> removed_;                                      // nodes
  std::map<int, std::string> gathered_;                        // nodes and their new output
  std::map<std::string, std::string> replaced_;                // values that are gone, and what takes their place
};

}  // namespace rox
