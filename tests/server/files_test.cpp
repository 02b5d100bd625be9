// Files of cases over HTTPS: uploads in parts, reading, and what must not be possible.

#include "server/cases/files.h"

#include "crypto/hash.h"
#include "server/audit.h"
#include "tests/server/application_support.h"

namespace waystation::http {
namespace {

using server::Role;
using server::testing::kPassword;
using server::testing::RunningNode;
using Headers = std::map<std::string, std::string>;

std::string contentOf(std::size_t size, unsigned seed) {
  std::string content(size, '\0');
  std::uint32_t state = seed * 2654435761U + 1;
  for (char& byte : content) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<char>(state >> 24U);
  }
  return content;
}

std::string hashOf(std::string_view bytes) {
  return crypto::toHex(crypto::view(crypto::sha256(bytes)));
}

class FilesOverHttp : public ::testing::Test {
 protected:
  FilesOverHttp() {
    access::addAccount(office_.node(), {"worker", "caseworker"}, kPassword);
    access::addAccount(office_.node(), {"reader", "reader"}, kPassword);
    access::addAccount(office_.node(),
                       {"member", "caseworker", {{"counter-trafficking", "caseworker"}}},
                       kPassword);
    start();
  }

  void start() {
    client_.reset();
    tokens_.clear();
    office_.start();
    client_ = std::make_unique<Client>(office_.peopleSettings());
  }

  // As another start of the server's program on the same data.
  void restart() {
    office_.stop();
    start();
  }

  ClientResponse ask(const std::string& user, const std::string& method, const std::string& path,
                     const std::string& body = "", Headers headers = {}) {
    std::string& token = tokens_[user];
    if (token.empty()) token = office_.application().entrance().open(user);
    headers["Authorization"] = "Bearer " + token;
    if (method == "POST") headers["Content-Type"] = "application/json";
    return client_->send(method, "/api/v1" + path, headers, body);
  }

  static Json described(const std::string& root, const std::string& content,
                        const std::string& name = "photo.jpg") {
    Json chunks = Json::array();
    for (std::size_t at = 0; at < content.size(); at += storage::kChunkSize) {
      chunks.push_back(hashOf(content.substr(at, storage::kChunkSize)));
    }
    return {{"root", root},
            {"name", name},
            {"type", "image/jpeg"},
            {"size", content.size()},
            {"sha256", hashOf(content)},
            {"chunks", chunks}};
  }

  Json begin(const Json& description, const std::string& user = "worker") {
    const ClientResponse answer = ask(user, "POST", "/files", canonicalJson(description));
    EXPECT_EQ(answer.status, 200) << answer.body;
    return parseJson(answer.body);
  }

  ClientResponse put(const std::string& upload, std::size_t place, const std::string& bytes) {
    return ask("worker", "PUT", "/files/" + upload + "/chunks/" + std::to_string(place), bytes);
  }

  ClientResponse putOf(const std::string& upload, const std::string& content, std::size_t place) {
    return put(upload, place, content.substr(place * storage::kChunkSize, storage::kChunkSize));
  }

  ClientResponse finish(const std::string& upload) {
    return ask("worker", "POST", "/files/" + upload + "/finish", "{}");
  }

  std::string attach(const std::string& root, const std::string& content,
                     const std::string& name = "photo.jpg") {
    const Json begun = begin(described(root, content, name));
    const std::string upload = begun.at("upload").get<std::string>();
    for (const Json& place : begun.at("missing")) {
      EXPECT_EQ(putOf(upload, content, place.get<std::size_t>()).status, 200);
    }
    const ClientResponse done = finish(upload);
    EXPECT_EQ(done.status, 200) << done.body;
    return parseJson(done.body).at("record").get<std::string>();
  }

  static std::string codeOf(const ClientResponse& answer) {
    return parseJson(answer.body).value("code", "");
  }

  Json listed(const std::string& root, const std::string& user = "worker") {
    const ClientResponse answer = ask(user, "GET", "/files?root=" + root);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return parseJson(answer.body).at("files");
  }

  RunningNode office_{Role::kOffice, "NBO"};
  std::unique_ptr<Client> client_;
  std::map<std::string, std::string> tokens_;
  const std::string photo_ = contentOf(3 * storage::kChunkSize + 1000, 7);
};

TEST_F(FilesOverHttp, AreThereByteForByteOnceFinished) {
  const std::string root = office_.person("Otieno");
  const std::string record = attach(root, photo_);
  const ClientResponse answer = ask("worker", "GET", "/files/" + record);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, photo_);
  const Json files = listed(root);
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0]["name"], "photo.jpg");
  EXPECT_EQ(files[0]["here"], true);
  EXPECT_EQ(files[0]["atHq"], false);
  EXPECT_EQ(office_.application().status()["filesUp"], 1);
}

