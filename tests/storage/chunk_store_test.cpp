#include "storage/chunk_store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <random>

#include "tests/support/storage/store_on_disk.h"

namespace waystation::storage {
namespace {

std::string contentOf(std::size_t size, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::string content(size, '\0');
  for (char& byte : content) byte = static_cast<char>(random());
  return content;
}

FileManifest manifestOf(const std::string& content, std::size_t step = 10'000) {
  ManifestBuilder builder;
  for (std::size_t at = 0; at < content.size(); at += step) builder.add(content.substr(at, step));
  return builder.finish();
}

std::string chunkOf(const std::string& content, std::size_t index) {
  return content.substr(index * kChunkSize, kChunkSize);
}

class Chunks : public testing::Test {
 protected:
  Chunks() { reopen(OpenMode::kCreate); }

  // As after the end of the process, by a power cut too: nothing is kept but what was committed.
  void reopen(OpenMode mode = OpenMode::kReadWrite) {
    store_.reset();
    database_.reset();
    database_ = std::make_unique<Database>(file_, keyOf('f'), mode);
    ChunkStore::createTables(*database_);
    store_.emplace(*database_);
  }

  FileOutcome put(const FileManifest& manifest, const std::string& name = "record") {
    Transaction transaction(*database_);
    const FileOutcome outcome = store_->putManifest(manifest, name);
    transaction.commit();
    return outcome;
  }

  FileOutcome putChunk(const std::string& id, std::uint32_t index, const std::string& bytes) {
    Transaction transaction(*database_);
    const FileOutcome outcome = store_->putChunk(id, index, bytes);
    transaction.commit();
    return outcome;
  }

  FileOutcome putAll(const std::string& content, const std::string& name = "record") {
    const FileManifest manifest = manifestOf(content);
    FileOutcome outcome = put(manifest, name);
    for (std::uint32_t i = 0; i < manifest.chunks.size(); ++i) {
      outcome = putChunk(manifest.id, i, chunkOf(content, i));
    }
    return outcome;
  }

