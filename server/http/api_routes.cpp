#include "server/http/api_routes.h"

#include <algorithm>
#include <charconv>

#include "crypto/failure.h"
#include "server/access/enrolment.h"
#include "server/access/record_access.h"
#include "server/audit.h"
#include "server/cases/handover.h"
#include "server/cases/masking.h"
#include "server/cases/quarantine_service.h"
#include "server/cases/record_service.h"
#include "server/http/account_routes.h"
#include "server/http/file_routes.h"
#include "server/http/phone_routes.h"
#include "server/version.h"

namespace waystation::http {
namespace {

using access::Account;
using access::Action;
using access::RecordAccess;

constexpr int kUsualPage = 50;
constexpr int kMostPerPage = 200;
// Pages read on behalf of one that has nothing for this person on it.
constexpr int kMostEmptyPages = 50;

std::string queryText(const Request& request, const std::string& name) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? std::string() : found->second;
}

std::int64_t numberOf(const std::string& text, const char* name) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1) {
    throw Failure("http.query-malformed",
                  std::string("'") + name + "' must be a whole number from 1.");
  }
  return number;
}

int limitOf(const Request& request) {
  const std::string limit = queryText(request, "limit");
  if (limit.empty()) return kUsualPage;
  return static_cast<int>(std::min<std::int64_t>(numberOf(limit, "limit"), kMostPerPage));
}

cases::ListQuery listQuery(const Request& request) {
  cases::ListQuery query;
  query.kind = queryText(request, "kind");
  query.root = queryText(request, "root");
  query.text = queryText(request, "q");
  query.cursor = queryText(request, "cursor");
  query.deletedOnly = queryText(request, "deleted") == "true";
  query.limit = limitOf(request);
  return query;
}

storage::AuditQuery auditQuery(const Request& request) {
  storage::AuditQuery query;
  query.person = queryText(request, "by");
  query.deed = queryText(request, "deed");
  query.from = queryText(request, "from");
  query.to = queryText(request, "to");
  query.limit = limitOf(request);
  const std::string record = queryText(request, "record");
  if (!record.empty()) {
    const auto id = sync::RecordId::fromUuid(record);
    if (!id) throw Failure("http.query-malformed", "'record' must be a record's id.");
    query.record = id->bytes();
  }
  const std::string cursor = queryText(request, "cursor");
  if (!cursor.empty()) query.beforeSeq = numberOf(cursor, "cursor");
  return query;
}

// What this person may see of a page, as much of it as they may see.
Json seenOf(server::Node& node, RecordAccess& access, Json records, const cases::ListQuery& query,
            std::vector<std::string>& noted) {
  const cases::Programmes& programmes = node.programmes();
  std::vector<Json> seen;
  std::vector<Json> masked;
  std::vector<std::size_t> places;  // of the masked ones among those seen
  for (Json& record : records) {
    const access::Decision decision = access.mayRead(record);
    if (!decision.allowed) continue;
    if (decision.isMasked) {
      cases::maskRecord(programmes, record);
      places.push_back(seen.size());
      masked.push_back(record);
    }
    seen.push_back(std::move(record));
  }
  const std::vector<bool> found = cases::foundInMasked(programmes, masked, query.text);
  for (std::size_t i = 0; i < masked.size(); ++i) {
    const bool isAnswer = found[i] && (!query.conflictsOnly || !masked[i].at("conflicts").empty());
    if (!isAnswer) seen[places[i]] = nullptr;
  }
  Json answer = Json::array();
  for (Json& record : seen) {
    if (!record.is_null()) answer.push_back(std::move(record));
  }
  for (const Json& record : answer) {
    if (access.mayRead(record).isNoted) noted.push_back(record.at("id").get<std::string>());
  }
  return answer;
}

// What was typed is not noted: it may be a name.
void noteListed(server::Node& node, const Account& account, const cases::ListQuery& query,
                const std::vector<std::string>& noted) {
  if (noted.empty()) return;
  Json detail = Json::object();
  if (!query.kind.empty()) detail["kind"] = query.kind;
  if (!query.text.empty()) detail["search"] = true;
  node.write([&](sync::Work& work) {
    server::noteDeed(work.store(), node.clock(), {account.name, "listed", noted, detail});
  });
}

