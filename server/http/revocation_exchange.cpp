#include "server/http/revocation_exchange.h"

#include <charconv>

#include "server/access/revocation.h"
#include "server/http/hub_call.h"

namespace waystation::http {
namespace {

constexpr const char* kPath = "/sync/v1/revocations";
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
  const std::string said = leaf.read(access::revocationsSaid);
  if (said.empty()) return {};
  return {{kHeader, said}};
}

void fetchRevocations(server::Node& leaf, Client& client,
                      const std::map<std::string, std::string>& answered) {
  const auto told = answered.find(kHeaderLower);
  if (told == answered.end()) return;
  const std::uint64_t held = numberHeld(leaf);
  const std::uint64_t theirs = numberIn(told->second);
  if (theirs == held) return;
  // What is handed in is answered with the list that came of it.
  const ClientResponse answer =
      theirs > held ? client.send("GET", kPath)
                    : client.send("POST", kPath, {}, leaf.read(access::revocationText));
  if (answer.status != 200) throw refusalOf(answer);
  access::takeRevocations(leaf, answer.body);
}

bool hasNewerRevocations(server::Node& hub, const Request& request) {
  return numberHeld(hub) > numberIn(request.header(kHeaderLower).value_or(""));
}

void tellRevocations(server::Node& hub, const Request& request, Response& answer) {
  const std::string said = request.header(kHeaderLower).value_or("");
  const bool hasLost = hub.isHeadquarters() && hub.read([&](storage::Store& store) {
    return access::hasLostRevocations(store, said);
  });
  if (hasLost) {
    answer.headers[kHeader] = "0";
  } else if (hasNewerRevocations(hub, request)) {
    answer.headers[kHeader] = std::to_string(numberHeld(hub));
  }
}

}  // namespace waystation::http
