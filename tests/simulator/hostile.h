#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/sync_nodes.h"

namespace waystation::simulator {

// What a leaf with a stolen or misused key tries. Each is one request.
enum class Attack : std::int64_t {
  kEditsForeignRecord,
  kDeletesForeignRecord,
  kTakesCustody,
  kOpensScopeToAll,
  kBearsARecordTwice,
  kBearsAChildOfAForeignRoot,
  kBearsAChildOfNoRoot,
  kNamesAForeignRoot,  // to be given it
  kHasSeenTheFuture,   // to make another's next write vanish
  kHasSeenItself,
  kForgesADot,  // of another office's incarnation
  kUsesACounterBeyondItsChain,
  kUsesACounterTwice,
  kSendsALinkWithAnotherBody,
  kWritesAsAnotherOffice,
  kSignsWithAnotherKey,
  kLiesAboutItsFeed,
  kHandsInForeignReceipts,
  kSkipsBodies,
  kOffersToHealAForeignRecord,  // to be told to let go of it, as one who had it
  kGarblesBytes,
  kRepeatsAnOldRequest,
  kWritesHonestly,  // and so has a chain that its lies can continue
};
inline constexpr std::int64_t kAttacks = 23;
std::string nameOf(Attack attack);

// What it knows of its victim: the worst is taken, that it has learned every identity.
struct Victim {
  sync::RecordId record;
  sync::RecordId root;
  std::string office;
  sync::Dot lastDot;  // of the victim's process
};

// An enrolled office that keeps no rules: it makes its requests byte by byte, signed with the key
// that it was enrolled with. It signs its changes as "evil@" and itself.
class HostileLeaf {
 public:
  HostileLeaf(std::string name, std::uint64_t seed);

  const std::string& name() const { return name_; }
  const crypto::SigningKey& key() const { return key_; }
  void reseed(std::uint64_t seed) { random_.reseed(seed); }

  std::string request(Attack attack, const Victim& victim);
  // Learns from the hub's answer how far that let it come.
  void learn(const std::string& answer);

 private:
  struct Link {
    sync::Dot link;
    std::string hash;
  };
  sync::Change lie(Attack attack, const Victim& victim, const sync::Dot& dot);
  std::string signedRequest(Attack attack, const std::vector<sync::Change>& changes);
  std::string framesOf(Attack attack, const std::vector<sync::Change>& changes);
  void begin();

  std::string name_;
  testing::SeededRandom random_;
  crypto::SigningKey key_;
  sync::ReplicaId incarnation_ = 0;
  std::uint64_t counter_ = 0;
  std::string saltKey_;
  Link head_;    // of the chain that it goes on with
  Link parent_;  // of its incarnation
  std::map<sync::Dot, std::string> hashes_;
  std::optional<sync::RecordId> offered_;
  std::string lastRequest_;
};

}  // namespace waystation::simulator
