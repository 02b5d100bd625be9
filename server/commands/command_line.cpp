#include "server/commands/command_line.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <sstream>

namespace waystation::commands {
namespace {

const Option* findOption(const CommandForm& form, std::string_view name) {
  const auto found = std::find_if(form.options.begin(), form.options.end(),
                                  [&](const Option& option) { return option.name == name; });
  return found == form.options.end() ? nullptr : &*found;
}

std::string kept(const Option& option, const std::string& value) {
  if (option.isPath) return std::filesystem::absolute(value).lexically_normal().string();
  return value;
}

// Takes the option at `at`, and its value where that is a word of its own.
void takeOption(const CommandForm& form, const std::vector<std::string>& words, std::size_t& at,
                Options& options) {
  const std::string_view word = std::string_view(words[at]).substr(2);
  const std::size_t equals = word.find('=');
  const std::string name(word.substr(0, equals));
  const Option* option = findOption(form, name);
  if (option == nullptr) {
    throw WrongUsage("`" + form.words + "` does not know the option --" + name + ".");
  }
  if (options.has(name)) throw WrongUsage("The option --" + name + " is given twice.");
  if (option->value.empty()) {
    if (equals != std::string::npos) throw WrongUsage("The option --" + name + " takes no value.");
    options.set(name, "");
    return;
  }
  std::string value;
  if (equals != std::string::npos) {
    value = word.substr(equals + 1);
  } else if (at + 1 < words.size()) {
    value = words[++at];
  }
  if (value.empty()) {
    throw WrongUsage("The option --" + name + " wants a value: --" + name + " " + option->value +
                     ".");
  }
  options.set(name, kept(*option, value));
}

std::string shown(const Option& option) {
  return "--" + option.name + (option.value.empty() ? "" : " " + option.value);
}

}  // namespace

std::string Options::text(std::string_view name) const {
  return find(name).value_or("");
}

std::optional<std::string> Options::find(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

std::optional<std::int64_t> Options::number(std::string_view name, std::int64_t least,
                                            std::int64_t most) const {
  const std::optional<std::string> given = find(name);
  if (!given) return std::nullopt;
  std::int64_t value = 0;
  const char* end = given->data() + given->size();
  const auto [stopped, error] = std::from_chars(given->data(), end, value);
  if (error != std::errc{} || stopped != end || value < least || value > most) {
    throw WrongUsage("The option --" + std::string(name) + " wants a whole number from " +
                     std::to_string(least) + " to " + std::to_string(most) + ".");
  }
  return value;
}

std::vector<std::string> Options::list(std::string_view name) const {
  std::vector<std::string> parts;
  std::istringstream stream(text(name));
  for (std::string part; std::getline(stream, part, ',');) {
    if (part.empty()) throw WrongUsage("The option --" + std::string(name) + " has an empty part.");
    parts.push_back(std::move(part));
  }
  return parts;
}

Options parseOptions(const CommandForm& form, const std::vector<std::string>& words) {
  Options options;
  if (std::any_of(words.begin(), words.end(),
                  [](const std::string& word) { return word == "--help" || word == "-h"; })) {
    options.set("help", "");
    return options;
  }
  std::size_t arguments = 0;
  for (std::size_t at = 0; at < words.size(); ++at) {
    if (words[at].starts_with("--")) {
      takeOption(form, words, at, options);
    } else if (arguments < form.arguments.size()) {
      const Option& argument = form.arguments[arguments++];
      options.set(argument.name, kept(argument, words[at]));
    } else {
      throw WrongUsage("`" + form.words + "` does not know what to do with \"" + words[at] + "\".");
    }
  }
  if (arguments < form.arguments.size()) {
    throw WrongUsage("`" + form.words + "` wants " + form.arguments[arguments].value + ": " +
                     form.arguments[arguments].help + ".");
  }
  for (const Option& option : form.options) {
    if (option.isRequired && !options.has(option.name)) {
      throw WrongUsage("`" + form.words + "` wants " + shown(option) + ": " + option.help + ".");
    }
  }
  return options;
}

std::string usageOf(const CommandForm& form) {
  std::string usage = "usage: waystation " + form.words;
  for (const Option& option : form.options) {
    if (option.isRequired) usage.append(" ").append(shown(option));
  }
  for (const Option& argument : form.arguments) usage.append(" ").append(argument.value);
  usage += " [OPTIONS]\n" + form.summary + "\n\n";
  std::size_t width = 0;
  for (const Option& argument : form.arguments) width = std::max(width, argument.value.size());
  for (const Option& option : form.options) width = std::max(width, shown(option).size());
  const auto line = [&](const std::string& left, const std::string& right) {
    std::string padded = left;
    padded.resize(width + 2, ' ');
    usage += "  ";
    usage += padded;
    usage += right;
    usage += '\n';
  };
  for (const Option& argument : form.arguments) line(argument.value, argument.help);
  for (const Option& option : form.options) {
    if (!option.help.empty()) line(shown(option), option.help);
  }
  if (!form.notes.empty()) usage += "\n" + form.notes + "\n";
  return usage;
}

}  // namespace waystation::commands
