#include "server/http/router.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace waystation::http {
namespace {

std::vector<std::string> segmentsOf(std::string_view path) {
  std::vector<std::string> segments;
  std::size_t begin = 1;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    segments.emplace_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return segments;
}

bool isParameter(const std::string& segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

bool matches(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
  if (pattern.size() != path.size()) return false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (isParameter(pattern[i]) ? path[i].empty() : pattern[i] != path[i]) return false;
  }
  return true;
}

// Whether `left` is the more literal of two patterns that both match.
bool moreLiteral(const std::vector<std::string>& left, const std::vector<std::string>& right) {
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (isParameter(left[i]) != isParameter(right[i])) return isParameter(right[i]);
  }
  return false;
}

struct StatusRule {
  std::string_view pattern;  // a whole code, "prefix.*", or "*.suffix"
  int status;
};

// The first rule that fits decides.
constexpr std::array kStatusRules = {
    StatusRule{"access.unauthenticated", 401},
    StatusRule{"access.totp-needed", 401},
    StatusRule{"access.account-disabled", 401},
    StatusRule{"access.too-soon", 429},
    StatusRule{"access.login-malformed", 400},
    StatusRule{"access.*", 403},
    StatusRule{"certificate.request-malformed", 400},
    StatusRule{"certificate.host-malformed", 400},
    StatusRule{"certificate.host-taken", 409},
    StatusRule{"share.malformed", 400},
    StatusRule{"share.*", 403},
    StatusRule{"node.locked", 503},
    StatusRule{"node.kept", 503},
    StatusRule{"enrolment.request-malformed", 400},
    StatusRule{"enrolment.not-an-office", 422},
    StatusRule{"enrolment.phone-malformed", 422},
    StatusRule{"enrolment.*", 403},
    StatusRule{"revocation.*", 400},
    StatusRule{"hub.awaits-reports", 409},
    StatusRule{"sync.unknown-leaf", 403},
    StatusRule{"sync.revoked", 403},
    StatusRule{"sync.certificate-replaced", 403},
    StatusRule{"sync.certificate-expired", 403},
    StatusRule{"sync.superseded", 409},
    StatusRule{"sync.not-kept", 409},
    StatusRule{"sync.*", 400},
    StatusRule{"http.not-found", 404},
    StatusRule{"*.not-found", 404},
    StatusRule{"http.method-not-allowed", 405},
    StatusRule{"http.head-timeout", 408},
    StatusRule{"http.body-too-slow", 408},
    StatusRule{"*.conflict", 409},
    StatusRule{"http.length-required", 411},
    StatusRule{"http.body-too-large", 413},
    StatusRule{"http.target-too-long", 414},
    StatusRule{"http.media-type", 415},
    StatusRule{"http.range", 416},
    StatusRule{"http.expectation", 417},
    StatusRule{"http.host-unknown", 421},
    StatusRule{"http.head-too-large", 431},
    StatusRule{"http.method-unknown", 501},
    StatusRule{"http.transfer-coding-unknown", 501},
    StatusRule{"http.version", 505},
    StatusRule{"http.*", 400},
    StatusRule{"json.unwritable", 500},
    StatusRule{"json.*", 400},
    StatusRule{"account.exists", 409},
    StatusRule{"case.*", 422},
    StatusRule{"file.unknown", 404},
    StatusRule{"file.too-large", 413},
    StatusRule{"file.incomplete", 409},
    StatusRule{"file.not-here", 409},
    StatusRule{"file.*", 422},
    StatusRule{"programme.*", 422},
    StatusRule{"account.word-list-missing", 500},
    StatusRule{"account.*", 422},
    StatusRule{"*.locked", 423},
    StatusRule{"busy.*", 503},
    StatusRule{"store.full", 507},
};

bool fits(std::string_view pattern, std::string_view code) {
  if (pattern.ends_with(".*")) return code.starts_with(pattern.substr(0, pattern.size() - 1));
  if (pattern.starts_with("*.")) return code.ends_with(pattern.substr(1));
  return code == pattern;
}

}  // namespace

int statusOf(const std::string& code) {
  for (const StatusRule& rule : kStatusRules) {
    if (fits(rule.pattern, code)) return rule.status;
  }
  return 500;
}

Response problem(const Failure& failure) {
  return problem(statusOf(failure.code()), failure.code(), failure.what());
}

void Router::add(const std::string& method, const std::string& pattern, Handler handler) {
  for (const Entry& entry : entries_) {
    if (entry.route.method == method && entry.route.pattern == pattern) {
      throw Failure("http.route-twice", "Two functions want to answer " + method + " " + pattern +
                                            "; the program is built wrongly.");
    }
  }
  entries_.push_back({{method, pattern}, segmentsOf(pattern), std::move(handler)});
}

std::vector<Route> Router::routes() const {
  std::vector<Route> all;
  for (const Entry& entry : entries_) all.push_back(entry.route);
  return all;
}

Response Router::answer(Request& request) const {
  try {
    return dispatch(request);
  } catch (const Failure& failure) {
    return problem(failure);
  } catch (const std::exception&) {
    // What a library says may quote a key, a path or a person: it stays inside.
    return problem(500, "internal.error",
                   "The server could not do this because of a fault of its own. What you sent was "
                   "not confirmed; try again, and tell your technician if it happens again.");
  }
}

Response Router::dispatch(Request& request) const {
  const std::vector<std::string> segments = segmentsOf(request.path);
  PathParameters parameters;
  const Entry* entry = find(segments, request.method, parameters);
  if (entry == nullptr && request.method == "HEAD") entry = find(segments, "GET", parameters);
  if (entry == nullptr) return noSuchRoute(request, segments);
  request.route = entry->route.pattern;
  return entry->handler(request, parameters);
}

const Router::Entry* Router::find(const std::vector<std::string>& segments,
                                  const std::string& method, PathParameters& parameters) const {
  const Entry* best = nullptr;
  for (const Entry& entry : entries_) {
    if (entry.route.method != method || !matches(entry.segments, segments)) continue;
    if (best == nullptr || moreLiteral(entry.segments, best->segments)) best = &entry;
  }
  if (best == nullptr) return nullptr;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const std::string& name = best->segments[i];
    if (isParameter(name)) parameters[name.substr(1, name.size() - 2)] = segments[i];
  }
  return best;
}

Response Router::noSuchRoute(Request& request, const std::vector<std::string>& segments) const {
  std::string allowed;
  for (const Entry& entry : entries_) {
    if (!matches(entry.segments, segments)) continue;
    if (!allowed.empty()) allowed += ", ";
    allowed += entry.route.method;
  }
  if (!allowed.empty()) {
    Response refusal =
        problem(405, "http.method-not-allowed",
                "This address does not take " + request.method + "; it takes " + allowed + ".");
    refusal.headers["Allow"] = allowed;
    return refusal;
  }
  if (fallback_ && (request.method == "GET" || request.method == "HEAD")) {
    request.route = kFiles;
    return fallback_(request, {});
  }
  return problem(404, "http.not-found", "There is nothing at this address.");
}

}  // namespace waystation::http
