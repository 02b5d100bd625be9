#include <algorithm>
#include <fstream>
#include <set>

#include "crypto/failure.h"
#include "server/cases/field_value.h"
#include "server/cases/import/hxl.h"
#include "server/cases/pack_node.h"
#include "server/cases/programme_pack.h"
#include "server/http/json.h"

namespace waystation::cases {

namespace {

constexpr std::int64_t kTextLength = 200;
constexpr std::int64_t kLongTextLength = 20000;
constexpr std::int64_t kMostLength = 50000;  // a change holds at most 256 KiB

template <typename Enum>
Enum readEnum(const PackNode& node, int count) {
  const std::string text = node.text();
  std::string known;
  for (int i = 0; i < count; ++i) {
    const auto each = static_cast<Enum>(i);
    if (nameOf(each) == text) return each;
    known += (i == 0 ? "" : ", ") + std::string(nameOf(each));
  }
  node.fail("is \"" + text + "\"; use one of: " + known);
}

bool isRanked(const Field& field) {
  return field.type == FieldType::kBoolean ||
         (field.type == FieldType::kCode && field.codes->isOrdered);
}

// A rule must have an order or a set to work on.
bool fits(MergeRule rule, const Field& field) {
  switch (rule) {
    case MergeRule::kLatest:
    case MergeRule::kAsk:
      return true;
    case MergeRule::kMostRestrictive:
      return isRanked(field);
    case MergeRule::kHighest:
    case MergeRule::kLowest:
      return isRanked(field) || field.type == FieldType::kInteger || field.type == FieldType::kDate;
    case MergeRule::kUnite:
      return field.type == FieldType::kCodes;
  }
  return false;
}

std::shared_ptr<const CodeList> readCodeList(const std::string& name, const PackNode& node) {
  node.checkName(name);
  node.onlyKeys({"ordered", "open", "codes"});
  auto list = std::make_shared<CodeList>();
  list->name = name;
  list->isOrdered = node.flag("ordered");
  list->isOpen = node.flag("open");
  if (list->isOrdered && list->isOpen) {
    node.fail("is ordered and open, but a code that is not listed has no place in the order");
  }
  for (const PackNode& each : node.list("codes")) {
    each.onlyKeys({"code", "label", "urgent"});
    const std::string code = each.text("code");
    if (!isCodeText(code)) {
      each.at("code").fail("is not a code: use letters, digits, '_', '-' and '.', 64 at most");
    }
    if (list->rankOf(code)) each.at("code").fail("repeats the code \"" + code + "\"; remove one");
    list->codes.push_back({code, each.label("label"), each.flag("urgent")});
  }
  if (list->codes.empty()) node.fail("has no codes; add at least one");
  return list;
}

struct FileParts {
  PackNode node;
  Pack pack;
};

// The packs of one directory while they are being read: kinds and lists may name one another.
class PackReader {
 public:
  explicit PackReader(const std::map<std::string, Json>& files) {
    for (const auto& [file, json] : files) parts_.push_back({PackNode(file, json), {}});
  }

  std::vector<Pack> read();

 private:
  void readHead(FileParts& part);
  Kind readKind(const PackNode& node);
  Field readField(const PackNode& node);
  FieldImport readFieldImport(const PackNode& node, const Field& field);
  std::shared_ptr<const CodeList> findList(const PackNode& node) const;
  void readStages(const PackNode& node, Kind& kind);
  void readImport(const PackNode& node, Kind& kind);
  static void checkBonds(const PackNode& node, const Kind& kind);
  void checkKindNames(const PackNode& node, std::string_view key, bool mustBeRoot) const;

