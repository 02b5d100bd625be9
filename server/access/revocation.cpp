#include "server/access/revocation.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "server/access/enrolment.h"
#include "server/audit.h"
#include "storage/named_values.h"
#include "sync/clock.h"
#include "sync/reports.h"

namespace waystation::access {
namespace {

using http::Json;

constexpr std::string_view kListRow = "revocations.list";
// At headquarters: the marks of the lists that it knows to have left it, and the number of the last
// one from before it kept them.
constexpr std::string_view kKnownRow = "revocations.known";
constexpr std::string_view kBaseRow = "revocations.base";
constexpr std::size_t kMarkSize = 8;
constexpr std::string_view kSigned = "waystation revocations v1\n";

Failure malformed() {
  return Failure("revocation.malformed",
                 "The list of revoked offices and phones can't be read. The one held before stays "
                 "in force.");
}

struct SignedList {
  std::string body;
  std::string signature;
};

SignedList partsOf(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) throw malformed();
  try {
    return {crypto::fromBase64Url(text.substr(0, dot)),
            crypto::fromBase64Url(text.substr(dot + 1))};
  } catch (const Failure&) {
    throw malformed();
  }
}

RevocationList listFrom(const std::string& body) {
  try {
    const Json json = http::parseJson(body);
    RevocationList list;
    list.number = json.at("number").get<std::uint64_t>();
    for (const Json& node : json.at("revoked")) {
      list.nodes.push_back({node.at("node").get<std::string>(),
                            crypto::fromBase64Url(node.at("key").get<std::string>()),
                            node.at("at").get<std::string>()});
    }
    return list;
  } catch (const std::exception&) {
    throw malformed();
  }
}

std::string textOf(const RevocationList& list, const crypto::SigningKey& key) {
  Json nodes = Json::array();
  for (const RevokedNode& node : list.nodes) {
    nodes.push_back(
        {{"node", node.name}, {"key", crypto::toBase64Url(node.publicKey)}, {"at", node.at}});
  }
  const std::string body =
      http::canonicalJson(Json{{"number", list.number}, {"revoked", std::move(nodes)}});
  return crypto::toBase64Url(body) + "." +
         crypto::toBase64Url(key.sign(std::string(kSigned) + body));
}

// The list of a text that headquarters has signed with this key.
RevocationList verifiedList(std::string_view key, std::string_view text) {
  const SignedList parts = partsOf(text);
  if (!crypto::verifySignature(key, std::string(kSigned) + parts.body, parts.signature)) {
    throw Failure("revocation.signature",
                  "The list of revoked offices and phones is not signed by headquarters. The one "
                  "held before stays in force; tell headquarters.");
  }
  return listFrom(parts.body);
}

std::string markOf(std::string_view text) {
  return std::string(crypto::view(crypto::sha256(text)).substr(0, kMarkSize));
}

bool isKnown(storage::Store& hq, std::uint64_t number, std::string_view mark) {
  const std::uint64_t today = revocations(hq).number;
  const std::int64_t base = hq.metaNumber(kBaseRow, static_cast<std::int64_t>(today));
  if (number <= static_cast<std::uint64_t>(base)) return true;
  const std::string known = hq.meta(kKnownRow).value_or("");
  for (std::size_t at = 0; at < known.size(); at += kMarkSize) {
    if (known.compare(at, kMarkSize, mark) == 0) return true;
  }
  return false;
}

void putKnown(storage::Store& hq, std::string_view text) {
  if (hq.meta(kKnownRow).value_or("").empty()) {
    hq.setMetaNumber(kBaseRow, static_cast<std::int64_t>(revocations(hq).number));
  }
  hq.setMeta(kKnownRow, hq.meta(kKnownRow).value_or("") + markOf(text));
}

bool isOn(const RevocationList& list, const std::string& name, const std::string& key) {
  return std::any_of(list.nodes.begin(), list.nodes.end(), [&](const RevokedNode& node) {
    return node.name == name && node.publicKey == key;
  });
}

// The keys under which headquarters knows a node: its own leaf's, or those announced below one.
std::set<std::string> keysOf(storage::Store& store, const std::string& name) {
  std::set<std::string> keys;
  if (const auto leaf = store.leafByName(name)) keys.insert(leaf->publicKey);
  for (const storage::DeviceRow& device : store.devicesNamed(name)) keys.insert(device.publicKey);
  return keys;
}

bool isPhone(storage::Store& store, const std::string& name) {
  if (const auto leaf = store.leafByName(name)) return !leaf->home.empty();
  const std::vector<storage::DeviceRow> devices = store.devicesNamed(name);
  return !devices.empty() && !devices.front().home.empty();
}

// The leaves of this node that the list says, and no longer says, are so in their rows too, which
// bundles, feeds and erasures ask.
std::vector<storage::LeafRow> markLeaves(sync::Work& work, const RevocationList& before,
                                         const RevocationList& now) {
  std::vector<storage::LeafRow> changed;
  for (storage::LeafRow& leaf : work.store().leaves()) {
    const bool was = isOn(before, leaf.name, leaf.publicKey);
    const bool is = isOn(now, leaf.name, leaf.publicKey);
    if (was == is || leaf.revoked == is) continue;
    leaf.revoked = is;
    work.store().putLeaf(leaf);
    changed.push_back(leaf);
  }
  // Whoever waits for news is judged again.
  work.tellLeaves();
  return changed;
}

void putList(server::Node& hq, sync::Work& work, RevocationList list) {
  const RevocationList before = revocations(work.store());
  list.number = before.number + 1;
  const std::string text = textOf(list, hq.signingKey());
  putKnown(work.store(), text);
  work.store().setMeta(kListRow, text);
  markLeaves(work, before, list);
}

// Whoever finds one in a stolen bag must not come in by it.
void voidTokens(storage::Store& store, const std::string& name) {
  for (const auto& [row, text] : storage::metaUnder(store.database(), "enrolment.")) {
    if (row == "enrolment.pending") continue;
    Json token = http::parseJson(text);
    if (token.at("office") != name || token.contains("certificate")) continue;
    token["expires"] = 0;
    store.setMeta(row, http::canonicalJson(token));
  }
}

void note(server::Node& node, storage::Store& store, const std::string& by, const char* deed,
          const std::string& name) {
  server::noteDeed(store, node.clock(), {by, deed, {}, {{"node", name}}});
}

}  // namespace

