#pragma once

#include <string>

#include "sync/bundle.h"
#include "tests/support/sync_nodes.h"

namespace waystation::testing {

// A bundle in memory.
struct Stick {
  std::string bytes;
  sync::BundleWritten written;
};

sync::BundleSink sinkInto(std::string& bytes);
sync::BundleSource sourceOf(const std::string& bytes);  // borrows

// Headquarters and an office that know each other's keys.
sync::BundleNode atHub(TestNode& hub);
sync::BundleNode atLeaf(TestNode& leaf, const TestNode& hub);

// What one of them has for the other, in one bundle.
Stick writeUp(TestNode& leaf, const TestNode& hub, sync::BundleTerms terms = {});
Stick writeDown(TestNode& hub, const TestNode& leaf, sync::BundleTerms terms = {});
sync::BundleRead readUp(TestNode& hub, const Stick& stick);
sync::BundleRead readDown(TestNode& leaf, const TestNode& hub, const Stick& stick);

}  // namespace waystation::testing
