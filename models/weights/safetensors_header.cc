// The JSON header of a safetensors file, parsed and checked.
#include "models/weights/safetensors_header.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "tensor/base/check.h"
#include "tensor/base/text.h"

namespace giza::models {
namespace {

constexpr size_t kMaxRank = 8;
constexpr int64_t kMaxElements = int64_t{1} << 48;  // beyond any memory; products of sizes stay far from overflow

/// Takes the parser's events one by one. The header has a fixed form, so a state is enough:
/// {"name": {"dtype": "F32", "shape": [..], "data_offsets": [b, e]}, "__metadata__": {"key": "value"}}
class HeaderReader {
 public:
  using Json = nlohmann::json;

  HeaderReader(SafetensorsHeader* header, const std::string& place) : header_(header), place_(place) {}

  bool start_object(size_t) {
    if (passes_over(1)) return true;
    switch (state_) {
      case State::start:
        state_ = State::root;
        return true;
      case State::entry:
        state_ = name_ == "__metadata__" ? State::metadata : State::tensor;
        tensor_ = {};
        tensor_.name = name_;
        has_dtype_ = has_shape_ = has_offsets_ = false;
        return true;
      default:
        unexpected("an object");
    }
  }

  bool key(std::string& text) {
    switch (state_) {
      case State::root:
        name_ = text;
        if (!names_.insert(text).second) refuse("the name \"{}\" occurs twice", quotable(text));
        state_ = State::entry;
        return true;
      case State::metadata:
        key_ = text;
        if (header_->metadata.contains(text)) refuse("the metadata key \"{}\" occurs twice", quotable(text));
        state_ = State::metadata_value;
        return true;
      case State::tensor:
        if (text == "dtype" && !has_dtype_) {
          state_ = State::dtype;
          has_dtype_ = true;
        } else if (text == "shape" && !has_shape_) {
          state_ = State::shape;
          has_shape_ = true;
        } else if (text == "data_offsets" && !has_offsets_) {
          state_ = State::offsets;
          has_offsets_ = true;
        } else if (text == "dtype" || text == "shape" || text == "data_offsets") {
          refuse("tensor \"{}\" has the field \"{}\" twice", quotable(name_), text);
        } else {
          if (strange_fields_++ == 0)
            strange_field_ = fmt::format("\"{}\" of tensor \"{}\"", quotable(text), quotable(name_));
          state_ = State::passed_over;
        }
        return true;
      case State::passed_over:
        return true;
      default:
        unexpected("a key");
    }
  }

  bool string(std::string& text) {
    if (passes_over(0)) return true;
    if (state_ == State::metadata_value) {
      header_->metadata.emplace(key_, text);
      state_ = State::metadata;
      return true;
    }
    if (state_ != State::dtype) unexpected("a string");
    const auto* found =
        std::find_if(std::begin(kTypes), std::end(kTypes), [&](const Type& type) { return text == type.name; });
    if (found == std::end(kTypes)) {
      throw Refusal(
          fmt::format("{}: \"{}\" is made of {}, expected F32, F16, BF16, F64 or integers; convert it with .float()",
                      place_, quotable(name_), quotable(text)));
    }
    tensor_.dtype = found->dtype;
    state_ = State::tensor;
    return true;
  }

  bool start_array(size_t) {
    if (passes_over(1)) return true;
    if (state_ == State::shape) {
      state_ = State::shape_list;
    } else if (state_ == State::offsets) {
      state_ = State::offset_list;
      offsets_.clear();
    } else {
      unexpected("a list");
    }
    return true;
  }

  bool number_unsigned(uint64_t value) {
    if (passes_over(0)) return true;
    if (state_ == State::shape_list) {
      if (tensor_.shape.size() == kMaxRank) refuse("tensor \"{}\" has more than {} axes", quotable(name_), kMaxRank);
      if (value > static_cast<uint64_t>(kMaxElements))
        refuse("tensor \"{}\" has an axis of {}", quotable(name_), value);
      tensor_.shape.push_back(static_cast<int64_t>(value));
    } else if (state_ == State::offset_list) {
      if (offsets_.size() == 2) refuse("tensor \"{}\" has more than two data_offsets", quotable(name_));
      offsets_.push_back(value);
    } else {
      unexpected("a number");
    }
    return true;
  }

  bool end_array() {
    if (passes_over(-1)) return true;
    if (state_ == State::offset_list) {
      if (offsets_.size() != 2) refuse("tensor \"{}\" has fewer than two data_offsets", quotable(name_));
      tensor_.begin = offsets_[0];
      tensor_.end = offsets_[1];
    }
    state_ = State::tensor;
    return true;
  }

  bool end_object() {
    if (passes_over(-1)) return true;
    if (state_ == State::tensor) {
      if (!has_dtype_ || !has_shape_ || !has_offsets_) {
        refuse("tensor \"{}\" lacks dtype, shape or data_offsets", quotable(name_));
      }
      finish_tensor();
    }
    state_ = state_ == State::root ? State::end : State::root;
    return true;
  }

  bool null() {
    if (state_ == State::entry && name_ == "__metadata__") {
      state_ = State::root;  // The same as none, for the format's own library as well.
      return true;
    }
    return scalar("null");
  }
  bool boolean(bool) { return scalar("a truth value"); }
  bool number_integer(int64_t) { return scalar("a negative number"); }
  bool number_float(double, const std::string&) { return scalar("a fraction or too large a number"); }
  bool binary(Json::binary_t&) { unexpected("binary data"); }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) {
    refuse("the header is not JSON at byte {}", position);
  }

