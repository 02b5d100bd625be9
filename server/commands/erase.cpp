#include "crypto/hash.h"
#include "server/commands/command.h"
#include "server/node.h"
#include "sync/erasure.h"

namespace waystation::commands {
namespace {

using http::Json;

std::vector<sync::RecordId> recordsOf(const Options& options) {
  std::vector<sync::RecordId> ids;
  for (const std::string& text : options.list("record")) {
    const std::optional<sync::RecordId> id = sync::RecordId::fromUuid(text);
    if (!id) throw WrongUsage("'" + text + "' is not the id of a record.");
    ids.push_back(*id);
  }
  return ids;
}

std::string counted(std::size_t number, const std::string& one, const std::string& many) {
  return cases::groupedNumber(number) + " " + (number == 1 ? one : many);
}

std::string sentenceOf(const sync::ErasureCounts& counts, bool isDryRun) {
  std::string offices;
  for (const std::string& office : counts.offices)
    offices += (offices.empty() ? "" : ", ") + office;
  return counted(counts.records, "record", "records") + ", " +
         counted(counts.changes, "change of the history", "changes of the history") + " and " +
         counted(counts.quarantined, "change set aside", "changes set aside") +
         (isDryRun ? " would go" : " are gone") + " here. " +
         (offices.empty() ? "No office holds any of it now."
                          : "Held by " + offices + ", where it goes at the next exchange.");
}

Json jsonOf(const sync::ErasureCounts& counts, bool isDryRun) {
  return {{"records", counts.records},
          {"changes", counts.changes},
          {"quarantined", counts.quarantined},
          {"offices", counts.offices},
          {"dryRun", isDryRun}};
}

int erase(CommandContext& context) {
  server::Node& node = context.node;
  if (!node.isHeadquarters()) {
    throw Failure("node.not-headquarters",
                  "Only headquarters erases. Ask there; nothing was erased.");
  }
  const std::vector<sync::RecordId> ids = recordsOf(context.options);
  const bool isDryRun = context.options.has("dry-run");
  sync::ErasureCounts counts;
  if (isDryRun) {
    const storage::Connections::Lease writer = node.connections().writer();
    sync::Work work(node.replica(), *writer);
    counts = sync::foreseeErasure(work, ids);
  } else {
    counts = node.erase(context.options.text("by"), ids);
  }
  context.output.tell(sentenceOf(counts, isDryRun), jsonOf(counts, isDryRun));
  return 0;
}

// Who erased what when, and who has confirmed it: the ids alone are left.
int listErasures(CommandContext& context) {
  context.node.read([&](storage::Store& store) {
    const std::vector<storage::ErasureReceiptRow> receipts = store.erasureReceipts();
    const std::vector<storage::ErasureRow> rows = store.erasures();
    for (const storage::ErasureRow& row : rows) {
      Json holders = Json::array();
      for (const storage::ErasureReceiptRow& receipt : receipts) {
        if (receipt.hash != row.hash) continue;
        holders.push_back({{"office", receipt.holder},
                           {"at", sync::formatTime(receipt.atMs)},
                           {"records", receipt.records}});
      }
      const std::string name = crypto::toHex(row.hash);
      context.output.tell(
          name + "  " + sync::formatTime(row.madeMs) + "  by " +
              (row.madeBy.empty() ? "headquarters" : row.madeBy) + ": " +
              counted(static_cast<std::size_t>(row.destroyed), "record", "records") + " here, " +
              counted(holders.size(), "office", "offices") + " confirmed, " +
              counted(static_cast<std::size_t>(row.late), "edit", "edits") + " came late",
          {{"erasure", name},
           {"at", sync::formatTime(row.madeMs)},
           {"by", row.madeBy},
           {"records", row.destroyed},
           {"late", row.late},
           {"receipts", holders}});
    }
    if (rows.empty()) context.output.tell("Nothing was ever erased.", {{"erasures", 0}});
  });
  return 0;
}

}  // namespace

Command eraseCommand() {
  Command command;
  command.form = {
      .words = "erase",
      .summary = "headquarters: erases records for ever, everywhere",
      .options = {{.name = "record",
                   .value = "ID,...",
                   .help = "records; of a person or a case, all that belongs to it goes too",
                   .isRequired = true},
                  {.name = "by", .value = "N", .help = "who orders it", .isRequired = true},
                  {.name = "dry-run", .help = "only says what would go, and where it is held"}},
      .arguments = {},
      .notes =
          "Nothing brings it back: what comes late or out of a backup is destroyed again. "
          "`waystation erasures` shows who has confirmed."};
  command.run = erase;
  return command;
}

Command erasuresCommand() {
  Command command;
  command.form = {.words = "erasures",
                  .summary = "shows what was erased when, by whom, and who has confirmed",
                  .options = {},
                  .arguments = {},
                  .notes = "Only the ids are left of what was erased; they are not shown."};
  command.run = listErasures;
  return command;
}

}  // namespace waystation::commands
