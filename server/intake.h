#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>

#include "crypto/random.h"
#include "server/node.h"

namespace waystation::server {

// What phones send while their office is locked: kept in the file intake.spool, sealed to the
// office, so that the locked office itself can't read it; applied once it is open.
//
//   file     records, nothing between them; what a power cut left at the end counts for nothing
//   record   size u32 (big-endian) of the rest; HPKE to the office's sealing key, info "waystation
//            intake v1", associated data: the office's name, of
//            size u32 of the certificate; the phone's certificate as shown, PEM; the request's body
class IntakeSpool {
 public:
  static constexpr std::size_t kMostRequestBytes = std::size_t{8} << 20;
  static constexpr std::size_t kMostBytes = std::size_t{256} << 20;

  // `sealingKey`: the office's X25519 key. One object for a directory.
  IntakeSpool(const std::filesystem::path& directory, std::string sealingKey, std::string office);

  // On the disk when it returns. Throws Failure("store.full") where there is no room for it.
  void keep(const std::string& certificatePem, const std::string& body);

 private:
  const std::filesystem::path file_;
  const std::string sealingKey_;
  const std::string office_;
  crypto::SystemRandom random_;
  std::mutex mutex_;
  std::optional<std::size_t> size_;  // guarded by mutex_; of what is whole in the file
};

struct IntakeOutcome {
  std::size_t applied = 0;
  std::size_t refused = 0;  // of phones that may not speak any more, or not what it must be
};

// Applies what was kept, in order, each as if its phone sent it now, and removes it; noted in the
// audit log. Again after a power cut does no harm. Throws what storage throws, with all kept.
IntakeOutcome applyIntake(Node& office);

}  // namespace waystation::server