std::string revocationText(storage::Store& store) {
  return store.meta(kListRow).value_or("");
}

std::string revocationsSaid(storage::Store& store) {
  const std::string text = revocationText(store);
  if (text.empty()) return {};
  return std::to_string(listFrom(partsOf(text).body).number) + "." +
         crypto::toBase64Url(markOf(text));
}

RevocationList revocations(storage::Store& store) {
  const std::string text = revocationText(store);
  return text.empty() ? RevocationList{} : listFrom(partsOf(text).body);
}

bool isRevoked(storage::Store& store, const storage::LeafRow& leaf) {
  return leaf.revoked || isOn(revocations(store), leaf.name, leaf.publicKey);
}

RevocationForesight foreseeRevocation(server::Node& hq, const std::string& name) {
  if (!hq.isHeadquarters()) {
    throw Failure("node.not-headquarters",
                  "Only headquarters revokes offices and phones. Ask there; nothing was changed.");
  }
  return hq.read([&](storage::Store& store) {
    const std::set<std::string> keys = keysOf(store, name);
    if (keys.empty()) {
      throw Failure("revocation.unknown-node",
                    "Headquarters knows no office and no phone of the name " + name +
                        ". Nothing was changed; `waystation status` lists the offices.");
    }
    RevocationForesight sight;
    sight.name = name;
    sight.isPhone = isPhone(store, name);
    const RevocationList list = revocations(store);
    sight.isRevoked = std::all_of(keys.begin(), keys.end(),
                                  [&](const std::string& key) { return isOn(list, name, key); });
    if (const auto leaf = store.leafByName(name)) {
      sight.isRevoked = sight.isRevoked || leaf->revoked;
      sight.lastContactMs = leaf->lastContactMs;
      sight.backlogDown = store.countFeed(leaf->leaf, leaf->feedAcked);
    }
    for (const storage::DeviceRow& device : store.devices()) {
      if (device.home == name) sight.phones.push_back(device.name);
    }
    return sight;
  });
}

