#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace waystation::cases {

using Json = nlohmann::json;

// A programme pack is a file that says which kinds of records a programme keeps, with their fields,
// code lists, merge rules and import columns. Nothing about a programme is compiled in; the file
// format is told in docs/spec/programme-pack.md.

// A text for people in every language that the product speaks; none is empty.
struct Label {
  std::string en;
  std::string fr;
  std::string es;
  std::string ar;
};

enum class FieldType { kText, kLongText, kDate, kInteger, kBoolean, kCode, kCodes, kRef, kPlace };

// Which of several values written apart a screen shows. Read only, never written (docs/spec/sync).
enum class MergeRule { kLatest, kMostRestrictive, kHighest, kLowest, kUnite, kAsk };

std::string_view nameOf(FieldType type);
std::string_view nameOf(MergeRule rule);

struct Code {
  std::string code;
  Label label;
  bool isUrgent = false;  // who writes it does not wait: it passes what else waits for the link
};

struct CodeList {
  std::string name;
  // Codes stand from the lowest or least restrictive to the highest or most restrictive.
  bool isOrdered = false;
  // Offices use codes of their own beside the listed ones.
  bool isOpen = false;
  std::vector<Code> codes;

  // Position in the list, which is the rank where the list is ordered.
  std::optional<std::size_t> rankOf(std::string_view code) const;
};

// How a column of a file becomes this field.
struct FieldImport {
  std::vector<std::string> columns;           // header texts, beside the field's own name
  std::vector<std::string> hxl;               // HXL tag patterns, "#adm1+code-origin"
  std::map<std::string, std::string> values;  // texts that mean a code
  std::vector<std::string> absent;            // texts that mean "not known"
  std::string separator = ";";                // between the codes of one cell
};

struct Field {
  std::string name;
  Label label;
  FieldType type = FieldType::kText;
  MergeRule rule = MergeRule::kAsk;
  bool isRequired = false;
  bool isSensitive = false;
  std::string section;        // empty: none
  std::size_t maxLength = 0;  // in characters; text and longtext only
  std::optional<std::int64_t> minimum;
  std::optional<std::int64_t> maximum;
  std::shared_ptr<const CodeList> codes;  // code and codes only
  std::vector<std::string> refKinds;      // ref only
  std::vector<std::string> boundTo;       // fields on whose values this one is decided
  FieldImport import;
};

// A case of a kind with stages is in the stage that its stage field names.
struct Stage {
  std::string code;
  Label label;
  std::vector<std::string> needs;  // fields that must be filled in this stage
};

struct Section {
  std::string name;
  Label label;
};

struct Kind {
  std::string kind;
  Label name;
  bool isRoot = false;
  bool isGlobal = false;                 // held by every office, like place codes
  std::vector<std::string> parentKinds;  // roots that it may stand under; empty: any
  std::vector<Field> fields;
  std::vector<Section> sections;
  std::string stageField;  // empty: the kind has no stages
  std::vector<Stage> stages;
  std::vector<std::string> titleFields;
  std::vector<std::string> importNames;    // what `import --as` may say beside the kind
  std::vector<std::string> importKey;      // fields that tell one row from another
  std::vector<std::string> importIgnored;  // columns known and left out on purpose

  const Field* findField(std::string_view field) const;
};

// Whether the field is kept as parts (server/cases/united_field.h).
inline bool isSet(const Field& field) {
  return field.type == FieldType::kCodes && field.rule == MergeRule::kUnite;
}

struct Pack {
  std::string id;
  std::int64_t version = 0;
  Label name;
  bool isSealed = false;  // seen only by people of the programme
  std::string source;     // attribution of fields and codes taken from a published standard
  std::vector<Kind> kinds;
  std::map<std::string, std::shared_ptr<const CodeList>> codeLists;
};

// Reads and checks every *.json of the directory, in the order of the names. Throws
// Failure("programme.invalid") that names the file, the place inside it and what to do.
std::vector<Pack> loadPacks(const std::filesystem::path& directory);

// The same for texts that are already in memory: file name -> content.
std::vector<Pack> readPacks(const std::map<std::string, std::string>& files);

// All programmes of this node: the door through which values of records pass.
// Failures: "case.kind-unknown", "case.field-unknown", "case.field-required", "case.value-invalid".
class Programmes {
 public:
  explicit Programmes(std::vector<Pack> packs);

  const std::vector<Pack>& packs() const { return packs_; }

  // nullptr when no pack has it. Pointers live as long as this object.
  const Kind* findKind(std::string_view kind) const;
  const Pack* findPackOf(std::string_view kind) const;
  const Pack* findPack(std::string_view id) const;
  // The kind that `import --as NAME` means: an import name of a pack, or the kind itself.
  const Kind* findImportKind(std::string_view name) const;

  // Throws "case.kind-unknown".
  const Kind& kind(std::string_view kind) const;

  // Throws "case.value-invalid". Null is a value: it empties a field that is not required.
  void checkValue(const Field& field, const Json& value) const;

  // `fields` is an object name -> value. A new record must have every required field and what its
  // stage needs; an edit holds some fields only.
  void checkNewRecord(std::string_view kind, const Json& fields) const;
  void checkEdit(std::string_view kind, const Json& fields) const;

  // What an edit would leave behind must have what its stage needs; `fields` is the whole record.
  void checkStage(const Kind& kind, const Json& fields) const;

  // Fields and values (JSON) whose writing is urgent.
  std::set<std::pair<std::string, std::string>> urgentValues() const;

  // Every pack in all languages, as GET /api/v1/programmes answers it.
  Json describe() const;
  static Json describe(const Pack& pack);

 private:
  std::vector<Pack> packs_;
};

}  // namespace waystation::cases