TEST_F(FilesOverHttp, OfAnyKindAreSavedAndNeverShownAsAPage) {
  const std::string root = office_.person("Otieno");
  const std::string page = "<html><script>alert(1)</script></html>";
  const std::string record = attach(root, page, "caf\xc3\xa9 \"1\".html");
  const ClientResponse answer = ask("worker", "GET", "/files/" + record);
  EXPECT_EQ(answer.body, page);
  EXPECT_EQ(answer.headers.at("content-type"), "application/octet-stream");
  EXPECT_EQ(answer.headers.at("x-content-type-options"), "nosniff");
  EXPECT_EQ(answer.headers.at("content-security-policy"), "sandbox; default-src 'none'");
  EXPECT_EQ(answer.headers.at("content-disposition"),
            "attachment; filename=\"caf____1_.html\"; filename*=UTF-8''caf%C3%A9%20%221%22.html");
}

// Nothing on the server's disk is named by them.
TEST_F(FilesOverHttp, NamesThatMeanSomethingElsewhereAreTextsHere) {
  const std::string root = office_.person("Otieno");
  for (const char* name : {"CON", "nul.jpg", "~", "-rf", "a\"; filename=\"b.exe", "$(reboot)"}) {
    const std::string record = attach(root, contentOf(100, 9), name);
    const ClientResponse answer = ask("worker", "GET", "/files/" + record);
    EXPECT_EQ(answer.status, 200) << name;
    const std::string& sent = answer.headers.at("content-disposition");
    const std::size_t begin = sent.find('"') + 1;
    const std::string plain = sent.substr(begin, sent.rfind('"') - begin);
    EXPECT_TRUE(sent.starts_with("attachment; filename=\"")) << sent;
    EXPECT_EQ(plain.find_first_of("\"\\/~$();="), std::string::npos) << sent;
  }
}

TEST_F(FilesOverHttp, AreReadInRanges) {
  const std::string record = attach(office_.person("Otieno"), photo_);
  const auto range = [&](const std::string& asked) {
    return ask("worker", "GET", "/files/" + record, "", {{"Range", asked}});
  };
  const ClientResponse across = range("bytes=32760-32779");
  EXPECT_EQ(across.status, 206);
  EXPECT_EQ(across.body, photo_.substr(32760, 20));
  EXPECT_EQ(across.headers.at("content-range"),
            "bytes 32760-32779/" + std::to_string(photo_.size()));
  EXPECT_EQ(range("bytes=99300-").body, photo_.substr(99300));
  EXPECT_EQ(range("bytes=-5").body, photo_.substr(photo_.size() - 5));
  EXPECT_EQ(range("bytes=0-999999999").body, photo_);
  EXPECT_EQ(range("bytes=0-1,5-6").status, 200);
  std::string parts = "bytes=0-1";
  for (int i = 0; i < 999; ++i) parts += ",0-1";
  EXPECT_EQ(range(parts).body, photo_);
  EXPECT_EQ(codeOf(range("bytes=" + std::to_string(photo_.size()) + "-")), "http.range");
  const ClientResponse other = ask("worker", "GET", "/files/" + record, "",
                                   {{"Range", "bytes=0-1"}, {"If-Range", "\"another\""}});
  EXPECT_EQ(other.status, 200);
}

TEST_F(FilesOverHttp, LargerOnesComePieceByPiece) {
  const std::string content = contentOf(std::size_t{1} * 1024 * 1024 + 5, 3);
  const std::string record = attach(office_.person("Otieno"), content);
  EXPECT_EQ(ask("worker", "GET", "/files/" + record).body, content);
}