void revoke(server::Node& hq, const std::string& name, const std::string& by) {
  if (foreseeRevocation(hq, name).isRevoked) {
    throw Failure("revocation.already-revoked", name + " is revoked already. Nothing was changed.");
  }
  hq.write([&](sync::Work& work) {
    storage::Store& store = work.store();
    RevocationList list = revocations(store);
    for (const std::string& key : keysOf(store, name)) {
      if (!isOn(list, name, key)) {
        list.nodes.push_back({name, key, sync::formatTime(hq.clock().nowMs())});
      }
    }
    putList(hq, work, std::move(list));
    voidTokens(store, name);
    note(hq, store, by, isPhone(store, name) ? "phone-revoked" : "office-revoked", name);
  });
}

void liftRevocation(server::Node& hq, sync::Work& work, const std::string& name) {
  RevocationList list = revocations(work.store());
  const auto isOf = [&](const RevokedNode& node) { return node.name == name; };
  if (std::erase_if(list.nodes, isOf) > 0) putList(hq, work, std::move(list));
}

void takeBack(server::Node& hq, const std::string& name, const std::string& by) {
  if (!foreseeRevocation(hq, name).isRevoked) {
    throw Failure("revocation.not-revoked", name + " is not revoked. Nothing was changed.");
  }
  hq.write([&](sync::Work& work) {
    storage::Store& store = work.store();
    sync::requireReports(store, "taken back");
    liftRevocation(hq, work, name);
    if (std::optional<storage::LeafRow> leaf = store.leafByName(name); leaf && leaf->revoked) {
      leaf->revoked = false;
      store.putLeaf(*leaf);
    }
    note(hq, store, by, isPhone(store, name) ? "phone-admitted" : "office-admitted", name);
  });
}

bool hasLostRevocations(storage::Store& hq, std::string_view said) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(said.data(), said.data() + said.size(), number);
  if (error != std::errc() || end == said.data() + said.size() || *end != '.') return false;
  try {
    const std::string mark =
        crypto::fromBase64Url(std::string_view(end + 1, said.data() + said.size()));
    return mark.size() == kMarkSize && !isKnown(hq, number, mark);
  } catch (const Failure&) {
    return false;  // the list itself would be judged
  }
}

// A list that nothing is to be added to and that is the newest is taken over as it is.
bool takeLostRevocations(server::Node& hq, std::string_view text) {
  RevocationList list = verifiedList(hq.signingKey().publicKey(), text);
  return hq.write([&](sync::Work& work) {
    storage::Store& store = work.store();
    if (isKnown(store, list.number, markOf(text))) return false;
    const RevocationList before = revocations(store);
    const std::size_t told = list.nodes.size();
    for (const RevokedNode& node : before.nodes) {
      if (!isOn(list, node.name, node.publicKey)) list.nodes.push_back(node);
    }
    putKnown(store, text);
    if (list.nodes.size() > told || list.number <= before.number) {
      list.number = std::max(list.number, before.number) + 1;
      const std::string next = textOf(list, hq.signingKey());
      putKnown(store, next);
      store.setMeta(kListRow, next);
    } else {
      store.setMeta(kListRow, text);
    }
    for (const RevokedNode& node : list.nodes) {
      if (!isOn(before, node.name, node.publicKey)) voidTokens(store, node.name);
    }
    for (const storage::LeafRow& changed : markLeaves(work, before, list)) {
      note(hq, store, "", isPhone(store, changed.name) ? "phone-revoked" : "office-revoked",
           changed.name);
    }
    return true;
  });
}

bool takeRevocations(server::Node& leaf, std::string_view text) {
  const RevocationList list = verifiedList(hubKeys(leaf).signingKey, text);
  return leaf.write([&](sync::Work& work) {
    storage::Store& store = work.store();
    const RevocationList before = revocations(store);
    if (list.number < before.number) {
      throw Failure("revocation.older",
                    "The list of revoked offices and phones is older than the one held here, "
                    "which stays in force.");
    }
    if (list.number == before.number) return false;
    store.setMeta(kListRow, text);
    for (const storage::LeafRow& changed : markLeaves(work, before, list)) {
      note(leaf, store, "", changed.revoked ? "phone-revoked" : "phone-admitted", changed.name);
    }
    return true;
  });
}

}  // namespace waystation::access