  std::vector<FileParts> parts_;
  const Pack* current_ = nullptr;
};

void PackReader::readHead(FileParts& part) {
  const PackNode& node = part.node;
  node.onlyKeys({"id", "version", "name", "sealed", "source", "codeLists", "kinds"});
  part.pack.id = node.name("id");
  for (const FileParts& other : parts_) {
    if (&other != &part && other.pack.id == part.pack.id) {
      node.at("id").fail("is \"" + part.pack.id + "\" like that of another file; choose another");
    }
  }
  const auto version = node.integer("version");
  if (!version || *version < 1) node.at("version").fail("must be 1 or more");
  part.pack.version = *version;
  part.pack.name = node.label("name");
  part.pack.isSealed = node.flag("sealed");
  if (node.has("source")) part.pack.source = node.text("source");
  for (const auto& [name, list] : node.entries("codeLists")) {
    part.pack.codeLists[name] = readCodeList(name, list);
  }
}

std::shared_ptr<const CodeList> PackReader::findList(const PackNode& node) const {
  const std::string text = node.text();
  const std::size_t slash = text.find('/');
  const std::string pack = slash == std::string::npos ? current_->id : text.substr(0, slash);
  const std::string name = slash == std::string::npos ? text : text.substr(slash + 1);
  for (const FileParts& part : parts_) {
    if (part.pack.id != pack) continue;
    const auto found = part.pack.codeLists.find(name);
    if (found != part.pack.codeLists.end()) return found->second;
  }
  node.fail("names the code list \"" + text + "\", which no pack has; add it under codeLists");
}

void PackReader::checkKindNames(const PackNode& node, std::string_view key, bool mustBeRoot) const {
  for (const PackNode& each : node.list(key)) {
    const std::string name = each.text();
    const PackNode* found = nullptr;
    std::vector<PackNode> kinds;
    for (const FileParts& part : parts_) {
      for (const PackNode& kind : part.node.list("kinds")) {
        if (kind.has("kind") && kind.text("kind") == name) kinds.push_back(kind);
      }
    }
    if (!kinds.empty()) found = &kinds.front();
    if (found == nullptr) each.fail("names the kind \"" + name + "\", which no pack has");
    if (mustBeRoot && !found->flag("root")) {
      each.fail("names \"" + name + "\", which is not a root and can have nothing under it");
    }
  }
}

FieldImport PackReader::readFieldImport(const PackNode& node, const Field& field) {
  node.onlyKeys({"columns", "hxl", "values", "absent", "separator"});
  FieldImport import;
  import.columns = node.texts("columns");
  import.hxl = node.texts("hxl");
  import.absent = node.texts("absent");
  for (const PackNode& each : node.list("hxl")) {
    if (!HxlPattern::parse(each.text())) {
      each.fail("is not an HXL tag pattern; write it like #adm1+code or #affected+idps-f");
    }
  }
  for (const auto& [text, value] : node.entries("values")) {
    const std::string code = value.text();
    if (!field.codes) value.fail("stands in a field without codes; remove it");
    if (!field.codes->rankOf(code)) value.fail("is not a code of the field's list");
    import.values[text] = code;
  }
  if (node.has("separator")) {
    if (field.type != FieldType::kCodes) {
      node.at("separator").fail("fits a field of type codes only; remove it");
    }
    import.separator = node.text("separator");
  }
  return import;
}

Field PackReader::readField(const PackNode& node) {
  node.onlyKeys({"name", "label", "type", "required", "rule", "codes", "ref", "sensitive",
                 "section", "maxLength", "minimum", "maximum", "import", "boundTo"});
  Field field;
  field.name = node.name("name");
  field.label = node.label("label");
  field.type = readEnum<FieldType>(node.at("type"), 9);
  field.isRequired = node.flag("required");
  field.isSensitive = node.flag("sensitive");
  if (node.has("section")) field.section = node.text("section");

  const bool hasCodes = field.type == FieldType::kCode || field.type == FieldType::kCodes;
  if (hasCodes) field.codes = findList(node.at("codes"));
  if (!hasCodes && node.has("codes")) {
    node.at("codes").fail("fits a field of type code or codes only; remove it");
  }
  if (field.type == FieldType::kRef) {
    node.at("ref");
    field.refKinds = node.texts("ref");
    if (field.refKinds.empty()) node.at("ref").fail("is empty; name the kinds it may point to");
    checkKindNames(node, "ref", false);
  } else if (node.has("ref")) {
    node.at("ref").fail("fits a field of type ref only; remove it");
  }

  const bool isText = field.type == FieldType::kText || field.type == FieldType::kLongText;
  if (!isText && node.has("maxLength")) {
    node.at("maxLength").fail("fits text only; remove it");
  }
  const bool isLong = field.type == FieldType::kLongText;
  const auto length = node.integer("maxLength").value_or(isLong ? kLongTextLength : kTextLength);
  if (length < 1 || length > kMostLength) node.at("maxLength").fail("must be 1 to 50000");
  field.maxLength = isText ? static_cast<std::size_t>(length) : 0;

  field.minimum = node.integer("minimum");
  field.maximum = node.integer("maximum");
  if ((field.minimum || field.maximum) && field.type != FieldType::kInteger) {
    node.fail("has a minimum or maximum, which fits a field of type integer only; remove it");
  }
  if (field.minimum && field.maximum && *field.minimum > *field.maximum) {
    node.at("minimum").fail("is above the maximum");
  }

  field.rule = readEnum<MergeRule>(node.at("rule"), 6);
  if (!fits(field.rule, field)) {
    node.at("rule").fail("\"" + std::string(nameOf(field.rule)) + "\" does not fit the type " +
                         std::string(nameOf(field.type)) +
                         (field.codes ? " unless its code list is ordered" : "") +
                         "; use latest or ask");
  }
  if (node.has("import")) field.import = readFieldImport(node.at("import"), field);
  field.boundTo = node.texts("boundTo");
  return field;
}

void PackReader::readStages(const PackNode& node, Kind& kind) {
  node.onlyKeys({"field", "needs"});
  kind.stageField = node.text("field");
  const Field* field = kind.findField(kind.stageField);
  if (field == nullptr || field->type != FieldType::kCode || field->codes->isOpen) {
    node.at("field").fail("must name a field of type code of this kind, with a closed code list");
  }
  for (const Code& code : field->codes->codes) kind.stages.push_back({code.code, code.label, {}});
  for (const auto& [code, needs] : node.entries("needs")) {
    const auto rank = field->codes->rankOf(code);
    if (!rank) needs.fail("is not a stage; use a code of the stage field's list");
    kind.stages[*rank].needs = node.at("needs").texts(code);
    for (const PackNode& each : node.at("needs").list(code)) {
      if (kind.findField(each.text()) == nullptr) each.fail("names a field that the kind lacks");
    }
  }
}

void PackReader::readImport(const PackNode& node, Kind& kind) {
  node.onlyKeys({"as", "key", "ignore"});
  kind.importNames = node.texts("as");
  kind.importKey = node.texts("key");
  kind.importIgnored = node.texts("ignore");
  for (const PackNode& each : node.list("key")) {
    if (kind.findField(each.text()) == nullptr) each.fail("names a field that the kind lacks");
  }
}

// A set is kept as parts, which have no value of their own to be decided on or bound.
void PackReader::checkBonds(const PackNode& node, const Kind& kind) {
  for (const PackNode& each : node.list("fields")) {
    const std::string name = each.name("name");
    const bool isBound = !each.texts("boundTo").empty();
    if (isBound && isSet(*kind.findField(name))) {
      each.at("boundTo").fail("does not fit a field with the rule unite; remove it");
    }
    for (const PackNode& other : each.list("boundTo")) {
      const Field* const field = kind.findField(other.text());
      if (field == nullptr) other.fail("names a field that the kind lacks");
      if (field->name == name) other.fail("binds the field to itself; remove it");
      if (isSet(*field)) other.fail("names a field with the rule unite; remove it");
    }
  }
}

Kind PackReader::readKind(const PackNode& node) {
  node.onlyKeys({"kind", "name", "root", "global", "parents", "fields", "sections", "stages",
                 "title", "import"});
  Kind kind;
  kind.kind = node.name("kind");
  kind.name = node.label("name");
  kind.isRoot = node.flag("root");
  kind.isGlobal = node.flag("global");
  if (kind.isGlobal && !kind.isRoot) node.at("global").fail("fits a root only; set root");
  kind.parentKinds = node.texts("parents");
  if (kind.isRoot && !kind.parentKinds.empty()) {
    node.at("parents").fail("does not fit a root, which stands under nothing; remove it");
  }
  checkKindNames(node, "parents", true);
  for (const auto& [name, label] : node.entries("sections")) {
    label.checkName(name);
    kind.sections.push_back({name, node.at("sections").label(name)});
  }
  const auto hasSection = [&](const std::string& name) {
    return std::any_of(kind.sections.begin(), kind.sections.end(),
                       [&](const Section& section) { return section.name == name; });
  };
  for (const PackNode& each : node.list("fields")) {
    Field field = readField(each);
    if (kind.findField(field.name) != nullptr) {
      each.at("name").fail("repeats the field \"" + field.name + "\"; remove one");
    }
    if (!field.section.empty() && !hasSection(field.section)) {
      each.at("section").fail("is not a section of the kind; add it under sections");
    }
    kind.fields.push_back(std::move(field));
  }
  if (kind.fields.empty()) node.fail("has no fields; add at least one");
  checkBonds(node, kind);
  kind.titleFields = node.texts("title");
  if (kind.titleFields.empty()) node.fail("needs a title: the fields that head a record");
  for (const PackNode& each : node.list("title")) {
    if (kind.findField(each.text()) == nullptr) each.fail("names a field that the kind lacks");
  }
  if (node.has("stages")) readStages(node.at("stages"), kind);
  if (node.has("import")) readImport(node.at("import"), kind);
  return kind;
}

std::vector<Pack> PackReader::read() {
  for (FileParts& part : parts_) readHead(part);
  std::set<std::string> kinds;
  std::set<std::string> importNames;
  for (FileParts& part : parts_) {
    current_ = &part.pack;
    for (const PackNode& node : part.node.list("kinds")) {
      Kind kind = readKind(node);
      if (!kinds.insert(kind.kind).second) {
        node.at("kind").fail("repeats the kind \"" + kind.kind + "\"; a kind stands in one pack");
      }
      for (const std::string& name : kind.importNames) {
        if (!importNames.insert(name).second) {
          node.at("import").fail("repeats the import name \"" + name + "\"; choose another");
        }
      }
      part.pack.kinds.push_back(std::move(kind));
    }
    if (part.pack.kinds.empty()) part.node.fail("has no kinds; add at least one");
  }
  std::vector<Pack> packs;
  for (FileParts& part : parts_) packs.push_back(std::move(part.pack));
  return packs;
}

}  // namespace

std::vector<Pack> readPacks(const std::map<std::string, std::string>& files) {
  std::map<std::string, Json> parsed;
  for (const auto& [file, text] : files) {
    try {
      parsed[file] = http::parseJson(text);
    } catch (const Failure& failure) {
      throw Failure("programme.invalid", "The programme pack " + file +
                                             " cannot be used: it is not JSON. " + failure.what());
    }
  }
  return PackReader(parsed).read();
}

std::vector<Pack> loadPacks(const std::filesystem::path& directory) {
  std::map<std::string, std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().extension() != ".json") continue;
    std::ifstream stream(entry.path(), std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    if (!stream) {
      throw Failure("programme.invalid",
                    "The programme pack " + entry.path().string() + " cannot be read.");
    }
    files[entry.path().filename().string()] = std::move(text);
  }
  if (error || files.empty()) {
    throw Failure("programme.invalid", "No programme packs (*.json) are in " + directory.string() +
                                           "; install the program again or name their folder.");
  }
  return readPacks(files);
}

}  // namespace waystation::cases
