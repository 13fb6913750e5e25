// Builds the tree from yaml-cpp's events: YAML::Load would merge duplicate keys and expand aliases silently.
#include "train/config/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <iterator>
#include <sstream>
#include <utility>

#include "tensor/base/check.h"
#include "tensor/base/text.h"

namespace giza::train {
namespace {

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(const std::string& name, std::string_view text) : name_(name), text_(text) {}

  YamlNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 1) return;
    const auto at = static_cast<size_t>(mark.pos);
    refuse(mark.line + 1,
           at < text_.size() && text_.substr(at).starts_with("---")
               ? "a second YAML document begins here, expected one"
               : "text behind the end of the file's one list or value, expected sections such as `TRAIN:` "
                 "with lines `key: value`");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { add(make(YamlNode::Kind::null, mark)); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(mark.line + 1, "YAML aliases (*name) are not read here, write the value out");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& value) override {
    YamlNode node = make(YamlNode::Kind::scalar, mark);
    check_tag(mark, tag);
    node.text = value;
    node.quoted = tag == "!";
    if (node.quoted) check_closed(mark);
    if (!node.quoted && is_null_word(value)) node.kind = YamlNode::Kind::null;
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(make(YamlNode::Kind::list, mark));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(make(YamlNode::Kind::map, mark));
  }
  void OnMapEnd() override { close(); }

 private:
  /// A container under construction; of a map, the key whose value comes next.
  struct Open {
    YamlNode node;
    YamlNode key;
    bool has_key = false;
  };

  [[noreturn]] void refuse(int line, const std::string& what) const {
    throw Refusal(fmt::format("{}:{}: {}", name_, line, what));
  }
  void check_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (!tag.empty() && tag != "?" && tag != "!")
      refuse(mark.line + 1, "YAML tags (!name) are not read here, remove it");
  }
  /// Throws Refusal if the quote that opens at the mark is never closed: yaml-cpp takes the rest of the file for its
  /// text.
  void check_closed(const YAML::Mark& mark) const {
    auto at = static_cast<size_t>(mark.pos);
    if (at >= text_.size() || (text_[at] != '"' && text_[at] != '\'')) return;
    const char quote = text_[at++];
    for (; at < text_.size(); ++at) {
      if (quote == '"' && text_[at] == '\\') {
        ++at;
      } else if (text_[at] == quote) {
        if (quote == '"' || at + 1 >= text_.size() || text_[at + 1] != quote) return;
        ++at;  // '' is a quote inside of single ones
      }
    }
    refuse(mark.line + 1, "the quote that opens here is never closed");
  }
  static YamlNode make(YamlNode::Kind kind, const YAML::Mark& mark) {
    YamlNode node;
    node.kind = kind;
    node.line = mark.line + 1;
    return node;
  }
  void open(YamlNode node) {
    if (stack_.size() >= kMaxYamlDepth) {
      refuse(node.line, fmt::format("nested deeper than {} levels, a configuration needs 3", kMaxYamlDepth));
    }
    stack_.push_back({std::move(node), {}, false});
  }
  void close() {
    YamlNode node = std::move(stack_.back().node);
    stack_.pop_back();
    add(std::move(node));
  }
  void add(YamlNode node) {
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& top = stack_.back();
    if (top.node.kind == YamlNode::Kind::list) {
      top.node.items.push_back(std::move(node));
    } else if (!top.has_key) {
      check_key(top.node, node);
      top.key = std::move(node);
      top.has_key = true;
    } else {
      top.node.entries.push_back({std::move(top.key), std::move(node)});
      top.has_key = false;
    }
  }
  void check_key(const YamlNode& map, const YamlNode& key) const {
    if (key.kind != YamlNode::Kind::scalar) {
      refuse(key.line, "a key must be a word, followed by ': '");
    }
    if (map.entries.size() >= kMaxYamlEntries) {
      refuse(key.line, fmt::format("more than {} keys in one section", kMaxYamlEntries));
    }
    for (const auto& [other, value] : map.entries) {
      if (other.text == key.text) {
        refuse(key.line, fmt::format("duplicate key {}, first given on line {}, remove one",
                                     quote_for_message(key.text), other.line));
      }
    }
  }

  const std::string& name_;
  int documents_ = 0;
  std::string_view text_;  // without a byte order mark, as marks count
  YamlNode root_;
  std::vector<Open> stack_;
};

}  // namespace

namespace {

/// True where `is` holds for one of the lines up to number `last`, from 0.
template <class Is>
bool any_line(std::string_view text, int last, const Is& is) {
  for (int line = 0; line <= last && !text.empty(); ++line) {
    if (is(text.substr(0, text.find('\n')))) return true;
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
  return false;
}

/// The library's message about line `line`, from 0, with what people know it by.
std::string yaml_fault(const std::string& message, std::string_view text, int line) {
  struct Fault {
    std::string_view library;
    const char* ours;
  };
  constexpr Fault kFaults[] = {
      {"illegal map value",
       "\": \" where no key can stand: is the line indented as those beside it, with all of its text "
       "in quotes if that holds \": \"?"},
      {"end of map flow not found", "a { without its }"},
      {"end of sequence flow not found", "a [ without its ]"},
      {"unknown escape character",
       "in double quotes a backslash begins a sign of its own; put the text in single quotes"},
      {"illegal block entry", "\"- \" where no entry of a list can stand: is the line indented as those beside it?"},
      {"end of map not found", "the line is indented less than those before it, and more than their section"},
  };
  if (any_line(text, line, [](std::string_view each) {
        return each.substr(0, each.find_first_not_of(" \t")).find('\t') != std::string_view::npos;
      })) {
    return "a line is indented by a tab; indent by blanks";
  }
  std::string fault = message;
  for (const Fault& words : kFaults) {
    if (message.starts_with(words.library)) fault = words.ours;
  }
  const bool slashes = any_line(text, line, [](std::string_view each) { return trimmed(each).starts_with("//"); });
  return slashes ? fault + "; a comment begins with #, not with //" : fault;
}

}  // namespace

bool is_null_word(std::string_view text) {
  constexpr std::string_view kWords[] = {"~", "null", "Null", "NULL", "None"};
  return std::find(std::begin(kWords), std::end(kWords), text) != std::end(kWords);
}

std::string quote_for_message(std::string_view text) { return '"' + quotable(text, 60) + '"'; }

std::string yaml_quoted(const std::string& text) {
  std::string result = "'";
  for (char c : text) result += c == '\'' ? "''" : std::string(1, c);
  return result + "'";
}

YamlNode parse_yaml(std::string_view text, const std::string& name) {
  check<Refusal>(text.size() <= kMaxYamlBytes, "{}: larger than {} KB, not a configuration", name,
                 kMaxYamlBytes / 1024);
  text = without_byte_order_mark(text, name);
  const size_t zero = text.find('\0');
  check<Refusal>(zero == std::string_view::npos, "{}: holds a zero byte at offset {}, expected YAML text", name, zero);
  std::string lines(text);
  std::replace(lines.begin(), lines.end(), line_end(lines), '\n');
  std::istringstream stream(lines);
  TreeBuilder builder(name, lines);
  try {
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) return {};
    YamlNode root = builder.take();
    parser.HandleNextDocument(builder);  // which refuses it
    return root;
  } catch (const YAML::Exception& error) {
    throw Refusal(fmt::format("{}:{}: not valid YAML: {}", name, error.mark.line + 1,
                              yaml_fault(error.msg, lines, error.mark.line)));
  }
}

}  // namespace giza::train
