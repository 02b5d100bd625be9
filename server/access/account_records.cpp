#include "server/access/account_records.h"

#include <algorithm>

#include "crypto/failure.h"
#include "server/audit.h"
#include "server/cases/list_cursor.h"
#include "server/node.h"
#include "storage/named_values.h"

namespace waystation::access {
namespace {

using http::Json;

constexpr std::string_view kNameField = "name";
constexpr std::string_view kRoleField = "role";
constexpr std::string_view kProgrammesField = "programmes";
constexpr std::string_view kDisabledField = "disabled";
constexpr const char* kOwner = "owner";  // of the machine, who bears no name
constexpr std::string_view kRowPrefix = "account.";
constexpr int kPage = 200;

// Whoever says so is believed: two officers may have decided apart.
bool isDisabledBy(const sync::Record& record) {
  const sync::Field* field = record.field(kDisabledField);
  return field != nullptr && std::any_of(field->begin(), field->end(), [](const auto& sibling) {
           return sibling.value == "true";
         });
}

// The record of the account of that name that is this node's own.
std::optional<sync::RecordId> recordOf(sync::Work& work, const std::string& name) {
  std::string cursor;
  do {
    const AccountPage page = accountRecords(work.store(), cursor, kPage);
    for (const AccountRecord& account : page.accounts) {
      if (account.name == name && account.office == work.replica().node()) {
        return sync::RecordId::fromUuid(account.id);
      }
    }
    cursor = page.cursor;
  } while (!cursor.empty());
  return std::nullopt;
}

// What another node wrote there; null where it wrote nothing that can be read.
Json valueOf(const sync::Record& record, std::string_view field) {
  try {
    return record.field(field) == nullptr ? Json() : http::parseJson(record.value(field));
  } catch (const Failure&) {
    return {};
  }
}

std::string textOf(const sync::Record& record, std::string_view field) {
  const Json value = valueOf(record, field);
  return value.is_string() ? value.get<std::string>() : std::string();
}

AccountRecord accountOf(storage::Store& store, const sync::Record& record) {
  AccountRecord account;
  account.id = record.id.uuid();
  account.name = textOf(record, kNameField);
  account.role = textOf(record, kRoleField);
  if (Json programmes = valueOf(record, kProgrammesField); programmes.is_object()) {
    account.programmes = std::move(programmes);
  }
  const std::optional<storage::RootRow> root = store.root(record.id.bytes());
  if (root) account.office = root->custody;
  account.isDisabled = isDisabledBy(record);
  if (const sync::Field* field = record.field(kDisabledField)) {
    account.disabledBy = sync::latest(*field).author;
    account.disabledMs = sync::physicalMs(sync::latest(*field).time);
  }
  return account;
}

Failure notFound() {
  return Failure("account.not-found", "Headquarters knows no such account.");
}

}  // namespace

std::string accountRow(std::string_view name) {
  return std::string(kRowPrefix).append(name);
}

void announceAccount(sync::Work& work, const std::string& by, const std::string& name, Json& row) {
  const std::optional<sync::RecordId> id =
      row.contains(kRowRecord) ? sync::RecordId::fromUuid(row.at(kRowRecord).get<std::string>())
                               : recordOf(work, name);
  const std::optional<sync::Record> held = id ? work.record(*id) : std::nullopt;
  // Its record is gone, and with it what headquarters might take back.
  if (!held && row.value(kRowDisabled, false)) return;
  sync::DraftEdit edit;
  edit.isNew = !held;
  edit.sawCurrent = held.has_value();
  edit.record = held ? *id : work.newRecord();
  edit.writes = {{std::string(kRoleField), http::canonicalJson(row.at("role"))},
                 {std::string(kProgrammesField), http::canonicalJson(row.at("programmes"))}};
  if (!held) {
    edit.kind = kAccountKind;
    edit.writes.push_back({std::string(kNameField), http::canonicalJson(name)});
  }
  work.save(by.empty() ? kOwner : by, {edit});
  row[kRowRecord] = edit.record.uuid();
  if (held && isDisabledBy(*held)) row[kRowDisabled] = true;
}

namespace {

void announceAll(sync::Work& work) {
  for (const auto& [key, text] : storage::metaUnder(work.store().database(), kRowPrefix)) {
    Json row = http::parseJson(text);
    if (row.contains(kRowRecord)) continue;
    announceAccount(work, {}, key.substr(kRowPrefix.size()), row);
    work.store().setMeta(key, http::canonicalJson(row));
  }
}

}  // namespace

void announceAccounts(server::Node& node) {
  const auto rows = node.read(
      [](storage::Store& store) { return storage::metaUnder(store.database(), kRowPrefix); });
  const bool allKnown = std::all_of(rows.begin(), rows.end(), [](const auto& row) {
    return http::parseJson(row.second).contains(kRowRecord);
  });
  if (allKnown) return;
  try {
    node.write(announceAll);
  } catch (const Failure& failure) {
    // A full disk must not keep people from reading: it is done at the next start.
    if (failure.code() != "store.full") throw;
  }
}

void followAccountRecord(storage::Store& store, const sync::Clock& clock, std::string_view node,
                         const sync::Record& record) {
  if (record.kind() != kAccountKind) return;
  const AccountRecord account = accountOf(store, record);
  const std::optional<std::string> text = store.meta(accountRow(account.name));
  if (!text) return;
  Json row = http::parseJson(*text);
  const bool wasDisabled = row.value(kRowDisabled, false);
  if (row.value(kRowRecord, "") != account.id || wasDisabled == account.isDisabled) return;
  row.erase(kRowDisabled);
  if (account.isDisabled) row[kRowDisabled] = true;
  store.setMeta(accountRow(account.name), http::canonicalJson(row));
  if (sync::officeOf(account.disabledBy) == node) return;  // noted where it was done
  const char* deed = account.isDisabled ? "account-disabled" : "account-enabled";
  server::noteDeed(store, clock, {account.disabledBy, deed, {}, {{"account", account.name}}});
}

AccountPage accountRecords(storage::Store& store, const std::string& cursor, int limit) {
  storage::RecordQuery query;
  query.kind = kAccountKind;
  query.limit = std::clamp(limit, 1, kPage);
  if (!cursor.empty()) cases::readCursor(cursor, query);
  AccountPage page;
  const std::vector<storage::RecordRow> rows = store.find(query);
  for (const storage::RecordRow& row : rows) {
    page.accounts.push_back(
        accountOf(store, sync::decodeState(sync::RecordId::fromBytes(row.id), row.state)));
  }
  if (static_cast<int>(rows.size()) == query.limit) page.cursor = cases::cursorOf(rows.back());
  return page;
}

AccountRecord setDisabled(server::Node& hq, const std::string& uuid, bool isDisabled,
                          const std::string& by) {
  const std::optional<sync::RecordId> id = sync::RecordId::fromUuid(uuid);
  if (!id) throw notFound();
  return hq.write([&](sync::Work& work) {
    const std::optional<sync::Record> record = work.record(*id);
    if (!record || record->kind() != kAccountKind) throw notFound();
    const AccountRecord before = accountOf(work.store(), *record);
    if (before.name == by && before.office == hq.config().name) {
      throw Failure("access.refused", "Nobody disables their own account.");
    }
    if (before.isDisabled == isDisabled) return before;
    sync::DraftEdit edit;
    edit.record = *id;
    edit.sawCurrent = true;
    edit.writes = {{std::string(kDisabledField), isDisabled ? "true" : "false"}};
    work.save(by, {edit});
    server::noteDeed(work.store(), hq.clock(),
                     {by,
                      isDisabled ? "account-disabled" : "account-enabled",
                      {},
                      {{"account", before.name}, {"office", before.office}}});
    return accountOf(work.store(), *work.record(*id));
  });
}

}  // namespace waystation::access
