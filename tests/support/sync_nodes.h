#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crypto/hpke.h"
#include "sync/hub.h"
#include "sync/leaf.h"
#include "tests/support/manual_clock.h"
#include "tests/support/seeded_random.h"

namespace waystation::testing {

// A node with its store in memory: the real replica, hub and leaf, without sockets.
class TestNode {
 public:
  // `home`: of a phone, its office. `below`: its hub is not the root (so is a phone's).
  TestNode(std::string name, bool hasHub, std::uint64_t seed, std::string home = "",
           bool below = false);

  sync::RecordId create(const std::string& kind, const std::vector<sync::DraftWrite>& writes,
                        std::optional<sync::RecordId> root = std::nullopt);
  // Saves on top of what this node shows now, or of what `tag` says was read.
  void edit(const sync::RecordId& id, const std::string& field, const std::string& value,
            std::optional<std::string> tag = std::nullopt);
  std::optional<sync::Record> record(const sync::RecordId& id);
  std::string tag(const sync::RecordId& id);
  // It keeps the bytes of files from now on, in memory too.
  void keepFiles();
  storage::Connections& files() { return *files_; }
  // A new start of the process on the same store.
  void restart();
  void setProjection(sync::Projection projection);  // and restarts
  void setUrgent(sync::UrgentValues urgent);        // likewise

  // How many rows were ever written since the start of the process.
  std::int64_t rowsWritten();
  // The whole store as it is, and a start of the process on such a copy.
  std::string copyOfStore();
  void startOnCopy(const std::string& copy);
  std::vector<storage::QuarantineRow> quarantine();

  sync::Replica& replica() { return *replica_; }
  storage::Connections& connections() { return *connections_; }
  const crypto::SigningKey& key() const { return key_; }
  const crypto::RecipientKey& sealingKey() const { return sealingKey_; }
  SeededRandom& random() { return random_; }
  ManualClock& clock() { return clock_; }
  const std::string& name() const { return name_; }
  const std::string& home() const { return home_; }  // empty: an office, or headquarters
  // How it calls this hub: a phone's own office, and any other node's only hub, have no name.
  std::string nameOfHub(const TestNode& hub) const {
    return home_.empty() || hub.name() == home_ ? "" : hub.name();
  }
  sync::StateSum digest();

 private:
  std::string name_;
  std::string home_;
  bool hasHub_;
  sync::Projection projection_;
  sync::UrgentValues urgent_;
  bool below_;
  ManualClock clock_;
  SeededRandom random_;
  crypto::SigningKey key_;
  crypto::RecipientKey sealingKey_;
  std::unique_ptr<storage::Connections> connections_;
  std::unique_ptr<storage::Connections> files_;
  std::unique_ptr<sync::Replica> replica_;
};

void enrol(TestNode& hub, TestNode& leaf);
// One exchange; answers its outcome.
sync::ExchangeOutcome exchange(TestNode& hub, TestNode& leaf);
// One exchange of which only so many bytes of the request or of the answer arrive; answers whether
// it was whole all the same. Sizes are about how much each side wants to send.
struct Cut {
  std::size_t requestBytes = SIZE_MAX;
  std::size_t answerBytes = SIZE_MAX;
  std::size_t upBytes = 4 * 1024 * 1024;
  std::size_t downBytes = 4 * 1024 * 1024;
};
bool exchangeCut(TestNode& hub, TestNode& leaf, const Cut& cut);
// Exchanges until neither side has more.
sync::ExchangeOutcome exchangeAll(TestNode& hub, TestNode& leaf);

}  // namespace waystation::testing
