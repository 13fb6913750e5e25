// The text form of op cases.
#include "tests/support/op_cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include "tensor/base/check.h"
#include "tensor/ops/conv_work.h"
#include "tensor/profile/field_reader.h"

namespace giza {
namespace {

constexpr std::array<std::pair<CaseData, std::string_view>, 8> kDataNames{{{CaseData::normal, "normal"},
                                                                           {CaseData::integer, "integer"},
                                                                           {CaseData::ties, "ties"},
                                                                           {CaseData::constant, "constant"},
                                                                           {CaseData::offset, "offset"},
                                                                           {CaseData::large, "large"},
                                                                           {CaseData::nan, "nan"},
                                                                           {CaseData::inf, "inf"}}};

void parse_word(OpCase& row, std::string_view word, std::string_view text) {
  if (word == "bias") {
    row.bias = true;
  } else if (word == "relu") {
    row.relu = true;
  } else if (word == "residual") {
    row.residual = true;
  } else if (word == "align") {
    row.align_corners = true;
  } else if (word == "weights") {
    row.class_weights = true;
  } else if (word == "ignored") {
    row.all_ignored = true;
  } else if (word == "ceil") {
    row.ceil = true;
  } else {
    const auto* found = std::find_if(kDataNames.begin(), kDataNames.end(), [&](auto& d) { return d.second == word; });
    check<Error>(found != kDataNames.end(), "op case '{}': unknown word '{}'", text, word);
    row.data = found->first;
  }
}

void parse_fields(OpCase& row, std::string_view fields) {
  row.channels.clear();
  const profile::Field all[] = {{'n', &row.n, 0},
                                {'h', &row.h},
                                {'w', &row.w},
                                {'c', nullptr, 1, nullptr, &row.channels},
                                {'k', &row.k},
                                {'r', &row.kernel_h, 1, &row.kernel_w},
                                {'s', &row.stride},
                                {'d', &row.dilation},
                                {'p', &row.padding, 0},
                                {'b', &row.bins},
                                {'o', &row.out_h, 1, &row.out_w},
                                {'a', &row.output_padding, 0}};
  const std::string seen = profile::read_fields(fields, all, "expected those of tests/support/op_cases.h");
  if (row.channels.empty()) row.channels.push_back(1);
  if (seen.find('p') == std::string::npos) {
    row.padding = profile::same_padding(row.kernel_h, row.kernel_w, row.dilation);
  }
}

}  // namespace

OpCase OpCase::parse(std::string_view text) {
  std::istringstream words{std::string(text)};
  OpCase row;
  std::string fields, word;
  words >> row.op >> fields;
  parse_fields(row, fields);
  while (words >> word) parse_word(row, word, text);
  return row;
}

std::string OpCase::name() const {
  std::string text = op + " ";
  auto field = [&](char letter, int64_t value, int64_t usual) {
    if (value != usual) text += fmt::format("{}{}", letter, value);
  };
  text += fmt::format("n{}", n);
  field('h', h, 1);
  field('w', w, 1);
  for (int64_t part : channels) text += fmt::format("c{}", part);
  field('k', k, 1);
  if (kernel_h != kernel_w) {
    text += fmt::format("r{}x{}", kernel_h, kernel_w);
  } else {
    field('r', kernel_h, 1);
  }
  field('s', stride, 1);
  field('d', dilation, 1);
  field('p', padding, profile::same_padding(kernel_h, kernel_w, dilation));
  field('b', bins, 1);
  field('a', output_padding, 0);
  if (out_h != 1 || out_w != 1) text += fmt::format("o{}x{}", out_h, out_w);
  const std::pair<bool, const char*> words[] = {{bias, "bias"},
                                                {relu, "relu"},
                                                {residual, "residual"},
                                                {align_corners, "align"},
                                                {class_weights, "weights"},
                                                {all_ignored, "ignored"},
                                                {ceil, "ceil"}};
  for (const auto& [set, word] : words) {
    if (set) text += fmt::format(" {}", word);
  }
  for (const auto& [kind, word] : kDataNames) {
    if (kind == data && kind != CaseData::normal) text += fmt::format(" {}", word);
  }
  return text;
}

Shape OpCase::output() const {
  auto size = [&](int64_t in, int64_t kernel) {
    if (ceil) return ops::pool_output_size(in, pool());
    return (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
  };
  return {n, size(h, kernel_h), size(w, kernel_w), op == "conv2d" ? k : c()};
}

double OpCase::macs() const {
  if (op != "conv2d" && op != "linear") return 0;
  return static_cast<double>(output().rows()) * static_cast<double>(k * kernel_h * kernel_w * c());
}

std::vector<OpCase> op_cases(std::string_view op, CaseUse use) {
  std::istringstream lines{std::string(op_case_table(use))};
  std::vector<OpCase> rows;
  std::string line;
  while (std::getline(lines, line)) {
    if (line.substr(0, line.find(' ')) == op) rows.push_back(OpCase::parse(line));
  }
  check<Error>(!rows.empty(), "op case table: no rows for '{}'", op);
  return rows;
}

}  // namespace giza
