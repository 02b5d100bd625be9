#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "server/http/json.h"
#include "tests/server/http_support.h"

namespace waystation::http::testing {
namespace {

std::string codeOf(const std::string& text) {
  return failureCode([&] { parseJson(text); });
}

TEST(HttpJson, ReadsWhatIsValid) {
  const Json value = parseJson(" {\"a\": [1, -2, 2.5, true, null, \"\\u00e9\xc3\xa9\"]} \n");
  EXPECT_EQ(value["a"].size(), 6U);
  EXPECT_EQ(value["a"][5], "\xc3\xa9\xc3\xa9");
  EXPECT_EQ(parseJson("18446744073709551615"), 18446744073709551615U);
}

TEST(HttpJson, RefusesAKeyGivenTwice) {
  EXPECT_EQ(codeOf(R"({"role": "reader", "role": "admin"})"), "json.duplicate-key");
  EXPECT_EQ(codeOf(R"({"role": 1, "\u0072ole": 2})"), "json.duplicate-key");
  EXPECT_EQ(codeOf(R"([{"a": {"b": 1, "b": 1}}])"), "json.duplicate-key");
  EXPECT_EQ(codeOf(R"([{"a": 1}, {"a": 1}])"), "");
}

TEST(HttpJson, RefusesWhatIsTooDeepBeforeItCosts) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_EQ(codeOf(nested(64)), "");
  EXPECT_EQ(codeOf(nested(65)), "json.too-deep");
  EXPECT_EQ(codeOf(std::string(1000000, '[')), "json.too-deep");
}

TEST(HttpJson, RefusesWhatIsNotJson) {
  for (const std::string& text : {
           std::string(""),
           std::string("{\"a\":1} x"),
           std::string("{\"a\":1}{}"),
           std::string("{}\0", 3),
           std::string("{}\0{\"a\":1}", 10),
           std::string("\xef\xbb\xbf{}"),
           std::string("[1,]"),
           std::string("{'a':1}"),
           std::string("[NaN]"),
           std::string("[Infinity]"),
           std::string("[01]"),
           std::string("[1e999]"),
           std::string("[123456789012345678901234567890]"),
           std::string("[\"\xff\"]"),
           std::string("[\"\xc0\xaf\"]"),
           std::string("[\"\xed\xa0\x80\"]"),
           std::string("[\"\\ud800\"]"),
           std::string("[\"\\u0000\"]"),
           std::string("{\"\\u0000\":1}"),
           std::string("[\"a\nb\"]"),
           std::string("// x\n{}"),
       }) {
    EXPECT_EQ(codeOf(text), "json.malformed") << text;
  }
}

TEST(HttpJson, WritesAValueInOneWayOnly) {
  EXPECT_EQ(canonicalJson(parseJson("{\"b\": [1, 2], \"a\": \"\\u00e9\", \"B\": {}}")),
            "{\"B\":{},\"a\":\"\xc3\xa9\",\"b\":[1,2]}");
}

TEST(HttpJson, RefusesToWriteWhatJsonCannotHold) {
  const auto code = [](const Json& value) { return failureCode([&] { canonicalJson(value); }); };
  EXPECT_EQ(code(Json{{"a", {std::nan("")}}}), "json.unwritable");
  EXPECT_EQ(code(Json(std::numeric_limits<double>::infinity())), "json.unwritable");
  EXPECT_EQ(code(Json("\xff")), "json.unwritable");
}

}  // namespace
}  // namespace waystation::http::testing