// A page of what this person may see: pages that hold nothing of that are passed over.
Response listFor(server::Node& node, const Account& account, cases::ListQuery query) {
  RecordAccess access(node, account);
  for (int page = 0;; ++page) {
    Json answer = cases::listRecords(node, query);
    std::vector<std::string> noted;
    answer["records"] = seenOf(node, access, std::move(answer.at("records")), query, noted);
    noteListed(node, account, query, noted);
    const Json& cursor = answer.at("cursor");
    const bool last = !cursor.is_string() || cursor.get<std::string>().empty();
    if (last || !answer.at("records").empty() || page == kMostEmptyPages) {
      return json(200, answer);
    }
    query.cursor = cursor.get<std::string>();
  }
}

void addPeopleRoutes(Router& router, server::Node& node, access::Entrance& entrance) {
  router.add("GET", "/api/v1/me",
             entrance.forPeople([&node](Request&, const PathParameters&, const Account& account) {
               access::require(account, Action::kSeeSelf);
               return json(200, {{"user", account.name},
                                 {"role", account.role},
                                 {"programmes", account.programmes},
                                 {"office", node.config().name},
                                 {"language", account.language},
                                 {"totp", account.hasTotp}});
             }));
  router.add("GET", "/api/v1/programmes",
             entrance.forPeople([&node](Request&, const PathParameters&, const Account& account) {
               Json programmes = Json::array();
               for (const cases::Pack& pack : node.programmes().packs()) {
                 if (!access::decide(account, Action::kSeeProgramme, {&pack}).allowed) continue;
                 programmes.push_back(cases::Programmes::describe(pack));
               }
               return json(200, programmes);
             }));
}

void addReadingRoutes(Router& router, server::Node& node, access::Entrance& entrance) {
  router.add(
      "GET", "/api/v1/records",
      entrance.forPeople([&node](Request& request, const PathParameters&, const Account& account) {
        return listFor(node, account, listQuery(request));
      }));
  router.add(
      "GET", "/api/v1/conflicts",
      entrance.forPeople([&node](Request& request, const PathParameters&, const Account& account) {
        cases::ListQuery query = listQuery(request);
        query.conflictsOnly = true;
        return listFor(node, account, std::move(query));
      }));
  router.add("GET", "/api/v1/records/{id}",
             entrance.forPeople([&node](Request&, const PathParameters& parameters,
                                        const Account& account) {
               const bool isMasked =
                   RecordAccess(node, account).requireRead(parameters.at("id"), "read").isMasked;
               Json shown = cases::showRecord(node, parameters.at("id"));
               if (isMasked) cases::maskRecord(node.programmes(), shown);
               return json(200, shown);
             }));
  router.add(
      "GET", "/api/v1/records/{id}/history",
      entrance.forPeople([&node](Request&, const PathParameters& parameters,
                                 const Account& account) {
        const std::string& id = parameters.at("id");
        const bool isMasked = RecordAccess(node, account).requireRead(id, "read-history").isMasked;
        Json history = cases::showHistory(node, id);
        if (isMasked) {
          const Json shown = cases::showRecord(node, id);
          cases::maskHistory(node.programmes(), shown.at("kind").get<std::string>(), history);
        }
        return json(200, history);
      }));
}

void addWritingRoutes(Router& router, server::Node& node, access::Entrance& entrance) {
  router.add(
      "POST", "/api/v1/changes",
      entrance.forPeople([&node](Request& request, const PathParameters&, const Account& account) {
        const Json body = access::Entrance::jsonBody(request);
        RecordAccess(node, account).requireChanges(body);
        return json(200, cases::saveChanges(node, account.name, body));
      }));
  router.add(
      "POST", "/api/v1/handovers",
      entrance.forPeople([&node](Request& request, const PathParameters&, const Account& account) {
        const Json body = access::Entrance::jsonBody(request);
        if (!body.is_object() || !body.contains("root") || !body.at("root").is_string()) {
          throw Failure("case.request-malformed",
                        "A hand-over must say 'root'. Nothing was handed over.");
        }
        RecordAccess(node, account).requireHandOver(body.at("root").get<std::string>());
        return json(200, cases::askHandover(node, account.name, body));
      }));
  for (const bool accepts : {true, false}) {
    router.add("POST", accepts ? "/api/v1/handovers/{id}/accept" : "/api/v1/handovers/{id}/decline",
               entrance.forPeople([&node, accepts](Request&, const PathParameters& parameters,
                                                   const Account& account) {
                 const std::string& id = parameters.at("id");
                 RecordAccess(node, account).requireAnswer(id);
                 return json(200, cases::answerHandover(node, account.name, id, accepts));
               }));
  }
}

