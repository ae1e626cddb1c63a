/* The tokenizer: any bytes come back as they went in, in one piece or token by token; the rater's joins white space. */
#include "check.h"

enum { ROOM = 4096 };

/* Every run of white space as one space, and none at the ends. Returns the length. */
static size_t joined(const char *bytes, size_t length, char *out) {
  size_t count = 0;
  for (size_t i = 0; i < length; i++) {
    const int space = bytes[i] == ' ' || (bytes[i] >= '\t' && bytes[i] <= '\r');
    if (!space) out[count++] = bytes[i];
    else if (count && out[count - 1] != ' ') out[count++] = ' ';
  }
  return count && out[count - 1] == ' ' ? count - 1 : count;
}

static void test_round_trip(rally_model *model, const char *bytes, size_t length, int is_utf8) {
  char read[ROOM];
  const size_t read_length = model == rater ? joined(bytes, length, read) : length;
  if (model != rater) memcpy(read, bytes, length);
  int32_t tokens[ROOM];
  char text[ROOM];
  size_t count = 0, exact = 0, decoded = 0;
  rally_tokenizer_options options;
  rally_tokenizer_options_init(&options, sizeof options);
  options.add_bos = options.add_eos = options.parse_special = RALLY_OFF;

  CHECK_STATUS(rally_encode(model, bytes, length, &options, NULL, 0, &exact, NULL), RALLY_OK);
  CHECK_STATUS(rally_encode(model, bytes, length, &options, tokens, ROOM, &count, NULL), RALLY_OK);
  CHECK(count == exact && count <= length + 1);
  CHECK_STATUS(rally_decode(model, tokens, count, &options, text, ROOM, &decoded, NULL), RALLY_OK);
  CHECK(decoded == read_length && !memcmp(text, read, read_length));

  if (count > 1) {
    size_t untouched = 77;
    CHECK_STATUS(rally_encode(model, bytes, length, &options, tokens, count - 1, &untouched, NULL), RALLY_BUFFER_TOO_SMALL);
    CHECK(untouched == 77);
  }

  rally_decoder *decoder = NULL;
  size_t at = 0, piece = 0, longest = 0;
  static size_t offsets[ROOM * 2];
  CHECK_STATUS(rally_model_vocabulary(model, NULL, 0, offsets, NULL, &longest, NULL), RALLY_OK);
  CHECK_STATUS(rally_decoder_open(model, &options, &decoder, NULL), RALLY_OK);
  for (size_t i = 0; i < count; i++) {
    size_t asked = 0, untouched = 77;
    CHECK_STATUS(rally_decoder_push(decoder, tokens[i], NULL, 0, &asked, NULL), RALLY_OK);
    if (asked)
      CHECK_STATUS(rally_decoder_push(decoder, tokens[i], text + at, asked - 1, &untouched, NULL), RALLY_BUFFER_TOO_SMALL);
    CHECK_STATUS(rally_decoder_push(decoder, tokens[i], text + at, asked, &piece, NULL), RALLY_OK);
    CHECK(piece == asked && untouched == 77 && asked <= longest + 3);
    CHECK(!is_utf8 || piece == 0 || ((unsigned char)text[at] & 0xC0) != 0x80); /* begins with a character */
    at += piece;
  }
  size_t held = 0;
  CHECK_STATUS(rally_decoder_finish(decoder, NULL, 0, &held, NULL), RALLY_OK);
  CHECK_STATUS(rally_decoder_finish(decoder, text + at, held, &piece, NULL), RALLY_OK);
  CHECK(piece == held && held <= 3);
  at += piece;
  CHECK(at == read_length && !memcmp(text, read, read_length));
  rally_decoder_close(decoder);
}

void test_text(void) {
  char every_byte[256];
  for (int i = 0; i < 256; i++) every_byte[i] = (char)i;
  static const char sea[] = "The sea, the sea! \xE6\xB5\xB7\xE3\x81\xAF\xE5\xBA\x83\xE3\x81\x84 \xF0\x9F\x8C\x8A  1984\n\ttabs";
  rally_model *models[] = {language_model, rater};
  for (int i = 0; i < 2; i++) {
    test_round_trip(models[i], sea, sizeof sea - 1, 1);
    test_round_trip(models[i], every_byte, sizeof every_byte, 0);
    test_round_trip(models[i], "\xF0\x9F", 2, 0);
    test_round_trip(models[i], "", 0, 1);
  }
  const int32_t wrong[] = {-1};
  char text[8];
  size_t length = 77;
  CHECK_STATUS(rally_decode(language_model, wrong, 1, NULL, text, sizeof text, &length, NULL), RALLY_INVALID_TOKEN);
  CHECK(length == 77);
}
