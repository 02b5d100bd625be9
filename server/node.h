#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "crypto/certificate.h"
#include "crypto/hpke.h"
#include "crypto/key_slots.h"
#include "crypto/random.h"
#include "crypto/secret.h"
#include "crypto/signature.h"
#include "server/cases/programme_pack.h"
#include "server/directory_lock.h"
#include "server/node_backup.h"
#include "server/node_databases.h"
#include "server/node_keys.h"
#include "storage/high_water_mark.h"
#include "storage/store.h"
#include "sync/erasure.h"
#include "sync/hub.h"
#include "sync/replica.h"

namespace waystation::server {

enum class Role { kHeadquarters, kOffice };

// What lies in the clear beside the store, in node.json: nothing secret, nothing personal.
struct NodeConfig {
  Role role = Role::kOffice;
  std::string name;               // "HQ", "NBO": capital letters, digits, '-', at most 16
  std::uint16_t port = 8443;      // people: browsers and the API
  std::uint16_t syncPort = 8444;  // HQ only: offices, with their certificates
  std::string address = "0.0.0.0";
  std::string hqHost;  // an office's hub, once enrolled
  std::uint16_t hqSyncPort = 0;
};

// A node's identity towards others, kept in the encrypted store.
struct NodeIdentity {
  std::string authorityPem;       // HQ's certificate authority, as known here
  crypto::KeyAndCertificate tls;  // this node's own; empty certificate: not yet enrolled
};

// One data directory, opened: its keys, its store, its replica and its programmes. Everything that
// the server and the commands do goes through one of these; only one process may hold a directory.
//
//   node.json   NodeConfig           keys.slots  the key file       node.db  the encrypted store
//   lock        held while open      control     Unix socket        files.db attachments, encrypted
class Node {
 public:
  // Makes a node that did not exist: directory (0700), keys with one passphrase slot, store; at HQ
  // also the certificate authority and HQ's own certificate; an office gets a self-signed one until
  // it is enrolled. Throws Failure("node.exists", "node.name-malformed", ...) and leaves nothing.
  // `cost`: of the passphrase slot; only tests take a cheaper one.
  static void create(const std::filesystem::path& directory, const NodeConfig& config,
                     std::string_view passphrase, const crypto::Argon2Cost& cost = {});

  // Opens it with what opens one of its key slots. Throws Failure: "node.missing", "node.in-use"
  // (another process holds it), "key.wrong-passphrase" and the like, and what storage throws.
  // `programmes`: the directory of packs.
  Node(std::filesystem::path directory, const crypto::SlotSecret& secret,
       const std::filesystem::path& programmes);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Whether another process holds the directory now (its server runs).
  static bool isHeld(const std::filesystem::path& directory);
  static NodeConfig readConfig(const std::filesystem::path& directory);
  // Where its key file is (crypto::KeySlots).
  static std::filesystem::path keyFile(const std::filesystem::path& directory);
  static void writeConfig(const std::filesystem::path& directory, const NodeConfig& config);

  const std::filesystem::path& directory() const { return directory_; }
  // A copy: another thread may be changing it (an office enrolled while its server runs).
  NodeConfig config() const;
  void changeConfig(const NodeConfig& config);  // and writes it
  bool isHeadquarters() const { return isHeadquarters_; }

  storage::Connections& connections() { return *connections_; }
  // The attachments' content, for storage::ChunkStore. Who wants both writers takes the records'
  // first.
  storage::Connections& attachments() { return *attachments_; }
  sync::Replica& replica() { return *replica_; }
  const sync::Clock& clock() const { return clock_; }
  crypto::Random& random() { return random_; }
  const cases::Programmes& programmes() const { return programmes_; }
  const crypto::SigningKey& signingKey() const { return *signingKey_; }
  // What bundles for this node are sealed to.
  const crypto::RecipientKey& sealingKey() const { return *sealingKey_; }
  // Counts one more in the high-water mark and in the records (storage/high_water_mark.h). Throws
  // as HighWaterMark::raise.
  void raiseMark();
  // All that the node keeps, the records first, for what goes over every page: check, backups, a
  // new page key.
  std::vector<NodeDatabase> databases();
  // For makeBackup, which reads beside what goes on.
  BackupSource backupSource();

  NodeIdentity identity();
  void setIdentity(const NodeIdentity& identity);
  // HQ only: the authority with its private key.
  crypto::KeyAndCertificate authority();

  // HQ only: erases these records, and what belongs to them, everywhere and for good.
  sync::ErasureCounts erase(const std::string& person, const std::vector<sync::RecordId>& ids);

  // Runs `write` in one transaction on the writer and commits; what it returns is returned.
  // Everything that changes records goes through here.
  template <typename F>
  auto write(F&& action) {
    const storage::Connections::Lease writer = connections_->writer();
    sync::Work work(*replica_, *writer);
    if constexpr (std::is_void_v<decltype(action(work))>) {
      action(work);
      work.commit();
    } else {
      auto result = action(work);
      work.commit();
      return result;
    }
  }
  // Runs `read` on a reader's store.
  template <typename F>
  auto read(F&& action) {
    const storage::Connections::Lease reader = connections_->reader();
    storage::Store store(*reader);
    return action(store);
  }

  // What the hub does after letting in a leaf's change (hand-overs); give it to HubExchange.
  sync::Admitted admitted();

  // Called after every commit that has news for the hub or for leaves; set once by the server.
  void onCommitted(std::function<void(bool forHub, bool forLeaves)> listener);
  // There is something for the hub beside the records: bytes of files, or a wish for some.
  void tellHub() { tell(true, false); }

 private:
  void openKeys(const crypto::SlotSecret& secret);
  void openAttachments();
  void openReplica();
  void openSealingKey(storage::Store& store);
  void tell(bool forHub, bool forLeaves);

  std::filesystem::path directory_;
  mutable std::mutex configMutex_;
  NodeConfig config_;
  const bool isHeadquarters_;
  sync::SystemClock clock_;
  crypto::SystemRandom random_;
  cases::Programmes programmes_;
  std::optional<DirectoryLock> lock_;
  std::optional<NodeKeys> keys_;
  std::unique_ptr<storage::Connections> connections_;
  std::unique_ptr<storage::Connections> attachments_;
  std::unique_ptr<storage::HighWaterMark> mark_;
  std::unique_ptr<sync::Replica> replica_;
  std::unique_ptr<crypto::SigningKey> signingKey_;
  std::unique_ptr<crypto::RecipientKey> sealingKey_;
  std::mutex listenerMutex_;
  std::function<void(bool, bool)> listener_;
};

// Where the program's own files are: ../share/waystation beside its executable, with programmes/
// and web/ in it.
std::filesystem::path shareDirectory();

}  // namespace waystation::server
