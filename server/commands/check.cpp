#include "server/commands/command.h"
#include "server/commands/store_check.h"
#include "storage/high_water_mark.h"

namespace waystation::commands {
namespace {

using Step = void (*)(server::Node&, Output&, CheckReport&);

// The store is the newest that this node has had.
void checkMark(server::Node& node, Output&, CheckReport& report) {
  const storage::Connections::Lease reader = node.connections().reader();
  const auto finding = storage::HighWaterMark::standing(*reader);
  if (finding == storage::HighWaterMark::Finding::kCurrent) return;
  report.add(storage::sentenceOf(finding),
             "Find out who did that and tell headquarters. What had gone up comes back from there. "
             "When it is settled: `waystation check --accept-older-copy`.");
}

// A damaged page ends the step that met it, not the check.
void runStep(Step step, CommandContext& context, CheckReport& report) {
  try {
    step(context.node, context.output, report);
  } catch (const Failure& failure) {
    if (failure.code() == "command.cancelled") throw;
    report.add(failure.what(), kMendStore);
  }
}

int check(CommandContext& context) {
  CheckReport report;
  if (context.options.has("accept-older-copy")) {
    storage::HighWaterMark::accept(*context.node.connections().writer());
  }
  for (const Step step : {checkMark, checkPages, checkRecords, checkJournal, checkAudit,
                          checkAttachments, checkProjections}) {
    runStep(step, context, report);
  }
  for (const Finding& finding : report.findings) {
    context.output.tell(finding.what + "\n  -> " + finding.mend,
                        {{"finding", finding.what}, {"mend", finding.mend}});
  }
  const std::uint64_t found = report.findings.size() + report.moreFindings;
  const std::string read = cases::groupedNumber(report.records) + " records of " +
                           cases::groupedNumber(report.roots) + " cases and persons, " +
                           cases::groupedNumber(report.changes) + " changes, " +
                           cases::groupedNumber(report.links) + " links of the chain, " +
                           cases::groupedNumber(report.attachments) + " attachments, " +
                           cases::groupedNumber(report.auditEntries) + " entries of the audit log";
  context.output.tell(found == 0 ? "All is well: " + read + "."
                                 : cases::groupedNumber(found) + " findings in " + read + ".",
                      {{"findings", found},
                       {"records", report.records},
                       {"roots", report.roots},
                       {"changes", report.changes},
                       {"links", report.links},
                       {"attachments", report.attachments},
                       {"auditEntries", report.auditEntries}});
  return found == 0 ? 0 : 1;
}

}  // namespace

Command checkCommand() {
  Command command;
  command.form = {
      .words = "check",
      .summary = "reads everything that is stored and proves it whole",
      .options = {{.name = "accept-older-copy",
                   .help = "an older copy of the store is in place on purpose"}},
      .arguments = {},
      .notes =
          "Every page, record, digest, link of the chain, entry of the audit log, attachment and "
          "search entry. Says what is wrong and what mends it; ends with 1 if anything is."};
  command.run = check;
  return command;
}

}  // namespace waystation::commands
