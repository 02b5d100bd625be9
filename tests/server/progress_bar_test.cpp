#include "server/cases/progress_bar.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace waystation::cases {
namespace {

TEST(ProgressBar, SaysShareRowsRateAndWhatIsLeft) {
  EXPECT_EQ(progressLine({600, 1000, 6000, 5}, 80),
            "[#################............]   60 %  6,000 rows  1,200 rows/s  about 3 s left");
}

TEST(ProgressBar, SaysHowLongItTookAtTheEnd) {
  EXPECT_EQ(progressLine({10, 10, 13367, 2}, 60),
            "[################]  100 %  13,367 rows  6,683 rows/s  in 2 s");
}

TEST(ProgressBar, GoesWithoutABarWhereThereIsNoRoomOrNoTotal) {
  EXPECT_EQ(progressLine({5, 10, 1, 0}, 20), " 50 %  1 row");
  EXPECT_EQ(progressLine({5, 0, 7, 1}, 80), "7 rows  7 rows/s");
  EXPECT_EQ(progressLine({5, 10, 1, 1}, 6), " 50 % ");
}

TEST(ProgressBar, MoreDoneThanTotalIsStillTheWhole) {
  EXPECT_NE(progressLine({20, 10, 1, 1}, 80).find("100 %"), std::string::npos);
}

TEST(ProgressBar, WritesDurationsInPlainWords) {
  EXPECT_EQ(durationText(0), "0 s");
  EXPECT_EQ(durationText(59.4), "59 s");
  EXPECT_EQ(durationText(200), "3 min 20 s");
  EXPECT_EQ(durationText(7500), "2 h 5 min");
  EXPECT_EQ(durationText(-1), "0 s");
}

TEST(ProgressWriter, OnATerminalOneLineChangesInPlace) {
  std::ostringstream out;
  double now = 0;
  ProgressWriter writer(
      out, true, [&] { return now; }, 60);
  writer.show(1, 10, 10);
  now = 0.05;
  writer.show(2, 10, 20);  // too soon to be shown
  now = 0.2;
  writer.show(3, 10, 30);
  writer.finish();
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\r'), 2);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_EQ(text.back(), '\n');
}

TEST(ProgressWriter, ElsewhereThereIsALineForEveryTenth) {
  std::ostringstream out;
  ProgressWriter writer(out, false, [] { return 0.0; });
  for (std::uint64_t i = 1; i <= 100; ++i) writer.show(i, 100, i);
  writer.finish();
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 10);
  EXPECT_EQ(text.find('\r'), std::string::npos);
}

TEST(ProgressWriter, TheLastStateIsAlwaysShown) {
  std::ostringstream out;
  ProgressWriter writer(out, false, [] { return 0.0; });
  writer.show(5, 1000, 3);
  writer.finish();
  EXPECT_NE(out.str().find("3 rows"), std::string::npos);
}

TEST(ProgressWriter, WithoutAnyProgressNothingIsWritten) {
  std::ostringstream out;
  ProgressWriter(out, true, [] { return 0.0; }).finish();
  EXPECT_EQ(out.str(), "");
}

}  // namespace
}  // namespace waystation::cases
