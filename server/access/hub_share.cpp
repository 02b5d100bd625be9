#include "server/access/hub_share.h"

#include "crypto/failure.h"
#include "crypto/hpke.h"
#include "server/access/leaf_certificates.h"
#include "server/audit.h"
#include "sync/clock.h"

namespace waystation::access {
namespace {

using http::Json;

constexpr std::string_view kInfo = "waystation hq share v1";
constexpr std::string_view kHalfRow = "share.half.";
constexpr std::string_view kStateRow = "share.state.";
constexpr std::int64_t kHourMs = 3'600'000;

std::string rowFor(std::string_view prefix, const std::string& office) {
  return std::string(prefix) + office;
}

Json stateOf(storage::Store& store, const std::string& office) {
  const auto text = store.meta(rowFor(kStateRow, office));
  if (text && !text->empty()) return http::parseJson(*text);
  return {{"flagged", nullptr}, {"released", nullptr}, {"releases", 0}, {"refused", nullptr}};
}

void putState(storage::Store& store, const std::string& office, const Json& state) {
  store.setMeta(rowFor(kStateRow, office), http::canonicalJson(state));
}

std::string halfOf(storage::Store& store, const std::string& office) {
  return store.meta(rowFor(kHalfRow, office)).value_or("");
}

void setFlag(server::Node& hq, const std::string& office, const std::string& by, bool isFlagged) {
  if (!hq.isHeadquarters()) {
    throw Failure("node.not-headquarters",
                  "Only headquarters flags offices. Ask there; nothing was changed.");
  }
  hq.write([&](sync::Work& work) {
    storage::Store& store = work.store();
    const std::optional<storage::LeafRow> leaf = store.leafByName(office);
    if (!leaf || !leaf->home.empty()) {
      throw Failure("share.unknown-office",
                    "Headquarters knows no office of the name " + office +
                        ". Nothing was changed; `waystation status` lists the offices.");
    }
    Json state = stateOf(store, office);
    state["refusedMs"] = 0;
    state["flagged"] = isFlagged ? Json(sync::formatTime(hq.clock().nowMs())) : Json(nullptr);
    putState(store, office, state);
    server::noteDeed(
        store, hq.clock(),
        {by, isFlagged ? "office-flagged" : "office-unflagged", {}, {{"node", office}}});
  });
}

// Noted before anything is answered. A box that is refused goes on asking: one entry an hour.
void noteAsked(server::Node& hq, const std::string& office, const std::string& address,
               bool isReleased) {
  hq.write([&](sync::Work& work) {
    storage::Store& store = work.store();
    Json state = stateOf(store, office);
    const std::int64_t now = hq.clock().nowMs();
    const bool isNews = isReleased || now - state.value("refusedMs", std::int64_t{0}) > kHourMs;
    if (!isNews) return;
    state[isReleased ? "released" : "refused"] = sync::formatTime(now);
    if (isReleased) state["releases"] = state.at("releases").get<std::int64_t>() + 1;
    if (!isReleased) state["refusedMs"] = now;
    putState(store, office, state);
    server::noteDeed(store, hq.clock(),
                     {"",
                      isReleased ? "share-released" : "share-refused",
                      {},
                      {{"node", office}, {"address", address}}});
  });
}

}  // namespace

std::string sealHalf(crypto::Random& random, const std::string& hubSealingKey,
                     const std::string& office, std::string_view half) {
  return crypto::hpkeSeal(random, hubSealingKey, kInfo, office, half);
}

void keepHalf(server::Node& hq, const std::string& office, const std::string& sealedHalf) {
  const std::optional<std::string> half =
      crypto::hpkeOpen(hq.sealingKey(), kInfo, office, sealedHalf);
  if (!half || half->size() != kHalfSize) {
    throw Failure("share.malformed",
                  "What the office gave to keep is not sealed to this headquarters. Nothing was "
                  "kept; make the slot again with `waystation key add --kind hq-share`.");
  }
  hq.write([&](sync::Work& work) {
    if (halfOf(work.store(), office) == *half) return;
    work.store().setMeta(rowFor(kHalfRow, office), *half);
    server::noteDeed(work.store(), hq.clock(), {"", "share-kept", {}, {{"node", office}}});
  });
}

std::string releaseHalf(server::Node& hq, const std::string& certificatePem,
                        const std::string& address) {
  const crypto::CertificateFacts facts = crypto::readCertificate(certificatePem);
  const std::string& office = facts.commonName;
  std::string half;
  const Failure refusal = hq.read([&](storage::Store& store) {
    try {
      judgeDoor(hq, store, facts);
    } catch (const Failure& failure) {
      return failure;
    }
    if (!stateOf(store, office).at("flagged").is_null()) {
      return Failure("share.flagged", "Headquarters has flagged " + office +
                                          ": its store opens by hand alone. Ask headquarters.");
    }
    half = halfOf(store, office);
    return Failure("share.unknown", "Headquarters keeps no share for " + office + ".");
  });
  noteAsked(hq, office, address, !half.empty());
  if (half.empty()) throw refusal;
  return half;
}

void flag(server::Node& hq, const std::string& office, const std::string& by) {
  setFlag(hq, office, by, true);
}

void unflag(server::Node& hq, const std::string& office, const std::string& by) {
  setFlag(hq, office, by, false);
}

void forgetShare(storage::Store& store, const std::string& office) {
  for (const std::string_view row : {kHalfRow, kStateRow}) {
    if (store.meta(rowFor(row, office))) store.setMeta(rowFor(row, office), "");
  }
}

Json shareState(storage::Store& store, const std::string& office) {
  Json state = stateOf(store, office);
  const bool isKept = !halfOf(store, office).empty();
  if (!isKept && state.at("flagged").is_null()) return nullptr;
  state.erase("refusedMs");
  state["kept"] = isKept;
  return state;
}

}  // namespace waystation::access