  bool complete() const { return state_ == State::end; }
  /// What was passed over; empty if nothing was.
  std::string note() const {
    if (strange_fields_ == 0) return {};
    return fmt::format("the header has {} that the format does not know, passed over: {}{}",
                       strange_fields_ == 1 ? "a field" : fmt::format("{} fields", strange_fields_), strange_field_,
                       strange_fields_ == 1 ? "" : ", ...");
  }

 private:
  enum class State {
    start,
    root,
    entry,
    metadata,
    metadata_value,
    tensor,
    dtype,
    shape,
    shape_list,
    offsets,
    offset_list,
    passed_over,
    end
  };
  struct Type {
    const char* name;
    DType dtype;
  };
  static constexpr Type kTypes[] = {
      {"F32", DType::f32}, {"F16", DType::f16}, {"BF16", DType::bf16},   {"F64", DType::f64}, {"I64", DType::i64},
      {"I32", DType::i32}, {"I16", DType::i16}, {"I8", DType::i8},       {"U64", DType::u64}, {"U32", DType::u32},
      {"U16", DType::u16}, {"U8", DType::u8},   {"BOOL", DType::boolean}};

  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    throw Refusal(
        fmt::format("{}: {}; is this a safetensors file?", place_, fmt::format(format, std::forward<Args>(args)...)));
  }
  [[noreturn]] void unexpected(const char* what) const {
    refuse("the header holds {} where it should not (near \"{}\")", what, quotable(name_));
  }

  /// Within the value of a field that the format does not know: true. `deeper` is 1 where a list or an object begins in
  /// it, -1 where one ends.
  bool passes_over(int deeper) {
    if (state_ != State::passed_over) return false;
    depth_ += deeper;
    if (depth_ == 0) state_ = State::tensor;
    return true;
  }
  bool scalar(const char* what) {
    if (passes_over(0)) return true;
    unexpected(what);
  }

  void finish_tensor() {
    int64_t numel = 1;
    for (const int64_t size : tensor_.shape) {
      if (size != 0 && numel > kMaxElements / size) refuse("tensor \"{}\" is too large", quotable(name_));
      numel *= size;
    }
    tensor_.numel = numel;
    const auto bytes = static_cast<uint64_t>(numel * element_size(tensor_.dtype));
    if (tensor_.end < tensor_.begin || tensor_.end - tensor_.begin != bytes) {
      refuse("tensor \"{}\" has data_offsets [{}, {}], but its shape and type need {} bytes", quotable(name_),
             tensor_.begin, tensor_.end, bytes);
    }
    header_->tensors.push_back(std::move(tensor_));
  }

  SafetensorsHeader* header_;
  const std::string& place_;
  State state_ = State::start;
  std::string name_, key_;
  std::set<std::string> names_;
  TensorEntry tensor_;
  std::vector<uint64_t> offsets_;
  int64_t strange_fields_ = 0, depth_ = 0;
  std::string strange_field_;  // the first
  bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
};

/// The tensors cover [0, data_bytes) once.
void check_cover(const SafetensorsHeader& header, uint64_t data_bytes, const std::string& place) {
  std::vector<const TensorEntry*> sorted;
  sorted.reserve(header.tensors.size());
  for (const TensorEntry& tensor : header.tensors) sorted.push_back(&tensor);
  std::sort(sorted.begin(), sorted.end(), [](const TensorEntry* a, const TensorEntry* b) {
    return a->begin != b->begin ? a->begin < b->begin : a->end < b->end;
  });
  uint64_t covered = 0;
  for (const TensorEntry* tensor : sorted) {
    check<Refusal>(tensor->begin == covered,
                   "{}: the data of a tensor begins at byte {}, expected {}: data must not overlap or leave holes",
                   place, tensor->begin, covered);
    covered = tensor->end;
  }
  check<Refusal>(covered >= data_bytes,
                 "{}: the file goes on for {} behind the data that its header describes: something was appended, "
                 "or it is corrupt; copy it again",
                 place, counted(static_cast<int64_t>(data_bytes - covered), "byte"));
  check<Refusal>(
      covered == data_bytes,
      "{}: the header describes {} bytes of data, the file holds {}: it is cut off or corrupt; copy it again", place,
      covered, data_bytes);
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, uint64_t data_bytes, const std::string& place) {
  // The format wants { at once and blanks alone at the end; its own library takes what is blank in JSON at both ends.
  constexpr const char* kBlank = " \t\r\n";
  const size_t begin = json.find_first_not_of(kBlank);
  const size_t end = json.find_last_not_of(kBlank);
  check<Refusal>(begin != std::string_view::npos && json[begin] == '{' && json[end] == '}',
                 "{}: the header is not a JSON object; is this a safetensors file?", place);
  SafetensorsHeader header;
  HeaderReader reader(&header, place);
  const bool parsed = nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
  check<Refusal>(parsed && reader.complete(), "{}: the header is not a JSON object; is this a safetensors file?",
                 place);
  check_cover(header, data_bytes, place);
  if (std::string note = reader.note(); !note.empty()) header.notes.push_back(std::move(note));
  return header;
}

}  // namespace giza::models
