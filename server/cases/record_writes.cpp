#include "server/cases/record_writes.h"

#include <iterator>
#include <optional>

#include "server/cases/united_field.h"
#include "server/http/json.h"

namespace waystation::cases {

void appendWrites(const Programmes& programmes, sync::Work& work, const Json& fields,
                  sync::DraftEdit& draft) {
  sync::Record current;
  if (!draft.isNew) current = work.record(draft.record).value_or(sync::Record{});
  const sync::ReadContexts read = draft.sawCurrent ? sync::contextsOf(current)
                                  : draft.tag      ? sync::decodeTag(*draft.tag)
                                                   : sync::ReadContexts{};
  const Kind* const kind = programmes.findKind(draft.isNew ? draft.kind : current.kind());
  for (const auto& [name, value] : fields.items()) {
    const Field* const field = kind == nullptr ? nullptr : kind->findField(name);
    if (field != nullptr && isSet(*field)) {
      std::vector<sync::DraftWrite> parts = writesToUnite(*field, current, read, value);
      std::move(parts.begin(), parts.end(), std::back_inserter(draft.writes));
      continue;
    }
    draft.writes.push_back({name, http::canonicalJson(value),
                            field == nullptr ? std::vector<std::string>{} : field->boundTo});
  }
}

}  // namespace waystation::cases
