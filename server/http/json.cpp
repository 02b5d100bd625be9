#include "server/http/json.h"

#include <cmath>
#include <vector>

#include "crypto/failure.h"

namespace waystation::http {
namespace {

// Builds the value while refusing what nlohmann's own reader lets pass: repeated keys (the last
// wins there), depth without limit, and long integers turned into rounded doubles.
class StrictReader : public nlohmann::json_sax<Json> {
 public:
  Json take() { return std::move(root_); }

  bool null() override { return put(nullptr); }

  bool boolean(bool value) override { return put(value); }

  bool number_integer(number_integer_t value) override { return put(value); }

  bool number_unsigned(number_unsigned_t value) override { return put(value); }

  bool number_float(number_float_t value, const string_t& written) override {
    if (written.find_first_of(".eE") == std::string::npos) {
      throw Failure("json.malformed",
                    "The JSON text holds a whole number that does not fit in 64 bits; send it as a "
                    "string instead.");
    }
    return put(value);
  }

  bool string(string_t& value) override {
    refuseNul(value);
    return put(std::move(value));
  }

  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override { return open(Json::object()); }

  bool key(string_t& name) override {
    refuseNul(name);
    Json& object = *open_.back();
    if (object.contains(name)) {
      throw Failure("json.duplicate-key", "The JSON text gives the key \"" + name.substr(0, 64) +
                                              "\" twice in one object; each key may stand once.");
    }
    slot_ = &object[name];
    return true;
  }

  bool end_object() override { return close(); }

  bool start_array(std::size_t) override { return open(Json::array()); }

  bool end_array() override { return close(); }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    throw Failure("json.malformed", "The text is not valid JSON: it cannot be read at byte " +
                                        std::to_string(position) + ".");
  }

 private:
  static void refuseNul(const std::string& value) {
    if (value.find('\0') != std::string::npos) {
      throw Failure("json.malformed",
                    "The JSON text holds the character U+0000, which no text needs.");
    }
  }

  Json* place(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    *slot_ = std::move(value);
    return slot_;
  }

  bool put(Json value) {
    place(std::move(value));
    return true;
  }

  bool open(Json value) {
    if (open_.size() >= kMaxJsonDepth) {
      throw Failure("json.too-deep", "The JSON text is nested more than " +
                                         std::to_string(kMaxJsonDepth) + " levels deep.");
    }
    open_.push_back(place(std::move(value)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  Json root_;
  std::vector<Json*> open_;  // the objects and arrays being filled, outermost first
  Json* slot_ = nullptr;     // where the value of the key just read goes
};

void refuseUnwritableNumbers(const Json& value) {
  if (value.is_number_float() && !std::isfinite(value.get<double>())) {
    throw Failure("json.unwritable", "JSON cannot hold a number that is not finite.");
  }
  if (value.is_structured()) {
    for (const Json& element : value) refuseUnwritableNumbers(element);
  }
}

}  // namespace

Json parseJson(std::string_view text) {
  // nlohmann takes a NUL for the end of the text (and would let bytes follow it) and skips a mark.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    throw Failure("json.malformed", "The text is not valid JSON: it holds a NUL at byte " +
                                        std::to_string(nul + 1) + ".");
  }
  if (text.substr(0, 3) == "\xEF\xBB\xBF") {
    throw Failure("json.malformed",
                  "The text is not valid JSON: it begins with a byte order mark.");
  }
  StrictReader reader;
  if (!Json::sax_parse(text.begin(), text.end(), &reader)) {
    throw Failure("json.malformed", "The text is not valid JSON.");
  }
  return reader.take();
}

std::string canonicalJson(const Json& value) {
  refuseUnwritableNumbers(value);
  try {
    return value.dump();
  } catch (const Json::exception&) {
    throw Failure("json.unwritable", "JSON cannot hold a string that is not UTF-8.");
  }
}

}  // namespace waystation::http
