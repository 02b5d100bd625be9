#include "tests/support/bundle_pair.h"

#include <algorithm>

namespace waystation::testing {

sync::BundleSink sinkInto(std::string& bytes) {
  return [&bytes](std::uint64_t at, std::string_view piece) {
    bytes.resize(std::max<std::size_t>(bytes.size(), at + piece.size()));
    bytes.replace(at, piece.size(), piece);
  };
}

sync::BundleSource sourceOf(const std::string& bytes) {
  return {bytes.size(),
          [&bytes](std::uint64_t at, std::size_t size) { return bytes.substr(at, size); }};
}

sync::BundleNode atHub(TestNode& hub) {
  return {hub.replica(), hub.connections(), hub.key(), hub.sealingKey(), hub.name()};
}

sync::BundleNode atLeaf(TestNode& leaf, const TestNode& hub) {
  return {leaf.replica(),
          leaf.connections(),
          leaf.key(),
          leaf.sealingKey(),
          leaf.name(),
          hub.name(),
          hub.key().publicKey(),
          hub.sealingKey().publicKey()};
}

Stick writeUp(TestNode& leaf, const TestNode& hub, sync::BundleTerms terms) {
  Stick stick;
  sync::BundleSeries series(atLeaf(leaf, hub), hub.name(), terms);
  stick.written = series.write(sinkInto(stick.bytes));
  return stick;
}

Stick writeDown(TestNode& hub, const TestNode& leaf, sync::BundleTerms terms) {
  Stick stick;
  sync::BundleSeries series(atHub(hub), leaf.name(), terms);
  stick.written = series.write(sinkInto(stick.bytes));
  return stick;
}

sync::BundleRead readUp(TestNode& hub, const Stick& stick) {
  return sync::readBundle(atHub(hub), sourceOf(stick.bytes));
}

sync::BundleRead readDown(TestNode& leaf, const TestNode& hub, const Stick& stick) {
  return sync::readBundle(atLeaf(leaf, hub), sourceOf(stick.bytes));
}

}  // namespace waystation::testing
