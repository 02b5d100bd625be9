#include "server/cases/pack_node.h"

#include <algorithm>

#include "crypto/failure.h"
#include "server/cases/text_check.h"

namespace waystation::cases {

namespace {

bool isLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool isNameCharacter(char c) {
  return isLetter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

}  // namespace

void PackNode::fail(const std::string& what) const {
  throw Failure("programme.invalid", "The programme pack " + file_ + " cannot be used: " +
                                         (path_.empty() ? "the file" : path_) + " " + what + ".");
}

PackNode PackNode::child(std::string path, const Json& value) const {
  PackNode node(file_, value);
  node.path_ = std::move(path);
  return node;
}

void PackNode::onlyKeys(std::initializer_list<std::string_view> allowed) const {
  if (!value_->is_object()) fail("must be an object { ... }");
  for (const auto& [key, value] : value_->items()) {
    if (std::find(allowed.begin(), allowed.end(), key) == allowed.end()) {
      fail("has a key \"" + key + "\" that is not known; correct or remove it");
    }
  }
}

bool PackNode::has(std::string_view key) const {
  return value_->contains(key);
}

PackNode PackNode::at(std::string_view key) const {
  const auto found = value_->find(key);
  if (found == value_->end()) fail("needs \"" + std::string(key) + "\"; add it");
  return child(path_.empty() ? std::string(key) : path_ + "." + std::string(key), *found);
}

std::vector<PackNode> PackNode::list(std::string_view key) const {
  std::vector<PackNode> nodes;
  if (!has(key)) return nodes;
  const PackNode node = at(key);
  if (!node.value_->is_array()) node.fail("must be a list [ ... ]");
  for (std::size_t i = 0; i < node.value_->size(); ++i) {
    nodes.push_back(child(node.path_ + "[" + std::to_string(i) + "]", (*node.value_)[i]));
  }
  return nodes;
}

std::vector<std::pair<std::string, PackNode>> PackNode::entries(std::string_view key) const {
  std::vector<std::pair<std::string, PackNode>> pairs;
  if (!has(key)) return pairs;
  const PackNode node = at(key);
  if (!node.value_->is_object()) node.fail("must be an object { ... }");
  for (const auto& [name, value] : node.value_->items()) {
    pairs.emplace_back(name, child(node.path_ + "." + name, value));
  }
  return pairs;
}

std::string PackNode::text() const {
  if (!value_->is_string()) fail("must be text");
  const std::string& text = value_->get_ref<const std::string&>();
  if (trimmed(text).empty()) fail("is empty; fill it in");
  if (checkText(text, false).fault) fail("holds a control character; remove it");
  return text;
}

std::vector<std::string> PackNode::texts(std::string_view key) const {
  std::vector<std::string> texts;
  for (const PackNode& node : list(key)) {
    texts.push_back(node.text());
    if (std::count(texts.begin(), texts.end(), texts.back()) > 1) {
      node.fail("repeats \"" + texts.back() + "\"; remove one");
    }
  }
  return texts;
}

bool PackNode::flag(std::string_view key) const {
  if (!has(key)) return false;
  const PackNode node = at(key);
  if (!node.value_->is_boolean()) node.fail("must be true or false");
  return node.value_->get<bool>();
}

std::optional<std::int64_t> PackNode::integer(std::string_view key) const {
  if (!has(key)) return std::nullopt;
  const PackNode node = at(key);
  if (!node.value_->is_number_integer()) node.fail("must be a whole number");
  return node.value_->get<std::int64_t>();
}

Label PackNode::label(std::string_view key) const {
  const PackNode node = at(key);
  node.onlyKeys({"en", "fr", "es", "ar"});
  return {node.text("en"), node.text("fr"), node.text("es"), node.text("ar")};
}

std::string PackNode::name(std::string_view key) const {
  const PackNode node = at(key);
  std::string name = node.text();
  node.checkName(name);
  return name;
}

void PackNode::checkName(const std::string& name) const {
  if (name[0] == '_') {
    fail("is \"" + name + "\": names that begin with '_' belong to the server; choose another");
  }
  const bool isGood = isLetter(name[0]) && name.size() <= 64 &&
                      std::all_of(name.begin(), name.end(), isNameCharacter);
  if (!isGood) {
    fail("is not a name: use a letter, then letters, digits, '_' or '-', 64 at most");
  }
}

}  // namespace waystation::cases
