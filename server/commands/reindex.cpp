#include "server/cases/record_service.h"
#include "server/commands/command.h"
#include "server/node.h"
#include "sync/record.h"

namespace waystation::commands {
namespace {

constexpr std::uint64_t kRecordsBetweenNews = 500;

// One transaction: until it is done the old index answers, and a kill leaves that one.
int reindex(CommandContext& context) {
  const sync::Projection project = cases::searchProjection(context.node.programmes());
  std::uint64_t records = 0;
  context.node.write([&](sync::Work& work) {
    storage::Store& store = work.store();
    const auto total = static_cast<std::uint64_t>(store.countRecords(""));
    store.clearSearch();
    store.eachRecord([&](const storage::RecordRow& row) {
      const sync::Record record = sync::decodeState(sync::RecordId::fromBytes(row.id), row.state);
      project(store, row.row, &record);
      if (++records % kRecordsBetweenNews != 0) return;
      context.output.throwIfCancelled();
      context.output.progress(records, total, records);
    });
  });
  context.output.tell(
      "The search index is rebuilt from " + cases::groupedNumber(records) + " records.",
      {{"records", records}});
  return 0;
}

}  // namespace

Command reindexCommand() {
  Command command;
  command.form = {.words = "reindex",
                  .summary = "rebuilds the search index from the records",
                  .options = {},
                  .arguments = {},
                  .notes = "The records themselves are only read. Mends what `check` says of it."};
  command.run = reindex;
  return command;
}

}  // namespace waystation::commands
