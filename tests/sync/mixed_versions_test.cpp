#include <gtest/gtest.h>

#include "sync/frame.h"
#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

using testing::enrol;
using testing::exchangeAll;
using testing::TestNode;

// What this version never writes: a kind, a field and a form of value of a later one.
constexpr const char* kKind = "kind_of_a_later_version";
constexpr const char* kField = "part/of/a_later_version";
constexpr const char* kValue = R"({"a":[null,true,{"ü":"\u0001"}],"z":[]})";

struct Chain {
  TestNode hq{"HQ", false, 1};
  TestNode office{"NBO", true, 2};
  TestNode phone{"NBO-P1", true, 3, "NBO"};

  Chain() {
    enrol(hq, office);
    enrol(office, phone);
  }
};

// The frames as a later version sends them: unknown ones between, and bytes behind the first.
std::string asLater(const std::string& message) {
  FrameReader reader;
  reader.add(message);
  std::string bytes;
  while (const std::optional<Frame> frame = reader.next()) {
    const bool isFirst = bytes.empty();
    bytes += encodeFrame(frame->type, isFirst ? frame->payload + "later" : frame->payload);
    bytes += encodeFrame(static_cast<FrameType>(99), "a frame of a later version");
  }
  return bytes;
}

TEST(MixedVersions, AnOlderOfficePassesUnknownKindsAndFieldsBothWaysByteForByte) {
  Chain nodes;
  const RecordId up = nodes.phone.create(kKind, {{kField, kValue}});
  const RecordId down = nodes.hq.create(kKind, {{kField, kValue}, {"_custody", "\"NBO\""}});
  for (int i = 0; i < 3; ++i) {
    exchangeAll(nodes.office, nodes.phone);
    exchangeAll(nodes.hq, nodes.office);
  }
  for (const RecordId& id : {up, down}) {
    const std::string written = encodeState(*nodes.hq.record(id));
    EXPECT_NE(written.find(kValue), std::string::npos);
    EXPECT_EQ(encodeState(*nodes.office.record(id)), written);
    EXPECT_EQ(encodeState(*nodes.phone.record(id)), written);
  }
}

TEST(MixedVersions, UnknownFramesAndBytesBehindAHelloArePassedOver) {
  Chain nodes;
  const RecordId up = nodes.office.create("person", {{"name", "\"A\""}});
  const RecordId down = nodes.hq.create("person", {{"_custody", "\"NBO\""}});
  LeafExchange leaf(nodes.office.replica(), nodes.office.connections(), nodes.office.key());
  HubExchange hub(nodes.hq.replica(), nodes.hq.connections(), "NBO");
  hub.receive(asLater(leaf.request()));
  leaf.receive(asLater(hub.answer()));
  leaf.finish();
  EXPECT_TRUE(nodes.hq.record(up));
  EXPECT_TRUE(nodes.office.record(down));
  EXPECT_EQ(exchangeAll(nodes.hq, nodes.office).agreement, Agreement::kAgree);
}

}  // namespace
}  // namespace waystation::sync
