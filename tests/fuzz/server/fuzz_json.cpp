// JSON from people, machines and files. What is read has one way of being written, which reads as
// itself: values are compared, hashed and signed by these bytes.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "crypto/failure.h"
#include "server/http/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace waystation;
  try {
    const http::Json value = http::parseJson({reinterpret_cast<const char*>(data), size});
    const std::string once = http::canonicalJson(value);
    if (http::canonicalJson(http::parseJson(once)) != once) std::abort();
  } catch (const Failure&) {
    // Refused, as it may be.
  }
  return 0;
}