TEST_F(FilesOverHttp, AnUploadThatWasCutGoesOnAfterARestartWhereItWas) {
  const std::string root = office_.person("Otieno");
  const Json begun = begin(described(root, photo_));
  const std::string upload = begun.at("upload").get<std::string>();
  EXPECT_EQ(begun.at("missing"), Json({0, 1, 2, 3}));
  EXPECT_EQ(putOf(upload, photo_, 2).body, "{\"missing\":3}");
  EXPECT_EQ(codeOf(finish(upload)), "file.incomplete");
  EXPECT_TRUE(listed(root).empty());
  restart();
  EXPECT_EQ(begin(described(root, photo_)), Json({{"upload", upload}, {"missing", {0, 1, 3}}}));
  for (const std::size_t place : {3U, 0U, 1U}) putOf(upload, photo_, place);
  const std::string record = parseJson(finish(upload).body).at("record").get<std::string>();
  EXPECT_EQ(ask("worker", "GET", "/files/" + record).body, photo_);
  EXPECT_EQ(begin(described(root, photo_)), Json({{"record", record}}));
  EXPECT_EQ(codeOf(finish(upload)), "file.not-found");
}

// The power went between the record and its bytes.
TEST_F(FilesOverHttp, ARecordWhoseUploadWasNotEndedGetsItsBytesAtTheNextStart) {
  const std::string root = office_.person("Otieno");
  const Json begun = begin(described(root, photo_));
  const std::string upload = begun.at("upload").get<std::string>();
  for (std::size_t place = 0; place < 4; ++place) putOf(upload, photo_, place);
  const sync::RecordId record = office_.node().write([&](sync::Work& work) {
    storage::ManifestBuilder builder;
    builder.add(photo_);
    sync::DraftEdit draft;
    draft.record = work.newRecord();
    draft.isNew = true;
    draft.kind = sync::kFileKind;
    draft.root = sync::RecordId::fromUuid(root);
    draft.writes = sync::manifestWrites(builder.finish(), std::nullopt);
    draft.writes.push_back({"name", "\"photo.jpg\""});
    work.save("worker", {draft});
    return draft.record;
  });
  EXPECT_EQ(ask("worker", "GET", "/files/" + record.uuid()).status, 409);
  restart();
  EXPECT_EQ(ask("worker", "GET", "/files/" + record.uuid()).body, photo_);
}

TEST_F(FilesOverHttp, WhatIsNotWhatWasAnnouncedIsRefused) {
  const std::string root = office_.person("Otieno");
  const std::string upload = begin(described(root, photo_)).at("upload").get<std::string>();
  EXPECT_EQ(codeOf(put(upload, 0, "other")), "file.wrong-bytes");
  EXPECT_EQ(codeOf(put(upload, 4, "more")), "file.no-such-chunk");
  EXPECT_EQ(put(upload, 0, std::string(storage::kChunkSize + 1, 'x')).status, 413);
  EXPECT_EQ(putOf(upload, photo_, 0).body, "{\"missing\":3}");
  // Its parts are true, and the whole is not.
  Json lie = described(root, photo_, "lie.jpg");
  lie["sha256"] = hashOf("something else");
  const std::string false_ = begin(lie).at("upload").get<std::string>();
  for (std::size_t place = 0; place < 3; ++place) putOf(false_, photo_, place);
  EXPECT_EQ(codeOf(putOf(false_, photo_, 3)), "file.wrong-bytes");
  EXPECT_EQ(codeOf(finish(false_)), "file.not-found");
  EXPECT_TRUE(listed(root).empty());
}

TEST_F(FilesOverHttp, WhatCanBeNoFileIsRefusedBeforeAByteComes) {
  const std::string root = office_.person("Otieno");
  const auto refusal = [&](const char* member, const Json& value) {
    Json description = described(root, photo_);
    description[member] = value;
    const ClientResponse answer = ask("worker", "POST", "/files", canonicalJson(description));
    return std::to_string(answer.status) + " " + codeOf(answer);
  };
  EXPECT_EQ(refusal("size", 20971521), "413 file.too-large");
  EXPECT_EQ(refusal("size", 0), "422 file.empty");
  EXPECT_EQ(refusal("size", -1), "422 file.request-malformed");
  EXPECT_EQ(refusal("sha256", "abc"), "422 file.request-malformed");
  EXPECT_EQ(refusal("chunks", Json::array()), "422 file.request-malformed");
  for (const char* name :
       {"a/b.jpg", "../../etc/passwd", "..\\..\\x.jpg", "/etc/passwd", "..", ".", ""}) {
    EXPECT_EQ(refusal("name", name), "422 file.request-malformed") << name;
  }
  EXPECT_EQ(refusal("name", std::string(300, 'x')), "422 file.request-malformed");
  EXPECT_EQ(refusal("name",
                    "gpj.\xe2\x80\xae"
                    "exe"),
            "422 file.request-malformed");
  EXPECT_EQ(refusal("name", "line\nbreak"), "422 file.request-malformed");
  EXPECT_EQ(refusal("thumbnail", "PHNjcmlwdD4"), "422 file.request-malformed");
  EXPECT_EQ(refusal("root", "3f0a0000-0000-0000-0000-000000000001"), "404 record.not-found");
}

