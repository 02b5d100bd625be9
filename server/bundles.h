#pragma once

#include <filesystem>
#include <string>

#include "server/node.h"
#include "sync/bundle.h"

namespace waystation::server {

// This node as bundles need it, with what it learnt of headquarters when it joined.
sync::BundleNode bundleNode(Node& node);

// A bundle's file while it is written: under another name until it is whole.
class BundleFile {
 public:
  // Throws Failure: "bundle.file-exists", "bundle.not-written".
  explicit BundleFile(std::filesystem::path file);
  ~BundleFile();  // removes what was not kept
  BundleFile(const BundleFile&) = delete;
  BundleFile& operator=(const BundleFile&) = delete;

  // Throws Failure("bundle.not-written").
  void write(std::uint64_t at, std::string_view bytes);
  // It is whole: synced to the stick, and given its name. Throws Failure("bundle.not-written").
  void keep();

 private:
  std::filesystem::path file_;
  std::filesystem::path part_;
  int descriptor_ = -1;
};

// Throws Failure("bundle.unreadable"), then and at each read.
sync::BundleSource openBundleFile(const std::filesystem::path& file);

}  // namespace waystation::server
