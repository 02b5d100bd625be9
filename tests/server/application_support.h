#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "server/access/enrolment.h"
#include "server/application.h"
#include "server/bundles.h"
#include "server/cases/record_service.h"
#include "tests/server/http_support.h"
#include "tests/support/test_node.h"

namespace waystation::server::testing {

using http::Json;

inline constexpr const char* kPassword = "seven green bicycles";

// Looks again and again until it is so; gives up after half a minute.
inline bool waitUntil(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

// A bundle from one node to another, as its file's bytes.
inline std::string bundleFor(Node& from, const std::string& to) {
  std::string bytes;
  sync::BundleSeries(bundleNode(from), to).write([&](std::uint64_t at, std::string_view piece) {
    bytes.resize(std::max<std::size_t>(bytes.size(), at + piece.size()));
    bytes.replace(at, piece.size(), piece);
  });
  return bytes;
}

// Reads it there; what was done beside the exchange.
inline std::vector<std::string> readBundleAt(Node& node, const std::string& bytes) {
  std::vector<std::string> told;
  sync::readBundle(bundleNode(node, &told), {bytes.size(), [&](std::uint64_t at, std::size_t size) {
                                               return bytes.substr(at, size);
                                             }});
  return told;
}

// A node in a directory of its own with everything that `serve` runs, on ports of its own.
class RunningNode {
 public:
  RunningNode(Role role, const std::string& name)
      : node_(waystation::testing::makeNode(directory_.path() / "node", role, name)) {
    NodeConfig config = node_->config();
    config.address = "127.0.0.1";
    node_->changeConfig(config);
  }

  void start(const http::SyncTimes& times = {}) {
    ApplicationSettings settings;
    settings.port = 0;
    settings.syncPort = 0;
    settings.times = times;
    settings.lock = [] {};
    application_ = std::make_unique<Application>(*node_, settings);
    application_->start();
  }

  void stop() { application_.reset(); }

  Node& node() { return *node_; }
  Application& application() { return *application_; }
  http::SyncClient& link() { return *application_->syncClient(); }

  // Joins that HQ, which runs, while nothing runs here.
  void join(RunningNode& hq) {
    access::enrol(node(), access::issueToken(hq.node(), node().config().name), "127.0.0.1",
                  hq.application().port());
  }

  std::string person(const std::string& familyName) {
    const Json edits = {{{"record", "new:1"},
                         {"kind", "person"},
                         {"fields", {{"family_name", familyName}, {"given_name", "Amina"}}}}};
    const Json answer = cases::saveChanges(node(), "amina", {{"edits", edits}});
    return answer["records"]["new:1"]["id"].get<std::string>();
  }

  bool has(const std::string& uuid) {
    return node().read([&](storage::Store& store) {
      return store.record(sync::RecordId::fromUuid(uuid)->bytes()).has_value();
    });
  }

  http::ClientSettings peopleSettings() {
    http::ClientSettings settings;
    settings.host = "127.0.0.1";
    settings.port = application_->port();
    settings.expectedName = "localhost";
    settings.authorityPem = node().identity().authorityPem;
    return settings;
  }

 private:
  waystation::testing::TempDirectory directory_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<Application> application_;
};

}  // namespace waystation::server::testing
