#include "server/cases/import_sinks.h"
#include "server/commands/command.h"
#include "server/node.h"

namespace waystation::commands {
namespace {

http::Json jsonOf(const cases::ImportResult& result) {
  return {{"rows", result.rows},
          {"accepted", result.accepted},
          {"created", result.created},
          {"updated", result.updated},
          {"unchanged", result.unchanged},
          {"rejected", result.rejected},
          {"dryRun", result.isDryRun},
          {"unknownColumns", result.unknownColumns},
          {"rejectsFile", result.rejectsFile.string()}};
}

std::string importNames(const cases::Programmes& programmes) {
  std::string names;
  for (const cases::Pack& pack : programmes.packs()) {
    for (const cases::Kind& kind : pack.kinds) {
      if (!kind.isRoot) continue;
      names += (names.empty() ? "" : ", ") +
               (kind.importNames.empty() ? kind.kind : kind.importNames.front());
    }
  }
  return names;
}

cases::ImportHolders holdersFrom(const CommandContext& context) {
  cases::ImportHolders holders{context.options.text("custody"), context.options.list("share")};
  if ((!holders.custody.empty() || !holders.shared.empty()) && !context.node.isHeadquarters()) {
    throw Failure("import.not-headquarters",
                  "Only headquarters decides which offices hold a record: import without --custody "
                  "and --share here. Nothing was imported.");
  }
  return holders;
}

int import(CommandContext& context) {
  const cases::Programmes& programmes = context.node.programmes();
  const std::string as = context.options.text("as");
  const cases::Kind* kind = programmes.findImportKind(as);
  if (kind == nullptr) {
    throw Failure("import.kind-unknown", "No programme knows \"" + as + "\". --as takes one of: " +
                                             importNames(programmes) + ".");
  }
  cases::ImportOptions options;
  options.isDryRun = context.options.has("dry-run");
  if (const auto rejects = context.options.find("rejects")) options.rejectsFile = *rejects;
  const cases::ImportSinks sinks = cases::importSinks(context.node, "import", holdersFrom(context));
  const auto progress = [&](const cases::ImportProgress& state) {
    context.output.throwIfCancelled();
    context.output.progress(state.bytesDone, state.bytesTotal, state.rows);
  };
  const cases::ImportResult result =
      cases::importFile(programmes, *kind, context.options.text("file"), sinks, progress, options);
  context.output.tell(result.sentence(), jsonOf(result));
  return 0;
}

}  // namespace

Command importCommand() {
  Command command;
  command.form = {
      .words = "import",
      .summary = "takes in a CSV, HXL or JSON Lines file, packed with zstd or not",
      .options =
          {{.name = "as", .value = "KIND", .help = "what its rows are", .isRequired = true},
           {.name = "dry-run", .help = "says what it would do, and does nothing"},
           {.name = "custody", .value = "CODE", .help = "at HQ: the office that is to hold them"},
           {.name = "share", .value = "CODE,...", .help = "at HQ: other offices that get them too"},
           {.name = "rejects",
            .value = "F",
            .help = "where rows that can't be taken go; beside FILE if not given",
            .isPath = true}},
      .arguments =
          {{.name = "file", .value = "FILE", .help = "the file to take in", .isPath = true}},
      .notes =
          "The same file imported again changes nothing, so an import that was stopped is "
          "simply started again."};
  command.run = import;
  return command;
}

}  // namespace waystation::commands
