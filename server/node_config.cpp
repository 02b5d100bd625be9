// node.json: what lies in the clear beside the store.

#include <cctype>
#include <fstream>
#include <iterator>

#include "server/http/json.h"
#include "server/node.h"
#include "server/node_restore.h"
#include "storage/whole_file.h"

namespace waystation::server {
namespace {

constexpr std::size_t kLongestName = 16;

std::filesystem::path configFile(const std::filesystem::path& directory) {
  return directory / "node.json";
}

void checkName(const std::string& name) {
  bool good = !name.empty() && name.size() <= kLongestName;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    good = good && (std::isdigit(byte) != 0 || (c >= 'A' && c <= 'Z') || c == '-');
  }
  if (!good) {
    throw Failure("node.name-malformed",
                  "A node's name is a short code such as NBO: capital letters, digits and '-', at "
                  "most 16. Nothing was made.");
  }
}

}  // namespace

NodeConfig Node::readConfig(const std::filesystem::path& directory) {
  if (isRestoreUnfinished(directory)) {
    const DirectoryLock lock = DirectoryLock::take(directory);
    finishRestore(directory);
  }
  std::ifstream file(configFile(directory));
  if (!file) {
    throw Failure("node.missing", "There is no node in " + directory.string() +
                                      ". Make one with `waystation init`, or name another --data.");
  }
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  try {
    const http::Json json = http::parseJson(text);
    NodeConfig config;
    config.role = json.at("role") == "hq" ? Role::kHeadquarters : Role::kOffice;
    config.name = json.at("name").get<std::string>();
    config.port = json.at("port").get<std::uint16_t>();
    config.syncPort = json.at("syncPort").get<std::uint16_t>();
    config.address = json.at("address").get<std::string>();
    config.hqHost = json.at("hqHost").get<std::string>();
    config.hqSyncPort = json.at("hqSyncPort").get<std::uint16_t>();
    return config;
  } catch (const std::exception&) {
    throw Failure("node.config-malformed",
                  "The file node.json in " + directory.string() +
                      " can't be read as this program wrote it. The records are not touched; put "
                      "back the file from a backup.");
  }
}

void Node::writeConfig(const std::filesystem::path& directory, const NodeConfig& config) {
  checkName(config.name);
  const http::Json json = {{"role", config.role == Role::kHeadquarters ? "hq" : "office"},
                           {"name", config.name},
                           {"port", config.port},
                           {"syncPort", config.syncPort},
                           {"address", config.address},
                           {"hqHost", config.hqHost},
                           {"hqSyncPort", config.hqSyncPort}};
  if (storage::replaceFile(configFile(directory), json.dump(2) + '\n') != 0) {
    throw Failure("node.unwritable", "The file node.json can't be written in " +
                                         directory.string() +
                                         ". What it held is whole. Is the disk full?");
  }
}

std::filesystem::path shareDirectory() {
  return std::filesystem::canonical("/proc/self/exe").parent_path().parent_path() / "share" /
         "waystation";
}

}  // namespace waystation::server
