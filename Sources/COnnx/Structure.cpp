#include "Structure.h"

#include <utility>

namespace rox {
namespace {

// Room for any length below 2^32: a varint may carry leading zeros, so it can be written before the length is known.
constexpr size_t kLengthBytes = 5;

void put_length(std::string &out, size_t at, size_t length) {
  for (size_t i = 0; i < kLengthBytes; ++i) {
    const unsigned more = i + 1 < kLengthBytes ? 0x80u : 0u;
    out[at + i] = static_cast<char>(((length >> (7 * i)) & 0x7F) | more);
  }
}

bool matches(const FieldRule &rule, uint32_t wire_type) {
  switch (rule.kind) {
    case Kind::kUnknown: return true;
    case Kind::kNumber: return wire_type == kVarint;
    case Kind::kFloat: return wire_type == kFixed32;
    case Kind::kText:
    case Kind::kNested: return wire_type == kBytes;
    case Kind::kNumbers: return wire_type == kVarint || wire_type == kBytes;
    case Kind::kFloats: return wire_type == kFixed32 || wire_type == kBytes;
    case Kind::kDoubles: return wire_type == kFixed64 || wire_type == kBytes;
  }
  return false;
}

class Walk {
 public:
  Walk(const uint8_t *data, size_t size, const rox_limits &limits) : data_(data), size_(size), limits_(limits) {}

  Structure run() {
    message(Message::kModel, data_, size_, 0);
    result_.item_count = item_count_;
    return std::move(result_);
  }

 private:
  void message(Message type, const uint8_t *data, size_t size, int depth) {
    if (depth >= ROX_MAX_DEPTH) {
      fail(ROX_CORRUPT, name_of(type), "messages nested less than " + std::to_string(ROX_MAX_DEPTH) + " deep",
           "deeper nesting at byte " + std::to_string(offset(data)));
    }
    Reader reader(data, size);
    Field field;
    uint32_t seen = 0;
    while (!reader.at_end()) {
      const FieldRule rule = next(type, reader, field, seen);
      if (rule.kind == Kind::kUnknown) continue;
      if (rule.kind != Kind::kNested) {
        check_elements(type, rule, field);
        append(field.begin, field.end);
        continue;
      }
      const size_t start = open(field);
      // Only the main graph stands right below the model.
      if (type == Message::kGraph && depth == 1 && rule.message == Message::kTensor) {
        initializer(field.data, field.size, depth + 1);
      } else {
        message(rule.message, field.data, field.size, depth + 1);
      }
      close(start);
    }
  }

  // As `message`, but leaves the elements where they are and notes the place.
  void initializer(const uint8_t *data, size_t size, int depth) {
    Payload payload;
    payload.body = data;
    payload.body_size = size;
    Reader reader(data, size);
    Field field;
    uint32_t seen = 0;
    while (!reader.at_end()) {
      const FieldRule rule = next(Message::kTensor, reader, field, seen);
      if (rule.kind == Kind::kUnknown) continue;
      if (rule.kind == Kind::kNested) {
        const size_t start = open(field);
        message(rule.message, field.data, field.size, depth + 1);
        close(start);
      } else if (holds_elements(field.number)) {
        note(field, rule, payload);
      } else {
        check_elements(Message::kTensor, rule, field);
        append(field.begin, field.end);
      }
    }
    result_.payloads.push_back(payload);
  }

  void note(const Field &field, const FieldRule &rule, Payload &payload) {
    if (payload.field != 0 && payload.field != field.number) payload.several = true;
    payload.field = field.number;
    payload.run_count += 1;
    if (rule.kind == Kind::kText) {
      payload.element_count += 1;
    } else {
      payload.element_count += check_elements(Message::kTensor, rule, field);
    }
    const bool one_run = payload.run_count == 1 && field.wire_type == kBytes;
    payload.data = one_run ? field.data : nullptr;
    payload.byte_count = one_run ? field.size : 0;
  }

