#include "server/cases/programme_pack.h"

#include <algorithm>
#include <array>

#include "crypto/failure.h"

namespace waystation::cases {

namespace {

Json toJson(const Label& label) {
  return {{"en", label.en}, {"fr", label.fr}, {"es", label.es}, {"ar", label.ar}};
}

Json toJson(const Field& field) {
  Json json = {{"name", field.name},
               {"label", toJson(field.label)},
               {"type", nameOf(field.type)},
               {"required", field.isRequired},
               {"rule", nameOf(field.rule)}};
  if (field.codes) {
    Json codes = Json::array();
    for (const Code& code : field.codes->codes) {
      codes.push_back({{"code", code.code}, {"label", toJson(code.label)}});
    }
    json["codes"] = std::move(codes);
    json["open"] = field.codes->isOpen;
  }
  if (!field.refKinds.empty()) json["ref"] = field.refKinds;
  if (!field.boundTo.empty()) json["boundTo"] = field.boundTo;
  if (field.isSensitive) json["sensitive"] = true;
  if (!field.section.empty()) json["section"] = field.section;
  if (field.maxLength != 0) json["maxLength"] = field.maxLength;
  if (field.minimum) json["minimum"] = *field.minimum;
  if (field.maximum) json["maximum"] = *field.maximum;
  return json;
}

Json toJson(const Kind& kind) {
  Json json = {{"kind", kind.kind},       {"name", toJson(kind.name)}, {"root", kind.isRoot},
               {"global", kind.isGlobal}, {"fields", Json::array()},   {"title", kind.titleFields}};
  for (const Field& field : kind.fields) json["fields"].push_back(toJson(field));
  if (!kind.parentKinds.empty()) json["parents"] = kind.parentKinds;
  if (!kind.stages.empty()) {
    json["stageField"] = kind.stageField;
    json["stages"] = Json::array();
    for (const Stage& stage : kind.stages) {
      json["stages"].push_back(
          {{"code", stage.code}, {"label", toJson(stage.label)}, {"needs", stage.needs}});
    }
  }
  if (!kind.sections.empty()) {
    json["sections"] = Json::array();
    for (const Section& section : kind.sections) {
      json["sections"].push_back({{"section", section.name}, {"label", toJson(section.label)}});
    }
  }
  return json;
}

bool isEmpty(const Json& fields, const std::string& name) {
  const auto found = fields.find(name);
  return found == fields.end() || found->is_null();
}

[[noreturn]] void failRequired(const Kind& kind, const std::string& field, const char* why) {
  throw Failure("case.field-required",
                "The field \"" + field + "\" of \"" + kind.kind + "\" " + why + ".");
}

}  // namespace

std::string_view nameOf(FieldType type) {
  constexpr std::array<std::string_view, 9> kNames = {
      "text", "longtext", "date", "integer", "boolean", "code", "codes", "ref", "place"};
  return kNames.at(static_cast<std::size_t>(type));
}

std::string_view nameOf(MergeRule rule) {
  constexpr std::array<std::string_view, 6> kNames = {
      "latest", "most-restrictive", "highest", "lowest", "unite", "ask"};
  return kNames.at(static_cast<std::size_t>(rule));
}

std::optional<std::size_t> CodeList::rankOf(std::string_view code) const {
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (codes[i].code == code) return i;
  }
  return std::nullopt;
}

const Field* Kind::findField(std::string_view field) const {
  const auto found = std::find_if(fields.begin(), fields.end(),
                                  [&](const Field& each) { return each.name == field; });
  return found == fields.end() ? nullptr : &*found;
}

Programmes::Programmes(std::vector<Pack> packs) : packs_(std::move(packs)) {}

const Kind* Programmes::findKind(std::string_view kind) const {
  for (const Pack& pack : packs_) {
    for (const Kind& each : pack.kinds) {
      if (each.kind == kind) return &each;
    }
  }
  return nullptr;
}

const Pack* Programmes::findPackOf(std::string_view kind) const {
  for (const Pack& pack : packs_) {
    for (const Kind& each : pack.kinds) {
      if (each.kind == kind) return &pack;
    }
  }
  return nullptr;
}

const Pack* Programmes::findPack(std::string_view id) const {
  for (const Pack& pack : packs_) {
    if (pack.id == id) return &pack;
  }
  return nullptr;
}

const Kind* Programmes::findImportKind(std::string_view name) const {
  for (const Pack& pack : packs_) {
    for (const Kind& each : pack.kinds) {
      const auto& names = each.importNames;
      if (std::find(names.begin(), names.end(), name) != names.end()) return &each;
    }
  }
  return findKind(name);
}

const Kind& Programmes::kind(std::string_view kind) const {
  const Kind* found = findKind(kind);
  if (found == nullptr) {
    throw Failure("case.kind-unknown", "No programme of this server has records of the kind \"" +
                                           std::string(kind) + "\".");
  }
  return *found;
}

void Programmes::checkEdit(std::string_view kindName, const Json& fields) const {
  const Kind& kind = this->kind(kindName);
  if (!fields.is_object()) {
    throw Failure("case.value-invalid", "The fields of a record must be a JSON object.");
  }
  for (const auto& [name, value] : fields.items()) {
    const Field* field = kind.findField(name);
    if (field == nullptr) {
      throw Failure("case.field-unknown",
                    "Records of the kind \"" + kind.kind + "\" have no field \"" + name + "\".");
    }
    checkValue(*field, value);
  }
}

void Programmes::checkNewRecord(std::string_view kindName, const Json& fields) const {
  checkEdit(kindName, fields);
  const Kind& kind = this->kind(kindName);
  for (const Field& field : kind.fields) {
    if (field.isRequired && isEmpty(fields, field.name)) {
      failRequired(kind, field.name, "must be filled in");
    }
  }
  checkStage(kind, fields);
}

void Programmes::checkStage(const Kind& kind, const Json& fields) const {
  if (kind.stages.empty() || isEmpty(fields, kind.stageField)) return;
  for (const Stage& stage : kind.stages) {
    if (fields.at(kind.stageField) != stage.code) continue;
    for (const std::string& needed : stage.needs) {
      if (isEmpty(fields, needed)) {
        failRequired(kind, needed,
                     ("must be filled in at the stage \"" + stage.code + "\"").c_str());
      }
    }
  }
}

Json Programmes::describe(const Pack& pack) {
  Json json = {{"id", pack.id},
               {"version", pack.version},
               {"name", toJson(pack.name)},
               {"sealed", pack.isSealed},
               {"kinds", Json::array()}};
  if (!pack.source.empty()) json["source"] = pack.source;
  for (const Kind& kind : pack.kinds) json["kinds"].push_back(toJson(kind));
  return json;
}

std::set<std::pair<std::string, std::string>> Programmes::urgentValues() const {
  std::set<std::pair<std::string, std::string>> urgent;
  for (const Pack& pack : packs_) {
    for (const Kind& kind : pack.kinds) {
      for (const Field& field : kind.fields) {
        if (field.type != FieldType::kCode) continue;
        for (const Code& code : field.codes->codes) {
          if (code.isUrgent) urgent.emplace(field.name, '"' + code.code + '"');
        }
      }
    }
  }
  return urgent;
}

Json Programmes::describe() const {
  Json json = Json::array();
  for (const Pack& pack : packs_) json.push_back(describe(pack));
  return json;
}

}  // namespace waystation::cases
