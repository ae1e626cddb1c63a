// Writes a model again: the graph as one message, the initializers after it in the order of the file, their data left out.
#include <climits>
#include <map>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <vector>

#include <google/protobuf/stubs/logging.h>

#include "Model.h"
#include "Rewiring.h"
#include "Room.h"

namespace rox {
namespace {

// Tags of the fields that are put together here: field number · 8 + kBytes.
constexpr char kModelGraph = 7 << 3 | kBytes;
constexpr char kGraphInitializer = 5 << 3 | kBytes;
constexpr char kTensorRawData = 9 << 3 | kBytes;

struct Piece {
  std::string bytes;
  rox_data data = ROX_NO_DATA;
  size_t storage = 0;
  uint64_t data_size = 0;
};

void put_field(std::string &out, char tag, uint64_t size) {
  out.push_back(tag);
  for (; size > 0x7F; size >>= 7) out.push_back(static_cast<char>((size & 0x7F) | 0x80));
  out.push_back(static_cast<char>(size));
}

class Writing {
 public:
  Writing(const rox_model &model, const rox_storage *storages, size_t count, const std::string &location)
      : model_(model), storages_(storages), location_(location) {
    for (size_t i = 0; i < count; ++i) by_tensor_[storages[i].tensor] = i;
  }

  std::vector<Piece> run() {
    google::protobuf::LogSilencer silence;
    // A copy, what is put into it, and the bytes of both.
    require_room(4 * model_.proto.SpaceUsedLong());
    onnx::ModelProto proto(model_.proto);
    rewire(proto, changes());
    for (size_t i = 0; i < model_.structure.payloads.size(); ++i) initializer(i);
    onnx::GraphProto graph;
    graph.Swap(proto.mutable_graph());
    proto.clear_graph();
    graph.clear_initializer();
    prepend(proto.SerializeAsString(), graph.SerializeAsString());
    return std::move(pieces_);
  }

 private:
  std::map<std::string, TypeChange> changes() {
    std::map<std::string, TypeChange> changes;
    for (const auto &[tensor, storage] : by_tensor_) {
      const auto &from = model_.graph().initializer(static_cast<int>(tensor));
      const int32_t to = storages_[storage].data_type;
      if (from.data_type() != to) changes[from.name()] = change(from, storages_[storage]);
      // Written again, or not needed any more.
      if (!has_scales(from.data_type())) continue;
      old_scales_.insert(scale_name(from.name()));
      old_scales_.insert(balance_name(from.name()));
    }
    return changes;
  }

  static int64_t columns_of(const onnx::TensorProto &matrix) {
    const auto bytes = static_cast<uint64_t>(matrix.dims(1));
    return static_cast<int64_t>(matrix.data_type() == ROX_UINT8 ? 2 * bytes : bytes);
  }

  static TypeChange change(const onnx::TensorProto &from, const rox_storage &storage) {
    TypeChange change = {from.data_type(), storage.data_type, 0, 0, storage.balance_count > 0};
    if (from.dims_size() != 2 || storage.scale_count == 0) return change;
    change.columns = columns_of(from);
    const int64_t rows = from.dims(0);
    const int64_t groups = rows > 0 ? static_cast<int64_t>(storage.scale_count) / rows : 0;
    change.group = groups > 0 ? change.columns / groups : change.columns;
    return change;
  }

  void initializer(size_t index) {
    const auto &from = model_.graph().initializer(static_cast<int>(index));
    const auto found = by_tensor_.find(index);
    if (found != by_tensor_.end()) return tensor(from, found->second);
    if (old_scales_.count(from.name()) > 0) return;
    if (from.data_location() == onnx::TensorProto::EXTERNAL) {
      fail(ROX_UNSUPPORTED, from.name(), "its data inside the model", "external data");
    }
    const Payload &payload = model_.structure.payloads[index];
    Piece &piece = open_piece();
    put_field(piece.bytes, kGraphInitializer, payload.body_size);
    piece.bytes.append(reinterpret_cast<const char *>(payload.body), payload.body_size);
  }

