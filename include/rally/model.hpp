/* Models, vocabularies and decoders. A part of rally.hpp. */
#ifndef RALLY_MODEL_HPP
#define RALLY_MODEL_HPP

#include <rally/options.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rally {

/* What each token stands for. */
struct Vocabulary {
  std::string bytes;            /* of all tokens, end to end */
  std::vector<size_t> offsets;  /* [vocab_size + 1] */
  std::vector<uint8_t> special; /* [vocab_size] 1 for tokens that steer the model and are no text */
  size_t longest = 0;           /* bytes of the longest token */

  size_t size() const { return special.size(); }
  std::string_view operator[](size_t token) const {
    return std::string_view(bytes).substr(offsets[token], offsets[token + 1] - offsets[token]);
  }
};

class Model {
 public:
  explicit Model(const std::string &path, const rally_model_options &options = model_options()) {
    detail::check([&](rally_error *error) { return rally_model_open(path.c_str(), &options, handle_.out(), error); });
  }

  /* The same, watched: functions that return, or throw, as OnProgress and OnLog say. */
  Model(const std::string &path, rally_model_options options, OnProgress on_progress, OnLog on_log = {}) {
    detail::Watch watch(std::move(on_progress), std::move(on_log));
    watch.attach_progress(options);
    watch.attach_log(options);
    watch.check([&](rally_error *error) { return rally_model_open(path.c_str(), &options, handle_.out(), error); });
  }

  /* The bytes are not needed after the call. */
  static Model from_memory(const void *data, size_t size, const rally_model_options &options = model_options()) {
    Model model;
    detail::check(
        [&](rally_error *error) { return rally_model_open_memory(data, size, &options, model.handle_.out(), error); });
    return model;
  }

  /* Throws what opening would throw, and keeps nothing. */
  static void validate(const std::string &path, const rally_model_options &options = model_options()) {
    detail::check([&](rally_error *error) { return rally_model_validate(path.c_str(), &options, error); });
  }

  /* Writes the model to `out_path` with its matrices stored as `dtype`. A calibration text, UTF-8 like what the model will read,
   * makes int8 lose less. */
  static void quantize(const std::string &in_path, const std::string &out_path, rally_dtype dtype = RALLY_DTYPE_INT8,
                       OnProgress on_progress = {}, std::string_view calibration_text = {}) {
    auto options = detail::initialised<rally_quantize_options, rally_quantize_options_init>();
    options.dtype = dtype;
    options.calibration_text = calibration_text.data();
    options.calibration_text_size = calibration_text.size();
    detail::Watch watch(std::move(on_progress), {});
    watch.attach_progress(options);
    watch.check([&](rally_error *error) { return rally_quantize(in_path.c_str(), out_path.c_str(), &options, error); });
  }

  /* Writes the model to `out_path` as a file that is mapped when it is opened: rally_model_prepare. */
  static void prepare(const std::string &in_path, const std::string &out_path, rally_dtype dtype = RALLY_DTYPE_AUTO,
                      OnProgress on_progress = {}, std::string_view calibration_text = {}, uint32_t threads = 0) {
    auto options = detail::initialised<rally_prepare_options, rally_prepare_options_init>();
    options.dtype = dtype;
    options.threads = threads;
    options.calibration_text = calibration_text.data();
    options.calibration_text_size = calibration_text.size();
    detail::Watch watch(std::move(on_progress), {});
    watch.attach_progress(options);
    watch.check([&](rally_error *error) { return rally_model_prepare(in_path.c_str(), out_path.c_str(), &options, error); });
  }

  rally_model_info info() const {
    auto info = detail::initialised<rally_model_info, rally_model_info_init>();
    detail::check([&](rally_error *error) { return rally_model_get_info(get(), &info, error); });
    return info;
  }

  /* What rally_decide takes. Reads the whole file, the first time. */
  std::string score_fingerprint(bool squash = false) const {
    return detail::text([&](char *text, size_t capacity, size_t *size, rally_error *error) {
      return rally_score_fingerprint(get(), squash ? RALLY_ON : RALLY_OFF, text, capacity, size, error);
    });
  }

  /* What a distribution of this model's scores, or perplexities, is labelled with. */
  std::string score_label(const rally_label_options &options = label_options()) const {
    return detail::text([&](char *text, size_t capacity, size_t *size, rally_error *error) {
      return rally_score_label(get(), &options, text, capacity, size, error);
    });
  }

  bool reads_same_tokens(const Model &other) const {
    int32_t same = 0;
    detail::check([&](rally_error *error) { return rally_same_tokens(get(), other.get(), &same, error); });
    return same != 0;
  }

  /* The names of a rater's outputs; none for a language model. */
  std::vector<std::string> labels() const {
    std::vector<std::string> names;
    while (const char *name = rally_model_label(get(), names.size())) names.emplace_back(name);
    return names;
  }

