#include "server/http/host_names.h"

#include <Poco/Net/IPAddress.h>
#include <Poco/String.h>

#include <utility>

namespace waystation::http {
namespace {

// [2001:db8::1]:8443, 192.168.1.10:8443, Nbo.Example.Org.:8443; the empty text where it is none.
std::string nameIn(std::string_view host) {
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    return end == std::string_view::npos ? "" : std::string(host.substr(1, end - 1));
  }
  host = host.substr(0, host.find(':'));
  if (host.ends_with('.')) host.remove_suffix(1);
  return Poco::toLower(std::string(host));
}

}  // namespace

void HostNames::use(const std::vector<std::string>& names) {
  std::set<std::string> lowered;
  for (const std::string& name : names) {
    if (!name.empty()) lowered.insert(Poco::toLower(name));
  }
  const std::lock_guard lock(mutex_);
  names_ = std::move(lowered);
}

bool HostNames::has(std::string_view host) const {
  const std::string name = nameIn(host);
  Poco::Net::IPAddress address;
  if (name == "localhost" || Poco::Net::IPAddress::tryParse(name, address)) return true;
  const std::lock_guard lock(mutex_);
  return names_.empty() || names_.contains(name);
}

}  // namespace waystation::http
