#pragma once

#include <gtest/gtest.h>

#include "tests/support/sync_nodes.h"

namespace waystation::testing {

// Headquarters and two offices, the first of which has a case.
class TwoOffices : public ::testing::Test {
 protected:
  TwoOffices() {
    enrol(hq_, nairobi_);
    enrol(hq_, mombasa_);
    id_ = hq_.create("case_file", {{"_custody", "\"NBO\""}, {"status", "\"new\""}});
    settle();
  }

  void settle() {
    for (int i = 0; i < 3; ++i) {
      exchangeAll(hq_, nairobi_);
      exchangeAll(hq_, mombasa_);
    }
  }

  TestNode hq_{"HQ", false, 1};
  TestNode nairobi_{"NBO", true, 2};
  TestNode mombasa_{"MBA", true, 3};
  sync::RecordId id_;
};

}  // namespace waystation::testing