// Equal bytes are kept once, and yet everybody has to bring them.
TEST_F(FilesOverHttp, WhoKnowsTheHashesOfAFileOfASealedCaseReadsNothing) {
  const Json edits = {{{"record", "new:1"},
                       {"kind", "ct_case"},
                       {"fields", {{"case_number", "1"}, {"prs_First_Name", "Amina"}}}}};
  const Json saved = cases::saveChanges(office_.node(), "member", {{"edits", edits}});
  const std::string hidden = saved["records"]["new:1"]["id"].get<std::string>();
  const Json begun = begin(described(hidden, photo_), "member");
  const std::string upload = begun.at("upload").get<std::string>();
  EXPECT_EQ(codeOf(putOf(upload, photo_, 0)), "record.not-found");
  for (std::size_t place = 0; place < 4; ++place) {
    ask("member", "PUT", "/files/" + upload + "/chunks/" + std::to_string(place),
        photo_.substr(place * storage::kChunkSize, storage::kChunkSize));
  }
  const std::string record =
      parseJson(ask("member", "POST", "/files/" + upload + "/finish", "{}").body)
          .at("record")
          .get<std::string>();
  EXPECT_EQ(ask("member", "GET", "/files/" + record).body, photo_);
  EXPECT_EQ(codeOf(ask("worker", "GET", "/files/" + record)), "record.not-found");
  const std::string own = office_.person("Otieno");
  const Json guess = begin(described(own, photo_));
  EXPECT_EQ(guess.at("missing"), Json({0, 1, 2, 3}));
  EXPECT_EQ(codeOf(finish(guess.at("upload").get<std::string>())), "file.incomplete");
  // Whoever reads it leaves a trail.
  const Json log =
      office_.node().read([](storage::Store& store) { return server::searchAudit(store, {}); });
  EXPECT_NE(log.dump().find("read-file"), std::string::npos);
}

TEST_F(FilesOverHttp, AReaderLearnsThatThereIsOneAndNoMore) {
  const std::string root = office_.person("Otieno");
  const std::string record = attach(root, photo_);
  EXPECT_EQ(codeOf(ask("reader", "GET", "/files/" + record)), "access.refused");
  const Json files = listed(root, "reader");
  ASSERT_EQ(files.size(), 1U);
  EXPECT_FALSE(files[0].contains("name"));
  EXPECT_EQ(files[0]["size"], photo_.size());
  EXPECT_EQ(ask("reader", "POST", "/files", canonicalJson(described(root, photo_))).status, 403);
}

