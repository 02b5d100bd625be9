#include "storage/file_deliveries.h"

#include <gtest/gtest.h>

#include "tests/support/storage/store_on_disk.h"

namespace waystation::storage {
namespace {

std::string contentOf(std::size_t size, char letter) {
  std::string content(size, letter);
  for (std::size_t i = 0; i < size; i += 3) content[i] = static_cast<char>(i >> 4U);
  return content;
}

FileManifest manifestOf(const std::string& content) {
  ManifestBuilder builder;
  builder.add(content);
  return builder.finish();
}

class Deliveries : public testing::Test {
 protected:
  Deliveries() {
    ChunkStore::createTables(*database_);
    store_.emplace(*database_);
  }

  FileOutcome take(const std::string& name, std::uint32_t place, const std::string& content) {
    return store_->take(name, place, content.substr(place * kChunkSize, kChunkSize));
  }

  void takeAll(const std::string& name, const std::string& content, int rank = 1) {
    store_->expect(manifestOf(content), name, rank);
    for (std::uint32_t place = 0; place * kChunkSize < content.size(); ++place) {
      take(name, place, content);
    }
  }

  std::unique_ptr<Database> database_ = Database::inMemory();
  std::optional<FileDeliveries> store_;
  const std::string content_ = contentOf(2 * kChunkSize + 100, 'a');
};

TEST_F(Deliveries, ANameReadsOnlyWhatCameUnderIt) {
  takeAll("first", content_);
  EXPECT_EQ(store_->read("first", 0, 1'000'000), content_);
  store_->expect(manifestOf(content_), "second", 1);
  EXPECT_EQ(store_->lacking("second"), Places({0, 1, 2}));
  EXPECT_EQ(codeOf([&] { store_->read("second", 0, 1); }), "file.incomplete");
  EXPECT_EQ(take("second", 1, content_), FileOutcome::kIncomplete);
  EXPECT_EQ(take("second", 1, content_), FileOutcome::kIncomplete);
  EXPECT_EQ(store_->lacking("second"), Places({0, 2}));
  take("second", 0, content_);
  EXPECT_EQ(take("second", 2, content_), FileOutcome::kWhole);
  EXPECT_EQ(store_->read("second", 0, 1'000'000), content_);
  EXPECT_EQ(store_->chunks().countChunks(), 3);
  EXPECT_TRUE(store_->findDamage().empty());
}

TEST_F(Deliveries, GoWithTheLastThatNamesThem) {
  takeAll("first", content_);
  takeAll("second", content_);
  store_->drop("first");
  EXPECT_FALSE(store_->find("first"));
  EXPECT_EQ(store_->read("second", 0, 1'000'000), content_);
  store_->drop("second");
  EXPECT_EQ(store_->chunks().countChunks(), 0);
  EXPECT_EQ(store_->chunks().countFiles(), 0);
}

TEST_F(Deliveries, AreForTheHubByRankAndThoseItPassedOverLast) {
  takeAll("large", contentOf(90'000, 'b'), 1);
  takeAll("small", contentOf(300, 'c'), 0);
  takeAll("upload", contentOf(400, 'd'), FileDeliveries::kStays);
  store_->expect(manifestOf(contentOf(500, 'e')), "not here", 0);
  EXPECT_EQ(store_->forHub(10), std::vector<std::string>({"small", "large"}));
  EXPECT_EQ(store_->countForHub(), 2);
  store_->notePassedOver("small");
  EXPECT_EQ(store_->forHub(10), std::vector<std::string>({"large", "small"}));
  store_->setHubLacks("large", {1, 2});
  EXPECT_EQ(store_->hubLacks("large"), Places({1, 2}));
  EXPECT_EQ(store_->hubLacks("small"), std::nullopt);
  store_->setHubLacks("large", {});
  EXPECT_EQ(store_->forHub(10), std::vector<std::string>({"small"}));
  EXPECT_TRUE(store_->isForHub("sm"));
  EXPECT_FALSE(store_->isForHub("la"));
  store_->forgetHub();
  EXPECT_EQ(store_->countForHub(), 2);
}

TEST_F(Deliveries, ADescriptionThatNothingProvedGivesWay) {
  FileManifest lie = manifestOf(content_);
  std::swap(lie.chunks[0], lie.chunks[1]);
  store_->expect(lie, "lie", 1);
  takeAll("truth", content_);
  EXPECT_EQ(store_->read("truth", 0, 1'000'000), content_);
  EXPECT_FALSE(store_->find("lie"));
  EXPECT_EQ(codeOf([&] { store_->expect(lie, "lie", 1); }), "file.manifest-malformed");
}

TEST_F(Deliveries, AnUploadIsRenamedOrGoesWithAllThatItBrought) {
  store_->putUpload({"id", "root", "{}", 7});
  takeAll(FileDeliveries::uploadName("id", '\0'), content_, FileDeliveries::kStays);
  takeAll(FileDeliveries::uploadName("id", '\1'), contentOf(300, 'c'), FileDeliveries::kStays);
  store_->rename(FileDeliveries::uploadName("id", '\0'), "record", 1);
  EXPECT_EQ(store_->read("record", 0, 1'000'000), content_);
  store_->removeUpload("id");
  EXPECT_FALSE(store_->upload("id"));
  EXPECT_EQ(store_->chunks().countFiles(), 1);
  EXPECT_EQ(store_->forHub(10), std::vector<std::string>({"record"}));
  EXPECT_TRUE(store_->chunks().findDamage([] {}).empty());
}

TEST_F(Deliveries, WhatDoesNotAgreeWithItselfIsFound) {
  takeAll("first", content_);
  database_->execute("UPDATE deliveries SET lacking = 1");
  EXPECT_EQ(store_->findDamage().size(), 1U);
}

}  // namespace
}  // namespace waystation::storage
