#include "tests/simulator/world.h"

namespace waystation::simulator {
namespace {

std::string personOf(std::int64_t serial) {
  return "p" + std::to_string(serial);
}

// Of a field that only a later version knows, a form that this one never writes.
std::string valueOf(const Event& event, std::string_view field) {
  const std::string text = event.value == 0 ? "\"v" + std::to_string(event.serial) + "\""
                                            : "\"same" + std::to_string(event.value) + "\"";
  return field == kFields.back() ? R"({"as":[null,)" + text + R"(,"\u0001ü"],"of":{}})" : text;
}

}  // namespace

std::optional<World::Page> World::pageOf(std::int64_t box, std::int64_t record) {
  const auto at = facts_.find(record);
  if (at == facts_.end()) return std::nullopt;
  const auto found = boxes_[std::size_t(box)].node->record(at->second.id);
  if (!found) return std::nullopt;
  Page page{box, record, sync::encodeTag(*found), {}, {}};
  for (const auto& [name, field] : found->fields) {
    for (const sync::Sibling& sibling : field) {
      const std::int64_t serial = serialOf(sibling.author);
      if (serial == 0) continue;
      page.shown[name].insert(serial);
      if (!ledger_.isAsSaid(serial, {record, name}, sibling.value)) page.altered = name;
    }
  }
  return page;
}

void World::read(const Event& event) {
  std::optional<Page> page = pageOf(event.node, event.record);
  if (!page) return;
  if (!page->altered.empty()) {
    violated(
        "a value is not as it was saved",
        nameOf(event.node) + ": record " + std::to_string(event.record) + ", " + page->altered);
  }
  pages_.emplace(event.serial, std::move(*page));
  std::deque<std::int64_t>& open = pagesAt_[{event.node, event.record}];
  open.push_back(event.serial);
  if (open.size() <= 3) return;
  pages_.erase(open.front());
  open.pop_front();
}

// The page that a save was made on; one without anything read where the event names none.
std::optional<World::Page> World::pageFor(const Event& event) {
  if (event.page == 0) {
    if (!holds(event.node, event.record)) return std::nullopt;
    return Page{event.node, event.record, sync::encodeTag(sync::Record{}), {}, {}};
  }
  const auto at = pages_.find(event.page);
  if (at == pages_.end()) return std::nullopt;
  if (at->second.box != event.node || at->second.record != event.record) return std::nullopt;
  if (!holds(event.node, event.record)) return std::nullopt;
  return at->second;
}

void World::save(const Event& event) {
  std::map<std::int64_t, Page> pages;
  std::optional<Page> page = pageFor(event);
  if (!page) return;
  if (page->tag != pageOf(event.node, event.record)->tag) fault("stale save");
  pages.emplace(event.record, std::move(*page));
  if (event.second != 0 && event.second != event.record) {
    if (std::optional<Page> second = pageOf(event.node, event.second)) {
      pages.emplace(event.second, std::move(*second));
    }
  }
  std::vector<sync::DraftEdit> drafts;
  for (const auto& [record, shown] : pages) {
    sync::DraftEdit draft;
    draft.record = facts_.at(record).id;
    draft.tag = shown.tag;
    const std::string field = kFields.at(std::size_t(event.field) % kFields.size());
    draft.writes = {{field, valueOf(event, field)}};
    drafts.push_back(std::move(draft));
  }
  write(event, drafts, pages);
}

// Saves, and tells the ledger what was written over what.
void World::write(const Event& event, const std::vector<sync::DraftEdit>& drafts,
                  const std::map<std::int64_t, Page>& pages) {
  Box& box = boxes_[std::size_t(event.node)];
  std::optional<sync::Dot> dot;
  const bool answered = attempt(event, [&] {
    const storage::Connections::Lease writer = box.node->connections().writer();
    sync::Work work(box.node->replica(), *writer);
    dot = work.save(personOf(event.serial), drafts);
    work.commit();
  });
  if (answered ? !dot : !wasSaved(box, event.serial)) return;
  for (const auto& [record, page] : pages) {
    // A value that stood alone in the field already is not written again.
    const std::optional<Page> now = pageOf(event.node, record);
    for (const sync::DraftEdit& draft : drafts) {
      if (draft.record != facts_.at(record).id) continue;
      const auto& [field, value, boundTo] = draft.writes.front();
      if (!now || !now->shown.contains(field) || !now->shown.at(field).contains(event.serial)) {
        continue;
      }
      const auto shown = page.shown.find(field);
      ledger_.saved(event.serial, event.node, record, field,
                    shown == page.shown.end() ? Ledger::Saves{} : shown->second);
      if (!field.starts_with('_')) ledger_.said(event.serial, {record, field}, value);
    }
  }
}

// Does what a person asked for. Answers whether the person was told that it is done.
bool World::attempt(const Event& event, const std::function<void()>& deed) {
  Box& box = boxes_[std::size_t(event.node)];
  bool died = false;
  try {
    const Crash crash(*box.node, event.crashAfter);
    try {
      deed();
      died = crash.happened();
      if (!died) return true;
    } catch (const Failure& failure) {
      died = crash.happened();
      const bool stale = failure.code() == "case.tag-malformed" && box.wasRestored;
      const bool isHeldBack =
          event.node == 0 && failure.code() == "hub.awaits-reports" && box.wasRestored;
      if (!died && isHeldBack) fault("decision held back");
      if (!died && !stale && !isHeldBack && failure.code() != "case.handed-over") {
        violated("a save is refused without need", nameOf(event.node) + ": " + failure.what());
      }
    }
  } catch (const std::exception& error) {
    violated("a save ends in an error", nameOf(event.node) + ": " + error.what());
  }
  if (died) {
    fault("crash while saving");
    restart(event.node);
  }
  return false;
}

// What somebody sees who looks again after the program died: whether the save is there.
bool World::wasSaved(Box& box, std::int64_t serial) {
  const storage::Connections::Lease reader = box.node->connections().reader();
  storage::Store store(*reader);
  const auto entry = store.journal(store.lastJournalSeq());
  return entry && serialOf(sync::decodeChange(entry->body).author) == serial;
}

void World::noteBirth(const Event& event, const sync::RecordId& id) {
  Facts& facts = facts_[event.serial];
  facts.id = id;
  facts.root = event.root == 0 ? event.serial : facts_.at(event.root).root;
  facts.birthOffice = officeOf(event.node);
  facts.scope = event.scope;
  if (event.office != 0) facts.custody[event.serial] = event.office;
  labels_.push_back(event.serial);
  labelOf_[id] = event.serial;
  if (facts.root == event.serial) {
    grants_.meant(event.office != 0 ? event.office : facts.birthOffice, event.serial);
    for (std::int64_t office = 1; office <= settings_.offices; ++office) {
      if (isShared(office, facts)) grants_.meant(office, event.serial);
    }
    for (int i = 0; i < settings_.hostile; ++i) {
      if (facts.scope < 0) grants_.meant(kHostileHolder + i, event.serial);
    }
  }
  if (event.names != 0) grants_.named(facts.root, facts_.at(event.names).root);
}

void World::create(const Event& event) {
  Box& box = boxes_[std::size_t(event.node)];
  if (event.root != 0 && !holds(event.node, event.root)) return;
  if (event.names != 0 && !holds(event.node, event.names)) return;
  sync::DraftEdit draft;
  draft.isNew = true;
  draft.kind = event.fields % 5 == 0 ? "kind_of_a_later_version" : "case_file";
  if (event.root != 0) draft.root = facts_.at(event.root).id;
  for (std::size_t i = 0; i < kFields.size(); ++i) {
    if (event.fields >> i & 1)
      draft.writes.push_back({kFields.at(i), valueOf(event, kFields.at(i))});
  }
  if (event.names != 0) {
    draft.writes.push_back({"person", sync::referenceValue(facts_.at(event.names).id)});
  }
  if (event.node == 0 && event.root == 0) {
    draft.writes.push_back({"_custody", sync::jsonString(nameOf(event.office))});
    std::string named;
    for (std::int64_t office = 1; office <= settings_.offices && office < 60; ++office) {
      if (event.scope >> office & 1) named += (named.empty() ? "\"" : ",\"") + nameOf(office) + '"';
    }
    if (event.scope != 0) {
      draft.writes.push_back({"_scope", event.scope < 0 ? "\"all\"" : "[" + named + "]"});
    }
  }
  std::optional<sync::Dot> dot;
  const bool answered = attempt(event, [&] {
    const storage::Connections::Lease writer = box.node->connections().writer();
    sync::Work work(box.node->replica(), *writer);
    draft.record = work.newRecord();
    dot = work.save(personOf(event.serial), {draft});
    work.commit();
  });
  if (answered ? !dot : !wasSaved(box, event.serial)) return;
  noteBirth(event, draft.record);
  for (const sync::DraftWrite& write : draft.writes) {
    if (write.field != "_scope") {
      ledger_.saved(event.serial, event.node, event.serial, write.field, {});
      ledger_.said(event.serial, {event.serial, write.field}, write.value);
    }
  }
  ledger_.saved(event.serial, event.node, event.serial, "_kind", {});
}

void World::remove(const Event& event) {
  std::optional<Page> page = pageFor(event);
  if (!page) return;
  sync::DraftEdit draft;
  draft.record = facts_.at(event.record).id;
  draft.tag = page->tag;
  draft.writes = {{"_deleted", event.value == 0 ? "true" : "false"}};
  const std::map<std::int64_t, Page> pages = {{event.record, *page}};
  write(event, {draft}, pages);
  if (!ledger_.saves().contains(event.serial)) return;
  fault(event.value == 0 ? "deletion" : "restoral");
  if (event.value == 0) ledger_.deleted(event.serial, event.record, page->shown);
}

void World::handOver(const Event& event) {
  if (event.office < 1 || event.office > settings_.offices) return;
  if (!holds(0, event.record) || rootOf(event.record) != event.record) return;
  std::map<std::int64_t, Page> pages;
  pages.emplace(event.record, *pageOf(0, event.record));
  sync::DraftEdit draft;
  draft.record = facts_.at(event.record).id;
  draft.sawCurrent = true;
  draft.writes = {{"_custody", sync::jsonString(nameOf(event.office))}};
  write(event, {draft}, pages);
  if (!ledger_.saves().contains(event.serial)) return;
  fault("hand-over");
  facts_.at(event.record).custody[event.serial] = event.office;
  grants_.meant(event.office, event.record);
}

}  // namespace waystation::simulator
