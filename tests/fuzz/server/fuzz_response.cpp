// What a hub answers: the head of a response, as an office reads it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "crypto/failure.h"
#include "server/http/response_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace waystation;
  try {
    const http::ResponseHead head =
        http::parseResponseHead({reinterpret_cast<const char*>(data), size});
    if (head.status < 100 || head.status > 599) std::abort();
    if (head.chunked && head.contentLength) std::abort();
  } catch (const Failure&) {
    // Refused, as it may be.
  }
  return 0;
}
