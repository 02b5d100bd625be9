#include "server/http/revocation_exchange.h"

#include <charconv>

#include "server/access/revocation.h"
#include "server/http/hub_call.h"

namespace waystation::http {
namespace {

constexpr const char* kHeader = "Revocations";
constexpr const char* kHeaderLower = "revocations";

// What is no number counts as none: the list is signed, and judged itself.
std::uint64_t numberIn(const std::string& text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::uint64_t numberHeld(server::Node& node) {
  return node.read(access::revocations).number;
}

}  // namespace

std::map<std::string, std::string> revocationsKnown(server::Node& leaf) {
  const std::uint64_t number = numberHeld(leaf);
  if (number == 0) return {};
  return {{kHeader, std::to_string(number)}};
}

void fetchRevocations(server::Node& leaf, Client& client,
                      const std::map<std::string, std::string>& answered) {
  const auto told = answered.find(kHeaderLower);
  if (told == answered.end() || numberIn(told->second) <= numberHeld(leaf)) return;
  const ClientResponse answer = client.send("GET", "/sync/v1/revocations");
  if (answer.status != 200) throw refusalOf(answer);
  access::takeRevocations(leaf, answer.body);
}

bool hasNewerRevocations(server::Node& hub, const Request& request) {
  return numberHeld(hub) > numberIn(request.header(kHeaderLower).value_or(""));
}

void tellRevocations(server::Node& hub, const Request& request, Response& answer) {
  if (!hasNewerRevocations(hub, request)) return;
  answer.headers[kHeader] = std::to_string(numberHeld(hub));
}

}  // namespace waystation::http
