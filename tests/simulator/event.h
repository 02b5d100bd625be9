#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waystation::simulator {

// What can happen in a story. Nothing else does: the same events make the same story.
enum class EventKind : std::uint8_t {
  kCreate,    // a person at `node` makes a record, known from then on by this event's serial
  kRead,      // a person at `node` opens `record`; the page is known by this event's serial
  kSave,      // a person at `node` saves a field of `record` on top of `page`
  kDelete,    // a person at `node` deletes `record` (`value` 1: restores it) on top of `page`
  kHandOver,  // headquarters gives the custody of `record` to `office`
  kExchange,  // one exchange of `node` with its hub
  kSend,      // `node` sends a request that is on its way until kArrive
  kPart,      // a part of the request `page` reaches the hub
  kArrive,    // the rest of it does, and is answered
  kRestart,   // `node` is stopped and started
  kCopy,      // a copy of `node`'s disk is put away
  kRestore,   // `node` starts from the copy `page`
  kClock,     // `node`'s clock jumps by `amount` milliseconds
  kClone,     // a copy of `node`'s disk is started on a second machine, and both run
  kAttack,    // the hostile leaf `office` tries `amount` (hostile.h) on `record`
  kErase,     // headquarters erases `record` for good, with all that belongs to it
  kFailover,  // headquarters goes on at its standby, which is as the copy `page`
};

// Everything is a number, so that events are printed, read back and dropped alike. Records, pages,
// copies and requests are named by the serial of the event that made them; 0 is none. An event
// that names what is not there (any more) does nothing.
struct Event {
  EventKind kind = EventKind::kRead;
  std::int64_t serial = 0;
  std::int64_t afterMs = 0;  // true time since the event before
  std::int64_t node = 0;
  std::int64_t record = 0;
  std::int64_t second = 0;  // of kSave: another record, saved in the same change
  std::int64_t root = 0;    // of kCreate: the root that it is born into; 0: it is one
  std::int64_t names = 0;   // of kCreate: a record that it refers to
  std::int64_t page = 0;
  std::int64_t field = 0;
  std::int64_t fields = 0;  // of kCreate: a bit for each field that it begins with
  // Who gets custody; of kExchange and kSend: the office at which a phone calls, 0: its own.
  std::int64_t office = 0;
  std::int64_t scope = 0;   // of kCreate at headquarters: a bit for each office; -1: all
  std::int64_t value = 0;   // of kSave: 0 writes a value of its own, else this one
  std::int64_t amount = 0;  // milliseconds
  std::int64_t cutUp = -1;  // bytes of the request that arrive; -1: all
  std::int64_t cutDown = -1;
  std::int64_t upBytes = 0;  // how much a side wants to send; 0: as usual
  std::int64_t downBytes = 0;
  std::int64_t crashAfter = 0;  // steps of the store until the process dies; 0: it does not
  std::int64_t crashAtHub = 0;
  std::int64_t repeat = 0;  // the request reaches the hub twice
  // The sides speak a later version: unknown frames, bytes behind a hello.
  std::int64_t strange = 0;
  std::int64_t lie = 0;    // which bit of what the sender signed is turned round on its way
  std::int64_t stale = 0;  // an older answer of the hub comes in the place of this one
};

// One line of words, "save serial=12 node=3 record=5 field=1 page=9"; fields that are as they
// begin are left out.
std::string printed(const Event& event);
// The event that a line of `printed` tells; nothing where it tells none.
std::optional<Event> parsedEvent(std::string_view line);

}  // namespace waystation::simulator
