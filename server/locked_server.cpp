#include "server/locked_server.h"

#include <array>
#include <ctime>
#include <utility>

#include "server/access/leaf_certificates.h"
#include "server/version.h"

namespace waystation::server {
namespace {

using http::PathParameters;
using http::Request;
using http::Response;

constexpr const char* kSecondsToWait = "20";

// What a person at a browser is told; {name} is the node's.
struct Words {
  const char* language;
  const char* direction;
  const char* title;
  const char* what;
  const char* toDo;
};

constexpr std::array kWords = {
    Words{"en", "ltr", "{name} is locked",
          "This is the case server of {name}. It is running, but its records are locked: nobody "
          "can read or save anything until it is unlocked. Nothing is lost.",
          "After a power cut it may unlock by itself within a minute, where there is a line to "
          "headquarters; this page tries again by itself. If it stays locked, call whoever keeps "
          "the passphrase or the token."},
    Words{"fr", "ltr", "{name} est verrouillé",
          "Ceci est le serveur de dossiers de {name}. Il fonctionne, mais ses données sont "
          "verrouillées : personne ne peut lire ni enregistrer quoi que ce soit avant qu’il soit "
          "déverrouillé. Rien n’est perdu.",
          "Après une coupure de courant, il peut se déverrouiller de lui-même en une minute si une "
          "liaison avec le siège existe ; cette page réessaie d’elle-même. S’il reste verrouillé, "
          "appelez la personne qui garde la phrase secrète ou la clé USB."},
    Words{"es", "ltr", "{name} está bloqueado",
          "Este es el servidor de casos de {name}. Está en marcha, pero sus datos están "
          "bloqueados: nadie puede leer ni guardar nada hasta que se desbloquee. No se ha perdido "
          "nada.",
          "Tras un corte de luz puede desbloquearse solo en un minuto si hay línea con la sede; "
          "esta página vuelve a intentarlo sola. Si sigue bloqueado, llame a quien guarda la frase "
          "secreta o la llave USB."},
    Words{"ar", "rtl", "{name} مقفل",
          "هذا خادم الحالات في {name}. إنه يعمل، لكن سجلاته مقفلة: لا يستطيع أحد قراءة شيء أو "
          "حفظه حتى يُفتح. لم يُفقد شيء.",
          "بعد انقطاع الكهرباء قد يُفتح من تلقاء نفسه خلال دقيقة إذا كان هناك اتصال بالمقر "
          "الرئيسي، وهذه الصفحة تعيد المحاولة تلقائيًا. إذا بقي مقفلًا فاتصل بمن يحفظ عبارة "
          "المرور أو مفتاح USB."},
};

std::string filled(std::string text, const std::string& name) {
  for (std::size_t at = text.find("{name}"); at != std::string::npos; at = text.find("{name}")) {
    text.replace(at, 6, name);
  }
  return text;
}

// A node's name holds capital letters, digits and '-' only: nothing that HTML would read.
std::string pageOf(const std::string& name) {
  std::string page =
      "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<meta http-equiv=\"refresh\" content=\"20\">\n<title>{name}</title>\n";
  for (const Words& words : kWords) {
    page += std::string("<section lang=\"") + words.language + "\" dir=\"" + words.direction +
            "\">\n<h1>" + words.title + "</h1>\n<p>" + words.what + "</p>\n<p>" + words.toDo +
            "</p>\n</section>\n";
  }
  return filled(page, name);
}

bool isForPrograms(const std::string& path) {
  return path.starts_with("/api/") || path == "/metrics";
}

Response lockedAnswer(const std::string& name) {
  Response answer =
      http::problem(503, "node.locked",
                    name + " is locked. Nothing was read or kept; try again once it is unlocked.");
  answer.headers["Retry-After"] = kSecondsToWait;
  return answer;
}

// Whatever is asked for, at addresses as long as any that the open node has.
void answerAll(http::Router& router, const http::Handler& handler) {
  constexpr int kLongest = 8;
  router.setFallback(handler);
  std::string pattern;
  for (int segment = 0; segment < kLongest; ++segment) {
    pattern += "/{" + std::to_string(segment) + "}";
    for (const char* method : {"GET", "POST", "PUT", "DELETE"}) {
      router.add(method, pattern, handler);
    }
  }
}

void addPeopleRoutes(http::Router& router, const NodeConfig& config) {
  const std::string role = config.role == Role::kHeadquarters ? "hq" : "office";
  router.add("GET", "/health", [role](Request&, const PathParameters&) {
    return http::json(200, {{"status", "locked"}, {"role", role}, {"version", kVersion}});
  });
  answerAll(router, [page = pageOf(config.name), name = config.name](Request& request,
                                                                     const PathParameters&) {
    const bool isReading = request.method == "GET" || request.method == "HEAD";
    if (!isReading || isForPrograms(request.path)) return lockedAnswer(name);
    return Response{
        503, {{"Content-Type", "text/html; charset=utf-8"}, {"Retry-After", kSecondsToWait}}, page};
  });
}

void addPhoneRoutes(http::Router& router, const std::string& name, IntakeSpool& spool) {
  router.add("POST", "/sync/v1/exchange", [name, &spool](Request& request, const PathParameters&) {
    if (request.query.contains("ask") || request.query.contains("from")) {
      throw Failure("sync.not-kept", "Of this exchange nothing is kept here. Begin it anew.");
    }
    spool.keep(request.peerCertificatePem, request.body.readAll(IntakeSpool::kMostRequestBytes));
    return http::problem(503, "node.kept",
                         name +
                             " is locked. What was sent is kept, sealed, and counts once it is "
                             "unlocked; keep it on the phone until then.");
  });
  answerAll(router, [name](Request&, const PathParameters&) { return lockedAnswer(name); });
}

// Where headquarters has signed none yet: one for this start, by nobody.
crypto::KeyAndCertificate ownDoor(const NodeConfig& config) {
  constexpr std::int64_t kYear = 365;
  const std::int64_t now = std::time(nullptr);
  const crypto::CertificateTerms terms = access::termsFor(config.name, {}, now, kYear);
  const crypto::KeyAndCertificate authority =
      crypto::createAuthority("Waystation " + config.name, terms.notBefore, terms.notAfter);
  const crypto::KeyAndRequest keys = crypto::createRequest(config.name);
  return {keys.privateKeyPem, crypto::signRequest(authority, keys.requestPem, terms)};
}

http::ServerSettings settingsFor(const crypto::KeyAndCertificate& door, const std::string& address,
                                 std::uint16_t port) {
  http::ServerSettings settings;
  settings.address = address;
  settings.port = port;
  settings.certificatePem = door.certificatePem;
  settings.privateKeyPem = door.privateKeyPem;
  return settings;
}

crypto::KeyAndCertificate doorOf(const NodeConfig& config, const std::optional<LockedFile>& file) {
  return file && !file->door.certificatePem.empty() ? file->door : ownDoor(config);
}

}  // namespace

LockedServer::LockedServer(const NodeConfig& config, const std::optional<LockedFile>& file,
                           const std::filesystem::path& directory, const std::string& address,
                           std::uint16_t port, std::uint16_t phonePort)
    : people_(settingsFor(doorOf(config, file), address, port), peopleRouter_) {
  addPeopleRoutes(peopleRouter_, config);
  if (!file || file->phoneAuthorityPem.empty() || file->sealingKey.empty()) return;
  spool_.emplace(directory, file->sealingKey, config.name);
  addPhoneRoutes(phonesRouter_, config.name, *spool_);
  http::ServerSettings settings = settingsFor(doorOf(config, file), address, phonePort);
  settings.clientAuthorityPem = file->phoneAuthorityPem;
  phones_.emplace(settings, phonesRouter_);
}

void LockedServer::start() {
  people_.start();
  if (phones_) phones_->start();
}

std::uint16_t LockedServer::phonePort() const {
  return phones_ ? phones_->port() : std::uint16_t{0};
}

}  // namespace waystation::server
