#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "server/http/client.h"

namespace waystation::bench {

// An office served by the real program, the one that lies beside this one; ended with this.
class ServedOffice {
 public:
  // `folder`: for the passphrase's file and the log. Throws std::runtime_error where it does not
  // start.
  ServedOffice(const std::filesystem::path& directory, const std::filesystem::path& folder,
               std::string authorityPem);
  ~ServedOffice();
  ServedOffice(const ServedOffice&) = delete;
  ServedOffice& operator=(const ServedOffice&) = delete;

  http::ClientSettings settings() const;
  double readyMs() const { return readyMs_; }  // from the start of the process to its "ready"
  double residentMb() const;                   // its memory now

 private:
  void start(const std::filesystem::path& directory, const std::filesystem::path& passphrase,
             const std::filesystem::path& log);

  std::string authorityPem_;
  pid_t process_ = -1;
  int output_ = -1;
  std::uint16_t port_ = 0;
  double readyMs_ = 0;
};

}  // namespace waystation::bench