  std::vector<std::pair<std::string, std::string>> metadata() const {
    std::vector<std::pair<std::string, std::string>> pairs(rally_model_metadata_count(get()));
    for (size_t i = 0; i < pairs.size(); i++) {
      const char *key = nullptr, *value = nullptr;
      detail::check([&](rally_error *error) { return rally_model_metadata_at(get(), i, &key, &value, error); });
      pairs[i] = {key, value};
    }
    return pairs;
  }

  /* Throws RALLY_MISSING_KEY where there is none. */
  std::string metadata(const std::string &key) const {
    const char *value = nullptr;
    detail::check([&](rally_error *error) { return rally_model_metadata_get(get(), key.c_str(), &value, error); });
    return value;
  }

  /* Names point into the model: use them while it is open. */
  std::vector<rally_tensor_info> tensors() const {
    std::vector<rally_tensor_info> tensors(rally_model_tensor_count(get()));
    for (size_t i = 0; i < tensors.size(); i++) {
      rally_tensor_info_init(&tensors[i], sizeof tensors[i]);
      detail::check([&](rally_error *error) { return rally_model_tensor_at(get(), i, &tensors[i], error); });
    }
    return tensors;
  }

  Vocabulary vocabulary() const {
    Vocabulary found;
    found.special.resize(static_cast<size_t>(info().vocab_size));
    found.offsets.resize(found.special.size() + 1);
    detail::check([&](rally_error *error) {
      return rally_model_vocabulary(get(), nullptr, 0, found.offsets.data(), found.special.data(), &found.longest, error);
    });
    found.bytes.resize(found.offsets.back());
    detail::check([&](rally_error *error) {
      return rally_model_vocabulary(get(), &found.bytes[0], found.bytes.size(), found.offsets.data(), nullptr, nullptr, error);
    });
    return found;
  }

  std::vector<int32_t> encode(std::string_view text, const rally_tokenizer_options &options = tokenizer_options()) const {
    std::vector<int32_t> tokens;
    size_t count = 0;
    const char *bytes = text.empty() ? "" : text.data();
    const auto encode_into = [&](rally_error *error) {
      return rally_encode(get(), bytes, text.size(), &options, tokens.empty() ? nullptr : tokens.data(), tokens.size(), &count,
                          error);
    };
    detail::check(encode_into);
    tokens.resize(count);
    if (count) detail::check(encode_into);
    return tokens;
  }

  /* A text as a document to be rated: what the reading leaves of its characters, special tokens in it being letters. */
  std::vector<int32_t> encode_document(std::string_view text,
                                       const rally_document_options &options = document_options()) const {
    std::vector<int32_t> tokens;
    size_t count = 0;
    const char *bytes = text.empty() ? "" : text.data();
    const auto encode_into = [&](rally_error *error) {
      return rally_encode_document(get(), bytes, text.size(), &options, tokens.empty() ? nullptr : tokens.data(), tokens.size(),
                                   &count, error);
    };
    detail::check(encode_into);
    tokens.resize(count);
    if (count) detail::check(encode_into);
    return tokens;
  }

  /* The very bytes; UTF-8 as far as the tokens are. */
  std::string decode(View<int32_t> tokens, const rally_tokenizer_options &options = tokenizer_options()) const {
    std::string text;
    size_t length = 0;
    const auto decode_into = [&](rally_error *error) {
      return rally_decode(get(), tokens.data(), tokens.size(), &options, text.empty() ? nullptr : text.data(), text.size(),
                          &length, error);
    };
    if (tokens.size() == 0) return text;
    detail::check(decode_into);
    text.resize(length);
    if (length) detail::check(decode_into);
    return text;
  }

  rally_model *get() const { return handle_.get(); }

 private:
  Model() = default;
  detail::Handle<rally_model, rally_model_close> handle_;
};

/* Decodes a stream of tokens and never splits a character. */
class Decoder {
 public:
  explicit Decoder(const Model &model, const rally_tokenizer_options &options = tokenizer_options()) {
    detail::check([&](rally_error *error) { return rally_decoder_open(model.get(), &options, handle_.out(), error); });
  }

  /* The characters that are complete by now, often none. */
  std::string push(int32_t token) {
    return take([&](char *text, size_t capacity, size_t *length, rally_error *error) {
      return rally_decoder_push(handle_.get(), token, text, capacity, length, error);
    });
  }

  /* What was held back; the decoder starts again. */
  std::string finish() {
    return take([&](char *text, size_t capacity, size_t *length, rally_error *error) {
      return rally_decoder_finish(handle_.get(), text, capacity, length, error);
    });
  }

 private:
  /* A token that does not fit was not taken, so the call is made again with more room. */
  template <typename Call>
  static std::string take(Call &&call) {
    for (std::string text(256, '\0');; text.resize(text.size() * 4)) {
      rally_error error = detail::initialised<rally_error, rally_error_init>();
      size_t length = 0;
      const rally_status status = call(text.data(), text.size(), &length, &error);
      if (status == RALLY_BUFFER_TOO_SMALL) continue;
      if (status) throw Error(status, error.message);
      text.resize(length);
      return text;
    }
  }

  detail::Handle<rally_decoder, rally_decoder_close> handle_;
};

}  // namespace rally

#endif /* RALLY_MODEL_HPP */
