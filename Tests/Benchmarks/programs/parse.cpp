// What opening a file costs at least: libprotobuf's parse of the message, and one pass over the bytes of all weights,
// inline or next to the file. Prints one JSON object.
//
//     parse MODEL.onnx
#include <fcntl.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <onnx/onnx_pb.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

uint64_t sum_words(const char *bytes, size_t size) {
  uint64_t sum = 0, word = 0;
  for (size_t i = 0; i + sizeof word <= size; i += sizeof word) {
    std::memcpy(&word, bytes + i, sizeof word);
    sum += word;
  }
  return sum;
}

uint64_t sum_side_file(const std::string &path) {
  int file = open(path.c_str(), O_RDONLY);
  struct stat status;
  if (file < 0 || fstat(file, &status) || status.st_size == 0) return 0;
  size_t size = static_cast<size_t>(status.st_size);
  void *bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
  if (bytes == MAP_FAILED) return 0;
  uint64_t sum = sum_words(static_cast<const char *>(bytes), size);
  munmap(bytes, size);
  return sum;
}

}  // namespace

int main(int count, char **arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: parse MODEL.onnx\n");
    return 2;
  }
  int file = open(arguments[1], O_RDONLY);
  auto start = std::chrono::steady_clock::now();
  onnx::ModelProto model;
  google::protobuf::io::FileInputStream stream(file);
  if (file < 0 || !model.ParseFromZeroCopyStream(&stream)) {
    std::fprintf(stderr, "parse: %s is not a model\n", arguments[1]);
    return 1;
  }
  double parse_seconds = seconds_since(start);
  start = std::chrono::steady_clock::now();
  uint64_t sum = 0;
  for (const auto &tensor : model.graph().initializer()) sum += sum_words(tensor.raw_data().data(), tensor.raw_data().size());
  sum += sum_side_file(std::string(arguments[1]) + ".data");
  double pass_seconds = seconds_since(start);
  std::printf("{\"parse_seconds\": %.4f, \"pass_seconds\": %.4f, \"sum\": %llu}\n", parse_seconds, pass_seconds,
              static_cast<unsigned long long>(sum));
  return 0;
}
