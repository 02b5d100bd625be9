#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "server/node.h"
#include "sync/bundle.h"

namespace waystation::server {

// This node as bundles need it, with what it learnt of headquarters when it joined. What was done
// beside the exchange, or could not be, is added to `told`, a sentence each.
sync::BundleNode bundleNode(Node& node, std::vector<std::string>* told = nullptr);

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

// All of a file of at most 64 KiB, from a stick. Throws Failure("bundle.unreadable").
std::string readSmallFile(const std::filesystem::path& file);

// Throws Failure("bundle.unreadable"), then and at each read.
sync::BundleSource openBundleFile(const std::filesystem::path& file);

}  // namespace waystation::server
