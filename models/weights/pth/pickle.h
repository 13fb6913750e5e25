// Python's pickles, read as data: an iterative machine, for which all but an allow-list is opaque. Nothing is ever run.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace giza::models {

/// What a value of a pickle is. A call is a function of the allow-list and its arguments, written down and not made.
enum class PickleKind : uint8_t {
  none,
  boolean,
  integer,
  long_integer,  ///< beyond 64 bits; its bytes are text()
  real,
  text,
  bytes,
  tuple,
  list,
  dict,
  set,
  global,
  call,
  persistent,  ///< what a persistent id stands for: of PyTorch a storage
  foreign,     ///< a type or function outside the allow-list; its name is text()
  opaque       ///< an object that foreign code would make or fill; text() names that code, its contents are not kept
};
/// "a list", "a number", ... for messages.
const char* kind_name(PickleKind kind);

/// A name that a pickle may refer to.
struct PickleGlobal {
  std::string_view name;    ///< "torch._utils._rebuild_tensor_v2"
  bool callable = false;    ///< may stand in a call
  bool makes_dict = false;  ///< called without arguments, or with a type, it is an empty dict that can be filled
};

/// One pickle as a graph of values in an arena, each a few bytes. It refers to the bytes it was read from, which must
/// outlive it. Bounds, far above what a checkpoint needs: 2^20 values, 2^21 places in containers, a stack of 2^16. Time
/// and memory are linear in the bytes, for a value referred to many times is held once. Containers may contain
/// themselves, as Python's do: nobody may follow the graph without a bound.
class Pickle {
 public:
  using Ref = uint32_t;

  /// Reads one pickle of protocol 0 to 5 from the front of `bytes`; `origin` is where in the file they begin. What a
  /// global outside `allowed` makes is opaque, and so is a call whose result is filled or given attributes afterwards:
  /// no foreign code may have a say in what an allowed value is. Throws Refusal "PLACE: ..." for what is no pickle.
  Pickle(std::string_view bytes, std::span<const PickleGlobal> allowed, const std::string& place, uint64_t origin = 0);

  /// Length of the pickle.
  size_t consumed() const { return consumed_; }
  Ref root() const { return root_; }
  /// Values are numbered 0 .. size()-1; a tuple, call or persistent comes after what it holds.
  Ref size() const { return static_cast<Ref>(values_.size()); }

  PickleKind kind(Ref ref) const { return values_[ref].kind; }
  bool is(Ref ref, PickleKind kind) const { return values_[ref].kind == kind; }
  /// Of an integer or boolean.
  int64_t integer(Ref ref) const { return values_[ref].integer; }
  /// Of a text, bytes, long_integer; the name of a global, foreign, or what made an opaque (then fit for a message).
  std::string_view text(Ref ref) const;
  bool is_text(Ref ref, std::string_view text_wanted) const {
    return is(ref, PickleKind::text) && text(ref) == text_wanted;
  }

  /// Number of items of a tuple, list or set, and of pairs of a dict.
  uint32_t count(Ref ref) const { return values_[ref].count; }
  /// The items of a tuple, list or set; of a dict key, value, key, value. At most `most` are returned.
  std::vector<Ref> items(Ref ref, size_t most) const;
  /// Calls body(key, value) for every pair of a dict.
  template <class Body>
  void for_each_pair(Ref dict, Body body) const {
    for (uint32_t cell = values_[dict].chain.head; cell != kNothing;) {
      const Cell& key = cells_[cell];
      const Cell& value = cells_[key.next];
      body(key.value, value.value);
      cell = value.next;
    }
  }

  /// The function of a call.
  std::string_view function(Ref call) const { return allowed_[values_[call].chain.head].name; }
  /// The tuple of arguments of a call, or the id of a persistent.
  Ref argument(Ref ref) const { return values_[ref].chain.tail; }

 private:
  friend class PickleMachine;
  static constexpr uint32_t kNothing = UINT32_MAX;

  struct Chain {
    uint32_t head = kNothing, tail = kNothing;
  };
  struct Value {
    PickleKind kind = PickleKind::none;
    bool fillable = false;  ///< a dict with attributes, as OrderedDict
    uint32_t count = 0;
    union {
      int64_t integer;
      Chain chain;  ///< first and last cell; of text its place; of a call function and arguments; of foreign its name
    };
    Value() : integer(0) {}
  };
  struct Cell {
    Ref value = 0;
    uint32_t next = kNothing;
  };

  std::string_view bytes_;
  std::span<const PickleGlobal> allowed_;
  std::vector<Value> values_;
  std::vector<Cell> cells_;
  std::vector<std::string> foreign_names_;
  Ref root_ = 0;
  size_t consumed_ = 0;
};

}  // namespace giza::models
