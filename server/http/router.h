#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "crypto/failure.h"
#include "server/http/message.h"

namespace waystation::http {

// What stood in the place of each {name} of the pattern.
using PathParameters = std::map<std::string, std::string>;
using Handler = std::function<Response(Request&, const PathParameters&)>;

struct Route {
  std::string method;
  std::string pattern;
};

// Which function answers which address. Filled once, before the server starts; then only read, by
// many threads at once.
class Router {
 public:
  // `pattern` is "/api/v1/records/{id}": a {name} takes one whole segment. A literal segment wins
  // over a {name}. Throws Failure("http.route-twice") if the pattern and method are already taken.
  void add(const std::string& method, const std::string& pattern, Handler handler);

  // Answers GET and HEAD where no pattern matches: the web client's files.
  void setFallback(Handler handler) { fallback_ = std::move(handler); }

  // Every route, in the order added.
  std::vector<Route> routes() const;

  // `Request::route` of what the fallback answers.
  static constexpr const char* kFiles = "files";

  // The answer, whatever happens: a Failure becomes a problem with the status of statusOf(), any
  // other exception a 500 with a sentence that says nothing of the inside. HEAD is answered by GET.
  Response answer(Request& request) const;

 private:
  struct Entry {
    Route route;
    std::vector<std::string> segments;
    Handler handler;
  };

  Response dispatch(Request& request) const;
  const Entry* find(const std::vector<std::string>& segments, const std::string& method,
                    PathParameters& parameters) const;
  Response noSuchRoute(Request& request, const std::vector<std::string>& segments) const;

  std::vector<Entry> entries_;
  Handler fallback_;
};

// The one table of HTTP statuses by a failure's code.
int statusOf(const std::string& code);

// The answer that tells of this failure.
Response problem(const Failure& failure);

}  // namespace waystation::http
