#include "server/commands/command.h"
#include "server/commands/store_check.h"

namespace waystation::commands {
namespace {

using Step = void (*)(server::Node&, Output&, CheckReport&);

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
  for (const Step step : {checkPages, checkRecords, checkJournal, checkProjections}) {
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
                           cases::groupedNumber(report.links) + " links of the chain";
  context.output.tell(found == 0 ? "All is well: " + read + "."
                                 : cases::groupedNumber(found) + " findings in " + read + ".",
                      {{"findings", found},
                       {"records", report.records},
                       {"roots", report.roots},
                       {"changes", report.changes},
                       {"links", report.links}});
  return found == 0 ? 0 : 1;
}

}  // namespace

Command checkCommand() {
  Command command;
  command.form = {.words = "check",
                  .summary = "reads everything that is stored and proves it whole",
                  .options = {},
                  .arguments = {},
                  .notes =
                      "Every page, record, digest, link of the chain and search entry. Says "
                      "what is wrong and what mends it; ends with 1 if anything is."};
  command.run = check;
  return command;
}

}  // namespace waystation::commands