// Which records a change touches is told of those alone that the person may see.
Json quarantineFor(server::Node& node, const Account& account) {
  RecordAccess access(node, account);
  Json answer = cases::listQuarantine(node);
  for (Json& change : answer.at("changes")) {
    if (!change.contains("records")) continue;
    Json seen = Json::array();
    for (Json& record : change.at("records")) {
      if (access.mayKnowOf(record.at("id").get<std::string>())) seen.push_back(std::move(record));
    }
    change["records"] = std::move(seen);
  }
  return answer;
}

void addQuarantineRoutes(Router& router, server::Node& node, access::Entrance& entrance) {
  router.add("GET", "/api/v1/quarantine",
             entrance.forPeople([&node](Request&, const PathParameters&, const Account& account) {
               access::require(account, Action::kSeeSync);
               return json(200, quarantineFor(node, account));
             }));
  if (!node.isHeadquarters()) return;
  for (const bool release : {true, false}) {
    router.add(
        "POST", release ? "/api/v1/quarantine/{id}/release" : "/api/v1/quarantine/{id}/discard",
        entrance.forPeople([&node, release](Request& request, const PathParameters& parameters,
                                            const Account& account) {
          access::require(account, Action::kSettleQuarantine);
          const Json body = access::Entrance::jsonBody(request);
          return json(
              200, cases::settleQuarantine(node, account.name, parameters.at("id"), release, body));
        }));
  }
}

void addAuditRoutes(Router& router, server::Node& node, access::Entrance& entrance) {
  router.add(
      "GET", "/api/v1/audit",
      entrance.forPeople([&node](Request& request, const PathParameters&, const Account& account) {
        access::require(account, Action::kReadAudit);
        const storage::AuditQuery query = auditQuery(request);
        node.write([&](sync::Work& work) {
          server::noteDeed(work.store(), node.clock(), {account.name, "audit-read"});
        });
        return json(200, node.read([&](storage::Store& store) {
          return server::searchAudit(store, query);
        }));
      }));
}

void addLockRoute(Router& router, server::Node& node, access::Entrance& entrance,
                  std::function<void()> lock) {
  router.add("POST", "/api/v1/lock",
             entrance.forPeople([&node, lock = std::move(lock)](Request&, const PathParameters&,
                                                                const Account& account) {
               access::require(account, Action::kLock);
               if (!lock) throw Failure("busy.lock", "This server can't be locked from here.");
               node.write([&](sync::Work& work) {
                 server::noteDeed(work.store(), node.clock(), {account.name, "locked"});
               });
               lock();
               return json(202, Json::object());
             }));
}

}  // namespace

void addApiRoutes(Router& router, server::Node& node, access::Entrance& entrance,
                  ApiSources sources) {
  entrance.addRoutes(router);
  addAccountRoutes(router, node, entrance);
  addPeopleRoutes(router, node, entrance);
  addReadingRoutes(router, node, entrance);
  addWritingRoutes(router, node, entrance);
  addFileRoutes(router, node, entrance);
  addQuarantineRoutes(router, node, entrance);
  addAuditRoutes(router, node, entrance);
  addPhoneRoutes(router, node, entrance, std::move(sources.phoneAwaited));
  addLockRoute(router, node, entrance, std::move(sources.lock));
  router.add("GET", "/api/v1/sync",
             entrance.forPeople(
                 [&node, state = std::move(sources.syncState)](Request&, const PathParameters&,
                                                               const Account& account) {
                   access::require(account, Action::kSeeSync);
                   Json answer = state();
                   answer["conflicts"] = RecordAccess(node, account).countConflicts();
                   return json(200, answer);
                 },
                 false));
  const std::string role = node.isHeadquarters() ? "hq" : "office";
  router.add("GET", "/health",
             [role, warnings = std::move(sources.warnings)](Request&, const PathParameters&) {
               return json(200, {{"status", "ok"},
                                 {"role", role},
                                 {"version", kVersion},
                                 {"warnings", warnings ? warnings() : Json::array()}});
             });
  router.add("GET", "/metrics",
             [metrics = std::move(sources.metrics)](Request&, const PathParameters&) {
               Response response;
               response.headers["Content-Type"] = "text/plain; version=0.0.4; charset=utf-8";
               if (metrics) response.body = metrics();
               return response;
             });
  // Offices join headquarters, phones their office.
  router.add(
      "POST", kEnrolmentPath,
      [&node, syncPort = std::move(sources.syncPort)](Request& request, const PathParameters&) {
        access::Entrance::requireSameOrigin(request);
        return json(200, access::admit(node, access::Entrance::jsonBody(request), syncPort()));
      });
}

}  // namespace waystation::http