TEST_F(FilesOverHttp, AThumbnailIsAJpegOfItsOwn) {
  const std::string root = office_.person("Otieno");
  Json description = described(root, photo_);
  const std::string small = "\xff\xd8\xff" + contentOf(500, 4);
  description["thumbnail"] = crypto::toBase64Url(small);
  const std::string upload = begin(description).at("upload").get<std::string>();
  for (std::size_t place = 0; place < 4; ++place) putOf(upload, photo_, place);
  const std::string record = parseJson(finish(upload).body).at("record").get<std::string>();
  const ClientResponse answer = ask("worker", "GET", "/files/" + record + "/thumbnail");
  EXPECT_EQ(answer.body, small);
  EXPECT_EQ(answer.headers.at("content-type"), "image/jpeg");
  EXPECT_EQ(answer.headers.at("x-content-type-options"), "nosniff");
  const std::string plain = attach(root, contentOf(40'000, 5), "other.pdf");
  EXPECT_EQ(codeOf(ask("worker", "GET", "/files/" + plain + "/thumbnail")), "file.not-found");
}

TEST_F(FilesOverHttp, AreDeletedAndRestoredAsRecordsAndChangedNever) {
  const std::string root = office_.person("Otieno");
  const std::string record = attach(root, photo_);
  const auto change = [&](const Json& edit) {
    return ask("worker", "POST", "/changes", canonicalJson({{"edits", {edit}}}));
  };
  const std::string tag = listed(root)[0].at("tag").get<std::string>();
  EXPECT_EQ(change({{"record", record}, {"seen", tag}, {"deleted", true}}).status, 200);
  EXPECT_TRUE(listed(root).empty());
  EXPECT_EQ(change({{"record", record}, {"seen", tag}, {"fields", {{"name", "x"}}}}).status, 422);
  EXPECT_EQ(change({{"record", record}, {"deleted", false}}).status, 200);
  EXPECT_EQ(listed(root).size(), 1U);
}

TEST_F(FilesOverHttp, ErasedOnesLeaveNoByteInTheirDatabase) {
  RunningNode hq(Role::kHeadquarters, "HQ");
  const std::string root = hq.person("Otieno");
  const std::string content(100'000, 'Q');
  const auto chunks = [&] {
    const storage::Connections::Lease writer = hq.node().attachments().writer();
    storage::Statement query = writer->statement("SELECT count(*) FROM chunks");
    query.step();
    return query.integer(0);
  };
  const sync::RecordId record = hq.node().write([&](sync::Work& work) {
    storage::ManifestBuilder builder;
    builder.add(content);
    sync::DraftEdit draft;
    draft.record = work.newRecord();
    draft.isNew = true;
    draft.kind = sync::kFileKind;
    draft.root = sync::RecordId::fromUuid(root);
    draft.writes = sync::manifestWrites(builder.finish(), std::nullopt);
    work.save("officer", {draft});
    return draft.record;
  });
  {
    const storage::Connections::Lease writer = hq.node().attachments().writer();
    storage::Transaction transaction(*writer);
    storage::FileDeliveries deliveries(*writer);
    storage::ManifestBuilder builder;
    builder.add(content);
    const std::string name = sync::storedName({record, sync::FilePart::kContent});
    deliveries.expect(builder.finish(), name, 1);
    for (std::uint32_t place = 0; place < 4; ++place) {
      deliveries.take(name, place,
                      content.substr(place * storage::kChunkSize, storage::kChunkSize));
    }
    transaction.commit();
  }
  ASSERT_EQ(chunks(), 2);  // three of the four parts are equal
  hq.node().erase("officer", {record});
  EXPECT_EQ(chunks(), 0);
  const auto log = hq.node().directory() / "files.db-wal";
  EXPECT_EQ(std::filesystem::exists(log) ? std::filesystem::file_size(log) : 0, 0U);
}

TEST(ChunkWindows, FollowTheLine) {
  ChunkWindow window;
  EXPECT_EQ(window.chunks(), 1U);
  for (int i = 0; i < 10; ++i) window.carried(std::chrono::milliseconds(20));
  EXPECT_EQ(window.chunks(), 32U);
  window.carried(std::chrono::milliseconds(1'000));
  EXPECT_EQ(window.chunks(), 32U);
  window.carried(std::chrono::milliseconds(5'000));
  EXPECT_EQ(window.chunks(), 16U);
  window.cut();
  EXPECT_EQ(window.chunks(), 1U);
  window.carried(std::chrono::milliseconds(5'000));
  EXPECT_EQ(window.chunks(), 1U);
}

TEST(ChunkWindows, SendNoFasterThanASlowLineCarries) {
  constexpr std::size_t kChunk = 33'000;
  ChunkWindow window;
  EXPECT_GT(window.pace(), 0U) << "slow, until it is known";
  window.sent(kChunk, std::chrono::milliseconds(4'400));
  EXPECT_GT(window.pace(), 8'000U);
  window.sent(kChunk, std::chrono::milliseconds(4'400));  // 7,500 bytes a second
  EXPECT_EQ(window.pace(), 9'375U);
  window.sent(kChunk, std::chrono::milliseconds(4'400));
  EXPECT_EQ(window.pace(), 9'375U);
  window.sent(300, std::chrono::milliseconds(600));
  EXPECT_EQ(window.pace(), 9'375U) << "that was the way there and back";
  window.sent(kChunk, std::chrono::milliseconds(25'000));
  EXPECT_EQ(window.pace(), 9'375U) << "the line was away meanwhile";
  for (int i = 0; i < 5 && window.pace() > 0; ++i) {
    window.sent(kChunk, std::chrono::milliseconds(1'000 * kChunk / window.pace()));
  }
  EXPECT_EQ(window.pace(), 0U) << "a line that keeps up is found to be fast";
  window.sent(kChunk, std::chrono::milliseconds(300));
  EXPECT_EQ(window.pace(), 0U);
  window.sent(kChunk, std::chrono::milliseconds(4'400));
  EXPECT_EQ(window.pace(), 9'375U);
}

}  // namespace
}  // namespace waystation::http