  // Whether any page of the database, free ones too, holds these bytes once it is decrypted.
  bool pagesHold(const std::string& bytes) {
    sqlite3_int64 size = 0;
    unsigned char* image = sqlite3_serialize(database_->handle(), "main", &size, 0);
    const bool found =
        std::string_view(reinterpret_cast<const char*>(image), static_cast<std::size_t>(size))
            .find(bytes) != std::string_view::npos;
    sqlite3_free(image);
    return found;
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "files.db";
  std::unique_ptr<Database> database_;
  std::optional<ChunkStore> store_;
};

TEST_F(Chunks, AManifestIsTheSameHoweverTheContentComes) {
  for (const std::size_t size : {0UL, 1UL, kChunkSize - 1, kChunkSize, kChunkSize + 1, 100'000UL}) {
    const std::string content = contentOf(size);
    const FileManifest manifest = manifestOf(content, 7'000);
    EXPECT_EQ(manifest.chunks, manifestOf(content, 1'000'000).chunks);
    EXPECT_EQ(manifest.size, size);
    EXPECT_EQ(manifest.chunks.size(), (size + kChunkSize - 1) / kChunkSize);
    EXPECT_EQ(manifest.id, crypto::view(crypto::sha256(content)));
    for (std::size_t i = 0; i < manifest.chunks.size(); ++i) {
      EXPECT_EQ(manifest.chunks[i], crypto::view(crypto::sha256(chunkOf(content, i))));
    }
  }
}

TEST_F(Chunks, AFileIsReadOnlyWhenAllOfItIsThereAndProved) {
  const std::string content = contentOf(3 * kChunkSize + 100);
  const FileManifest manifest = manifestOf(content);
  EXPECT_EQ(put(manifest), FileOutcome::kIncomplete);
  EXPECT_EQ(store_->bitmap(manifest.id), std::string(1, '\0'));
  for (const std::uint32_t index : {3U, 0U, 2U}) {
    EXPECT_EQ(putChunk(manifest.id, index, chunkOf(content, index)), FileOutcome::kIncomplete);
    EXPECT_EQ(codeOf([&] { store_->read(manifest.id, 0, 1); }), "file.incomplete");
  }
  EXPECT_EQ(store_->bitmap(manifest.id), std::string(1, '\x0d'));
  EXPECT_EQ(store_->missing(manifest.id, 10), std::vector<std::uint32_t>{1});
  EXPECT_EQ(putChunk(manifest.id, 1, chunkOf(content, 1)), FileOutcome::kWhole);
  EXPECT_TRUE(store_->isWhole(manifest.id));
  EXPECT_EQ(store_->read(manifest.id, 0, 10'000'000), content);
  EXPECT_EQ(store_->read(manifest.id, kChunkSize - 3, 7), content.substr(kChunkSize - 3, 7));
  EXPECT_EQ(store_->read(manifest.id, 3 * kChunkSize + 90, 50),
            content.substr(content.size() - 10));
  EXPECT_EQ(store_->read(manifest.id, content.size(), 5), "");
}

TEST_F(Chunks, WrongBytesAreRefusedAndChangeNothing) {
  const std::string content = contentOf(2 * kChunkSize);
  const FileManifest manifest = manifestOf(content);
  put(manifest);
  std::string wrong = chunkOf(content, 0);
  wrong[100] = static_cast<char>(wrong[100] ^ 1);
  EXPECT_EQ(putChunk(manifest.id, 0, wrong), FileOutcome::kWrongBytes);
  EXPECT_EQ(putChunk(manifest.id, 0, chunkOf(content, 1)), FileOutcome::kWrongBytes);
  EXPECT_EQ(putChunk(manifest.id, 0, chunkOf(content, 0).substr(1)), FileOutcome::kWrongBytes);
  EXPECT_EQ(putChunk(manifest.id, 0, ""), FileOutcome::kWrongBytes);
  EXPECT_EQ(store_->countChunks(), 0);
  EXPECT_EQ(codeOf([&] { putChunk(manifest.id, 2, wrong); }), "file.no-such-chunk");
  EXPECT_EQ(codeOf([&] { putChunk(std::string(32, 'x'), 0, wrong); }), "file.unknown");
  EXPECT_EQ(store_->missing(manifest.id, 10).size(), 2U);
}

TEST_F(Chunks, AManifestWhoseTrueChunksMakeAnotherFileIsDropped) {
  const std::string content = contentOf(2 * kChunkSize);
  FileManifest lying = manifestOf(content);
  lying.id = std::string(32, 'i');
  EXPECT_EQ(put(lying), FileOutcome::kIncomplete);
  EXPECT_EQ(putChunk(lying.id, 0, chunkOf(content, 0)), FileOutcome::kIncomplete);
  EXPECT_EQ(putChunk(lying.id, 1, chunkOf(content, 1)), FileOutcome::kFalseManifest);
  EXPECT_EQ(store_->countFiles(), 0);
  EXPECT_EQ(store_->countChunks(), 0);
  EXPECT_EQ(codeOf([&] { store_->read(lying.id, 0, 1); }), "file.unknown");
  FileManifest swapped = manifestOf(content);
  std::swap(swapped.chunks[0], swapped.chunks[1]);
  putAll(content, "true one's");
  EXPECT_EQ(codeOf([&] { put(swapped); }), "file.manifest-malformed");
  swapped.id = std::string(32, 's');
  EXPECT_EQ(put(swapped), FileOutcome::kFalseManifest);
  EXPECT_EQ(store_->read(manifestOf(content).id, 0, content.size()), content);
}

TEST_F(Chunks, AManifestThatContradictsItselfIsRefused) {
  const FileManifest good = manifestOf(contentOf(kChunkSize + 1));
  FileManifest bad = good;
  bad.size = kChunkSize;
  EXPECT_EQ(codeOf([&] { put(bad); }), "file.manifest-malformed");
  bad = good;
  bad.chunks[0].pop_back();
  EXPECT_EQ(codeOf([&] { put(bad); }), "file.manifest-malformed");
  bad = good;
  bad.id += "x";
  EXPECT_EQ(codeOf([&] { put(bad); }), "file.manifest-malformed");
  bad = good;
  bad.size = UINT64_MAX;
  EXPECT_EQ(codeOf([&] { put(bad); }), "file.manifest-malformed");
  EXPECT_EQ(store_->countFiles(), 0);
}

TEST_F(Chunks, AnEmptyFileIsWholeAtOnce) {
  const FileManifest manifest = manifestOf("");
  EXPECT_EQ(put(manifest), FileOutcome::kWhole);
  EXPECT_EQ(store_->read(manifest.id, 0, 10), "");
}

TEST_F(Chunks, WhatIsTheSameInTwoFilesIsKeptOnceAndCompletesBoth) {
  const std::string shared = contentOf(2 * kChunkSize);
  const std::string first = shared + contentOf(10, 2);
  const std::string second = shared;
  const FileManifest manifest = manifestOf(second);
  EXPECT_EQ(put(manifest, "second"), FileOutcome::kIncomplete);
  EXPECT_EQ(putAll(first, "first"), FileOutcome::kWhole);
  EXPECT_TRUE(store_->isWhole(manifest.id)) << "its chunks came for another file";
  EXPECT_EQ(store_->countChunks(), 3);
  EXPECT_TRUE(store_->removeName(manifestOf(first).id, "first"));
  EXPECT_EQ(store_->countChunks(), 2);
  EXPECT_EQ(store_->read(manifest.id, 0, second.size()), second);
}

TEST_F(Chunks, AChunkThatAFileHoldsTwiceIsSentOnce) {
  const std::string content(3 * kChunkSize, 'z');
  const FileManifest manifest = manifestOf(content);
  EXPECT_EQ(put(manifest), FileOutcome::kIncomplete);
  EXPECT_EQ(putChunk(manifest.id, 1, chunkOf(content, 1)), FileOutcome::kWhole);
  EXPECT_EQ(store_->countChunks(), 1);
  EXPECT_EQ(store_->read(manifest.id, 0, content.size()), content);
}

TEST_F(Chunks, AFileGoesWithTheLastNameAndLeavesNothingInTheFreePages) {
  const std::string content = contentOf(3 * kChunkSize);
  const FileManifest manifest = manifestOf(content);
  putAll(content, "one");
  put(manifest, "two");
  EXPECT_EQ(store_->namesOf(manifest.id), (std::vector<std::string>{"one", "two"}));
  EXPECT_FALSE(store_->removeName(manifest.id, "one"));
  EXPECT_FALSE(store_->removeName(manifest.id, "none"));
  EXPECT_TRUE(store_->isWhole(manifest.id));
  EXPECT_TRUE(pagesHold(chunkOf(content, 1).substr(1000, 64)));
  {
    Transaction transaction(*database_);
    EXPECT_TRUE(store_->removeName(manifest.id, "two"));
    transaction.commit();
  }
  EXPECT_FALSE(pagesHold(chunkOf(content, 1).substr(1000, 64)));
  EXPECT_FALSE(store_->manifest(manifest.id).has_value());
  EXPECT_EQ(store_->countChunks(), 0);
  EXPECT_EQ(numberFrom(*database_, "SELECT count(*) FROM file_chunks"), 0);
  EXPECT_FALSE(store_->removeName(manifest.id, "two"));
}

TEST_F(Chunks, NamesThatTheRecordsDoNotKnowAreSweptAway) {
  const FileManifest kept = manifestOf(contentOf(100, 3));
  putAll(contentOf(100, 3), "kept");
  putAll(contentOf(100, 4), "lost");
  put(kept, "lost");
  EXPECT_EQ(
      store_->retainNames([](std::string_view, std::string_view name) { return name == "kept"; }),
      1);
  EXPECT_EQ(store_->countFiles(), 1);
  EXPECT_EQ(store_->namesOf(kept.id), std::vector<std::string>{"kept"});
}

// At every point between two commits the process may end; what was acknowledged is there, and the
// sender goes on with the bitmap.
TEST_F(Chunks, AnUploadGoesOnAfterEveryEndOfTheProcess) {
  const std::string content = contentOf(9 * kChunkSize + 5);
  const FileManifest manifest = manifestOf(content);
  put(manifest);
  FileOutcome outcome = FileOutcome::kIncomplete;
  for (std::uint32_t i = 0; i < manifest.chunks.size(); ++i) {
    reopen();
    const auto missing = store_->missing(manifest.id, 100);
    ASSERT_EQ(missing.size(), manifest.chunks.size() - i);
    ASSERT_EQ(missing.front(), i);
    EXPECT_FALSE(store_->isWhole(manifest.id));
    outcome = putChunk(manifest.id, i, chunkOf(content, i));
  }
  EXPECT_EQ(outcome, FileOutcome::kWhole);
  reopen();
  EXPECT_EQ(store_->read(manifest.id, 0, content.size()), content);
}

// A chunk whose transaction did not commit is not there, and neither is what it completed.
TEST_F(Chunks, WhatWasNotCommittedIsNotThereAfterAPowerCut) {
  const std::string content = contentOf(kChunkSize + 1);
  const FileManifest manifest = manifestOf(content);
  put(manifest);
  putChunk(manifest.id, 0, chunkOf(content, 0));
  {
    Transaction transaction(*database_);
    EXPECT_EQ(store_->putChunk(manifest.id, 1, chunkOf(content, 1)), FileOutcome::kWhole);
    copyAsIfCrashed(file_, directory_ / "crashed.db");
  }
  for (const bool isCrash : {false, true}) {
    Database database(isCrash ? directory_ / "crashed.db" : file_, keyOf('f'),
                      OpenMode::kReadWrite);
    ChunkStore store(database);
    EXPECT_FALSE(store.isWhole(manifest.id));
    EXPECT_EQ(store.bitmap(manifest.id), std::string(1, '\x01'));
    EXPECT_EQ(codeOf([&] { store.read(manifest.id, 0, 1); }), "file.incomplete");
  }
}

TEST_F(Chunks, NothingOfAFileIsReadableOnTheDisk) {
  const std::string content(kChunkSize, 'N');
  putAll(content, "NAME-OF-A-RECORD");
  for (const auto& path : {file_, logOf(file_)}) {
    const std::string bytes = std::filesystem::exists(path) ? bytesOf(path) : "";
    EXPECT_EQ(bytes.find("NNNNNNNN"), std::string::npos);
    EXPECT_EQ(bytes.find("NAME-OF-A-RECORD"), std::string::npos);
  }
}

TEST_F(Chunks, WhatIsNotAsItMustBeIsFound) {
  const auto quietly = [] {};
  const std::string content = contentOf(3 * kChunkSize);
  putAll(content);
  const std::string begun = contentOf(2 * kChunkSize, 2);
  put(manifestOf(begun));
  putChunk(manifestOf(begun).id, 0, chunkOf(begun, 0));
  EXPECT_EQ(store_->findDamage(quietly), std::vector<std::string>{});
  for (const char* damage :
       {"UPDATE chunks SET bytes = zeroblob(length(bytes)) WHERE row = 2",
        "DELETE FROM chunks WHERE row = 3", "DELETE FROM chunks WHERE row = 4",
        "DELETE FROM file_chunks WHERE place = 0", "DELETE FROM names",
        "UPDATE files SET wanted = 0", "UPDATE files SET id = zeroblob(32) WHERE whole = 1"}) {
    Transaction transaction(*database_);
    database_->execute(damage);
    EXPECT_NE(store_->findDamage(quietly), std::vector<std::string>{}) << damage;
  }
  EXPECT_EQ(store_->findDamage(quietly), std::vector<std::string>{});
}

}  // namespace
}  // namespace waystation::storage
