#include "server/access/leaf_certificates.h"
#include "server/application.h"
#include "server/commands/command.h"
#include "storage/whole_file.h"

namespace waystation::commands {
namespace {

std::string listed(const std::vector<std::string>& hosts) {
  std::string text;
  for (const std::string& host : hosts) text += (text.empty() ? "" : ", ") + host;
  return text.empty() ? "no host beside its own code and localhost" : text;
}

int hosts(CommandContext& context) {
  if (!context.options.has("host")) {
    const std::vector<std::string> now = context.node.read(access::ownHosts);
    context.output.tell("The certificate names " + listed(now) + ".",
                        {{"hosts", access::jsonOf(now)}});
    return 0;
  }
  const std::vector<std::string> wanted = access::hostsIn(context.options.list("host"));
  access::setOwnHosts(context.node, wanted);
  const bool isHq = context.node.isHeadquarters();
  if (isHq) access::renewOwn(context.node);
  if (context.application != nullptr) context.application->certificateChanged();
  context.output.tell(isHq ? "The certificate names " + listed(wanted) + " from now on."
                           : "Headquarters is asked for a certificate that names " +
                                 listed(wanted) + ", at the next exchange.",
                      {{"hosts", access::jsonOf(wanted)}});
  if (!isHq && context.application != nullptr) context.application->syncClient()->now();
  return 0;
}

int authority(CommandContext& context) {
  const std::string pem = context.node.identity().authorityPem;
  const std::string file = context.options.text("out");
  const crypto::CertificateFacts facts = crypto::readCertificate(pem);
  if (storage::replaceFile(file, pem) != 0) {
    throw Failure("certificate.unwritable", "The file " + file + " can't be written.");
  }
  context.output.tell(
      "The certificate of the authority " + facts.commonName + " is in " + file +
          ". Its SHA-256: " + facts.fingerprintHex +
          ". Have the office's browsers trust it for web sites.",
      {{"out", file}, {"authority", facts.commonName}, {"sha256", facts.fingerprintHex}});
  return 0;
}

}  // namespace

Command certificateHostsCommand() {
  Command command;
  command.form = {.words = "certificate hosts",
                  .summary = "the hosts that the node's certificate names to browsers",
                  .options = {{.name = "host",
                               .value = "H,...",
                               .help = "from now on these: nbo.example.org,192.168.1.10"}},
                  .arguments = {},
                  .notes =
                      "Its own code, localhost and 127.0.0.1 are always among them. An office's "
                      "certificate is signed by headquarters, at an exchange."};
  command.run = hosts;
  return command;
}

Command certificateAuthorityCommand() {
  Command command;
  command.form = {
      .words = "certificate authority",
      .summary = "gives out the certificate of headquarters' authority, for browsers",
      .options = {{.name = "out",
                   .value = "F",
                   .help = "the file to write, in PEM",
                   .isRequired = true,
                   .isPath = true}},
      .arguments = {},
      .notes =
          "Nothing in it is secret. A browser that trusts it for web sites does not warn of "
          "the office's server any more."};
  command.run = authority;
  return command;
}

}  // namespace waystation::commands
