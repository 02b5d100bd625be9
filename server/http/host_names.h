#pragma once

#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace waystation::http {

// The names by which a server is asked for. A page of another site that has its own name point to
// this machine (DNS rebinding) sends that name in Host, and is so told from the server's own pages.
// Any address and `localhost` are always right: no site owns them. For many threads at once.
class HostNames {
 public:
  // Of any case; none: every name is right.
  explicit HostNames(const std::vector<std::string>& names) { use(names); }

  // In the place of those before.
  void use(const std::vector<std::string>& names);

  // `host`: the field's value, with or without a port, the name with or without its last dot.
  bool has(std::string_view host) const;

 private:
  mutable std::mutex mutex_;
  std::set<std::string> names_;  // in small letters; guarded by mutex_
};

}  // namespace waystation::http