  void tensor(const onnx::TensorProto &from, size_t storage) {
    const rox_storage &wanted = storages_[storage];
    onnx::TensorProto proto(from);
    proto.set_data_type(wanted.data_type);
    if (has_scales(from.data_type()) || has_scales(wanted.data_type)) {
      proto.set_dims(1, columns_of(from) / (wanted.data_type == ROX_UINT8 ? 2 : 1));
    }
    proto.clear_segment();
    proto.clear_external_data();
    proto.clear_data_location();
    // A location that this ONNX does not know is kept there and would be a second one.
    proto.DiscardUnknownFields();
    if (wanted.offset >= 0) {
      proto.set_data_location(onnx::TensorProto::EXTERNAL);
      add_pair(proto, "location", location_);
      add_pair(proto, "offset", std::to_string(wanted.offset));
      add_pair(proto, "length", std::to_string(wanted.byte_count));
      put_tensor(proto, ROX_NO_DATA, storage, 0);
    } else {
      put_tensor(proto, ROX_ELEMENTS, storage, wanted.byte_count);
    }
    const int32_t scale_type = wanted.data_type == ROX_UINT8 ? ROX_FLOAT16 : ROX_FLOAT;
    if (wanted.scale_count > 0) put_floats(scale_name(from.name()), scale_type, ROX_SCALES, storage, wanted.scale_count);
    if (wanted.balance_count > 0) put_floats(balance_name(from.name()), ROX_FLOAT, ROX_BALANCE, storage, wanted.balance_count);
  }

  void put_floats(const std::string &name, int32_t type, rox_data data, size_t storage, uint64_t count) {
    onnx::TensorProto floats;
    floats.set_name(name);
    floats.set_data_type(type);
    floats.add_dims(static_cast<int64_t>(count));
    put_tensor(floats, data, storage, count * (type == ROX_FLOAT16 ? sizeof(uint16_t) : sizeof(float)));
  }

  static void add_pair(onnx::TensorProto &proto, const char *key, const std::string &value) {
    auto *pair = proto.add_external_data();
    pair->set_key(key);
    pair->set_value(value);
  }

  // The message up to its data, which is its last field.
  void put_tensor(const onnx::TensorProto &proto, rox_data data, size_t storage, uint64_t data_size) {
    std::string body = proto.SerializeAsString();
    if (data != ROX_NO_DATA) put_field(body, kTensorRawData, data_size);
    Piece &piece = open_piece();
    put_field(piece.bytes, kGraphInitializer, body.size() + data_size);
    piece.bytes += body;
    piece.data = data;
    piece.storage = storage;
    piece.data_size = data_size;
  }

  // The last piece, as long as no data follows it.
  Piece &open_piece() {
    if (pieces_.empty() || pieces_.back().data != ROX_NO_DATA) pieces_.emplace_back();
    return pieces_.back();
  }

  // A protobuf message may have its fields in any order: the graph stands last, its initializers last in it.
  void prepend(const std::string &model, const std::string &graph) {
    uint64_t size = graph.size();
    for (const Piece &piece : pieces_) size += piece.bytes.size() + piece.data_size;
    if (size + model.size() + 16 > INT_MAX) {
      fail(ROX_LIMIT, "ONNX model", "at most 2147483647 bytes without external data", std::to_string(size) + " bytes");
    }
    std::string head = model;
    put_field(head, kModelGraph, size);
    head += graph;
    open_first().insert(0, head);
  }

  std::string &open_first() {
    if (pieces_.empty()) pieces_.emplace_back();
    return pieces_.front().bytes;
  }

  const rox_model &model_;
  const rox_storage *storages_;
  const std::string location_;
  std::map<size_t, size_t> by_tensor_;
  std::set<std::string> old_scales_;
  std::vector<Piece> pieces_;
};

}  // namespace
}  // namespace rox

struct rox_rewrite {
  std::vector<rox::Piece> pieces;
};

extern "C" {

rox_status rox_rewrite_open(const rox_model *model, const rox_storage *storages, size_t count, rox_text location,
                            rox_rewrite **rewrite, rox_error *error) {
  try {
    auto made = std::make_unique<rox_rewrite>();
    made->pieces = rox::Writing(*model, storages, count, std::string(location.data, location.size)).run();
    *rewrite = made.release();
    return ROX_OK;
  } catch (const rox::Failure &failure) {
    *error = failure.error;
    return failure.status;
  } catch (const std::bad_alloc &) {
    *error = {"ONNX model", "memory for its structure", "none"};
    return ROX_OUT_OF_MEMORY;
  } catch (...) {
    *error = {"ONNX model", "a graph that libprotobuf writes", "an exception of libprotobuf"};
    return ROX_UNSUPPORTED;
  }
}

void rox_rewrite_close(rox_rewrite *rewrite) { delete rewrite; }

size_t rox_rewrite_piece_count(const rox_rewrite *rewrite) { return rewrite->pieces.size(); }

void rox_rewrite_piece_at(const rox_rewrite *rewrite, size_t index, rox_piece *piece) {
  const rox::Piece &from = rewrite->pieces[index];
  *piece = {{from.bytes.data(), from.bytes.size()}, from.data, from.storage};
}

}  // extern "C"