  FieldRule next(Message type, Reader &reader, Field &field, uint32_t &seen) {
    const uint8_t *at = reader.cursor;
    if (!reader.next(&field)) {
      fail(ROX_CORRUPT, name_of(type), "a complete protobuf message",
           "one that is cut off or malformed at byte " + std::to_string(offset(at)));
    }
    const FieldRule rule = rule_for(type, field.number);
    if (rule.kind == Kind::kUnknown) return rule;
    if (!matches(rule, field.wire_type)) {
      fail(ROX_CORRUPT, name_of(type), "field " + std::to_string(field.number) + " in its own encoding",
           "wire type " + std::to_string(field.wire_type) + " at byte " + std::to_string(offset(at)));
    }
    if (!rule.repeated) {
      // Protobuf would merge the two or take the last; another reader of this file might take the first.
      if (seen & (1u << field.number)) {
        fail(ROX_CORRUPT, name_of(type), "field " + std::to_string(field.number) + " once",
             "it again at byte " + std::to_string(offset(at)));
      }
      seen |= 1u << field.number;
    }
    if (type == Message::kTensor && holds_elements(field.number)) return rule;
    const bool is_item = rule.kind == Kind::kNested || (rule.kind == Kind::kText && rule.repeated);
    if (is_item && ++item_count_ > limits_.max_items) {
      fail(ROX_LIMIT, "ONNX graph", "at most " + std::to_string(limits_.max_items) + " messages and names", "more");
    }
    return rule;
  }

  // How many elements a repeated number has in this field; refuses a packed run that ends inside an element.
  size_t check_elements(Message type, const FieldRule &rule, const Field &field) {
    size_t width = 0;
    if (rule.kind == Kind::kFloats) width = 4;
    if (rule.kind == Kind::kDoubles) width = 8;
    if (field.wire_type != kBytes || (width == 0 && rule.kind != Kind::kNumbers)) return 1;
    if (width > 0) {
      if (field.size % width == 0) return field.size / width;
    } else {
      size_t count = 0;
      Reader numbers(field.data, field.size);
      uint64_t value = 0;
      while (!numbers.at_end() && numbers.varint(&value)) ++count;
      if (numbers.at_end()) return count;
    }
    fail(ROX_CORRUPT, name_of(type), "whole numbers in field " + std::to_string(field.number),
         "a packed run cut off at byte " + std::to_string(offset(field.end)));
  }

  size_t open(const Field &field) {
    const uint32_t tag = field.number << 3 | kBytes;
    if (tag >= 0x80) result_.bytes.push_back(static_cast<char>((tag & 0x7F) | 0x80));
    result_.bytes.push_back(static_cast<char>(tag >= 0x80 ? tag >> 7 : tag));
    result_.bytes.append(kLengthBytes, '\0');
    check_size();
    return result_.bytes.size();
  }

  void close(size_t start) { put_length(result_.bytes, start - kLengthBytes, result_.bytes.size() - start); }

  void append(const uint8_t *begin, const uint8_t *end) {
    if (static_cast<size_t>(end - begin) > limits_.max_structure_bytes) structure_too_large();
    result_.bytes.append(reinterpret_cast<const char *>(begin), static_cast<size_t>(end - begin));
    check_size();
  }

  void check_size() {
    if (result_.bytes.size() > limits_.max_structure_bytes) structure_too_large();
  }

  [[noreturn]] void structure_too_large() {
    fail(ROX_LIMIT, "ONNX graph",
         "at most " + std::to_string(limits_.max_structure_bytes) + " bytes besides the data of initializers", "more");
  }

  size_t offset(const uint8_t *at) const { return static_cast<size_t>(at - data_); }

  const uint8_t *data_;
  size_t size_;
  const rox_limits &limits_;
  size_t item_count_ = 0;
  Structure result_;
};

void copy(const std::string &from, char *to, size_t capacity) {
  size_t length = from.size() < capacity - 1 ? from.size() : capacity - 1;
  for (size_t i = 0; i < length; ++i) {
    const unsigned char byte = static_cast<unsigned char>(from[i]);
    to[i] = byte < 0x20 || byte == 0x7F ? ' ' : from[i];
  }
  to[length] = '\0';
}

}  // namespace

void fail(rox_status status, const std::string &subject, const std::string &expected, const std::string &found) {
  Failure failure;
  failure.status = status;
  copy(subject, failure.error.subject, sizeof failure.error.subject);
  copy(expected, failure.error.expected, sizeof failure.error.expected);
  copy(found, failure.error.found, sizeof failure.error.found);
  throw failure;
}

Structure read_structure(const uint8_t *data, size_t size, const rox_limits &limits) { return Walk(data, size, limits).run(); }

}  // namespace rox
