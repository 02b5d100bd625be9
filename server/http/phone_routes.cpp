#include "server/http/phone_routes.h"

#include <utility>

#include "crypto/failure.h"
#include "server/access/enrolment.h"
#include "server/access/policy.h"
#include "server/audit.h"

namespace waystation::http {

void addPhoneRoutes(Router& router, server::Node& node, access::Entrance& entrance,
                    std::function<void()> awaited) {
  router.add(
      "POST", "/api/v1/phone-tokens",
      entrance.forPeople([&node, awaited = std::move(awaited)](Request& request,
                                                               const PathParameters&,
                                                               const access::Account& account) {
        access::require(account, access::Action::kLetPhonesJoin);
        const Json body = access::Entrance::jsonBody(request);
        if (!body.is_object() || !body.contains("phone") || !body.at("phone").is_string()) {
          throw Failure("enrolment.request-malformed",
                        "'phone' must be a text: the phone's name. No token was made.");
        }
        const auto phone = body.at("phone").get<std::string>();
        const std::string token = access::issuePhoneToken(node, phone);
        node.write([&](sync::Work& work) {
          server::noteDeed(work.store(), node.clock(),
                           {account.name, "phone-token", {}, {{"node", phone}}});
        });
        if (awaited) awaited();
        const std::int64_t until =
            node.clock().nowMs() + std::int64_t{access::kPhoneTokenMinutes} * 60'000;
        return json(200, {{"phone", phone}, {"token", token}, {"until", sync::formatTime(until)}});
      }));
}

}  // namespace waystation::http
