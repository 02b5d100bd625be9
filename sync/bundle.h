#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/hpke.h"
#include "crypto/signature.h"
#include "storage/database.h"
#include "sync/bundle_format.h"
#include "sync/hub.h"
#include "sync/leaf.h"
#include "sync/replica.h"

namespace waystation::sync {

// Exchanges in files (docs/spec/bundle.md): what over the link is a request and its answer travels
// as two bundles, or as several of each, in any order, twice, or never. Their frames are the
// exchange's own, and pass through the same LeafExchange and HubExchange.

// This node, as bundles need it. Borrows everything.
struct BundleNode {
  Replica& replica;
  storage::Connections& connections;
  const crypto::SigningKey& key;
  const crypto::RecipientKey& sealingKey;
  std::string name;
  // At a leaf: its hub's name and its two public keys.
  std::string hub = {};
  std::string hubKey = {};
  std::string hubSealingKey = {};
  Admitted admitted = {};
  // What goes beside the exchange, in a bundle's first part: whole frames for that peer, 46 to 48.
  std::function<std::string(const std::string& to)> beside = {};
  // Takes one that came from this peer. What it throws ends the reading.
  std::function<void(const std::string& from, const Frame& frame)> takeBeside = {};
};

struct BundleTerms {
  std::int64_t goodForMs = std::int64_t{60} * 24 * 3600 * 1000;
  std::uint64_t mostBytes = std::uint64_t{1} << 30;  // of content, about, in one bundle
  std::size_t partBytes = std::size_t{4} << 20;      // of an exchange in it, before compression
};

struct BundleWritten {
  BundleManifest manifest;
  std::uint64_t fileBytes = 0;
  std::uint64_t changes = 0;  // going up
  std::uint64_t entries = 0;  // of the feed, going down
  bool more = false;          // did not fit: another one goes on
};

// Writes what the other end has not acknowledged, in as many bundles as its terms want; moves no
// cursor, so the same can be written again at any time.
class BundleSeries {
 public:
  // For this node's hub, or for one of its leaves. Throws Failure: "bundle.no-key" (it was enrolled
  // before there were bundles), "bundle.unknown-recipient", "bundle.recipient-revoked".
  BundleSeries(BundleNode node, const std::string& to, BundleTerms terms = {});

  // The next bundle of it. `cancelled` is asked between parts and may throw.
  BundleWritten write(const BundleSink& sink, const std::function<void()>& cancelled = {});

 private:
  std::string upPart(bool isFirst);
  std::string downPart(bool isFirst);
  BundleManifest begun();

  BundleNode node_;
  BundleTerms terms_;
  BundleRecipient recipient_;
  BundleWay way_ = BundleWay::kUp;
  std::string series_;
  std::uint64_t written_ = 0;
  ChainPlace chain_;
  FeedPlace feed_;
  std::size_t changes_ = 0;
  bool more_ = false;
};

struct BundleRead {
  enum class State {
    kApplied,
    kNothingNew,  // all of it is here, by a later bundle or by the link
    kReadBefore,
    kKeptAside,  // begins beyond where this node is: applied by itself when its turn comes
    kVerified,   // a dry run: whole, and its turn
  };
  State state = State::kApplied;
  BundleManifest manifest;
  std::int64_t readBeforeMs = 0;
  std::uint64_t changes = 0;  // let in, or applied
  std::uint64_t quarantined = 0;
  std::uint64_t rootsEntered = 0;
  std::uint64_t rootsLeft = 0;
  bool acknowledged = false;  // it said that something of this node's has arrived
  bool asksAgain = false;     // the other end lacks what it once had: write to it
  Agreement agreement = Agreement::kNotCompared;
  std::uint64_t keptApplied = 0;  // bundles kept aside whose turn came with this one
};

// Verifies a bundle whole and applies it, frame by frame; what a broken-off reading applied is
// kept, and the same bundle read again goes on. Throws Failure: what BundleReader throws;
// "bundle.unknown-sender", "bundle.sender-revoked", "bundle.other-way", "bundle.keeps-full"; and
// what exchanges throw.
BundleRead readBundle(const BundleNode& node, BundleSource source, bool isDryRun = false,
                      const BundleProgress& progress = {});

}  // namespace waystation::sync
