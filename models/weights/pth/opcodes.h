// The opcodes of pickles (https://github.com/python/cpython/blob/main/Lib/pickletools.py has their meaning).
#pragma once

namespace giza::models {

/// All opcodes of Python but those for buffers outside the pickle, which no file can have.
enum Opcode : unsigned char {
  // Protocol 0: numbers and texts are lines.
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kDup = '2',
  kFloat = 'F',
  kInt = 'I',
  kLong = 'L',
  kNone = 'N',
  kPersId = 'P',
  kReduce = 'R',
  kString = 'S',
  kUnicode = 'V',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kDict = 'd',
  kGet = 'g',
  kInst = 'i',
  kList = 'l',
  kPut = 'p',
  kSetItem = 's',
  kTuple = 't',
  // Protocol 1.
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kBinPersId = 'Q',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kObj = 'o',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItems = 'u',
  kEmptyDict = '}',
  kEmptyList = ']',
  kEmptyTuple = ')',
  // Protocol 2.
  kProto = 0x80,
  kNewObj = 0x81,
  kExt1 = 0x82,
  kExt2 = 0x83,
  kExt4 = 0x84,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kLong4 = 0x8b,
  // Protocol 3.
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  // Protocol 4.
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kBinBytes8 = 0x8e,
  kEmptySet = 0x8f,
  kAddItems = 0x90,
  kFrozenSet = 0x91,
  kNewObjEx = 0x92,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
  // Protocol 5.
  kByteArray8 = 0x96,
};

}  // namespace giza::models
