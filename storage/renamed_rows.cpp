#include "storage/renamed_rows.h"

#include <string>

namespace waystation::storage {

void RenamedRows::putJournal(std::int64_t seq, std::uint64_t replica, std::uint64_t counter,
                             std::string_view body) {
  store_.cutJournal(seq, body);
  db_.statement("UPDATE journal SET replica = ?, counter = ? WHERE seq = ?")
      .bind(1, static_cast<std::int64_t>(replica))
      .bind(2, static_cast<std::int64_t>(counter))
      .bind(3, seq)
      .run();
}

std::optional<UpwardRow> RenamedRows::cutUpward(std::int64_t fromSeq) {
  db_.statement("DELETE FROM upward WHERE seq >= ?").bind(1, fromSeq).run();
  Statement last = db_.statement("SELECT max(seq) FROM upward");
  last.step();
  return last.isNull(0) ? std::nullopt : store_.upwardOfSeq(last.integer(0));
}

void RenamedRows::putRecordId(std::int64_t row, std::string_view from, std::string_view to) {
  db_.statement("UPDATE records SET id = ? WHERE row = ?").bindBlob(1, to).bind(2, row).run();
  for (const char* sql : {"UPDATE import_keys SET record = ?1 WHERE record = ?2",
                          "UPDATE names SET root = ?1 WHERE root = ?2",
                          "UPDATE names SET named = ?1 WHERE named = ?2",
                          "UPDATE scopes SET root = ?1 WHERE root = ?2"}) {
    db_.statement(sql).bindBlob(1, to).bindBlob(2, from).run();
  }
}

}  // namespace waystation::storage
