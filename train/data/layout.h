// Pictures and label files of the known data sets, found by the folder layout in which they are distributed.
#pragma once

#include <string>
#include <vector>

#include "tensor/base/check.h"
#include "train/data/known_datasets.h"
#include "train/data/list.h"

namespace giza::train {

/// Which part of a data set.
enum class Split { train, val, test };
/// "train", "val" or "test".
const char* split_name(Split split);

/// A part of a data set as its folders hold it.
struct Layout {
  std::string place;               ///< the folder or list that was read, for messages
  std::vector<ListEntry> entries;  ///< sorted by name, or in the order of the data set's own list
  std::string note;                ///< what was chosen where there was a choice, or passed over; may be empty
};

/// The part of a data set is not there at all.
class MissingPart : public Refusal {
 public:
  using Refusal::Refusal;
};

/// Finds the pictures of `split` below `root`, which is the data set's own folder or one that contains it:
///   ade20k      images/{training,validation}/*.jpg, annotations/{training,validation}/*.png; test: images/testing
///   voc2012     JPEGImages, SegmentationClass, and ImageSets/Segmentation/{train,val,test}.txt with an id per line;
///               for training train_aug.txt or trainaug.txt with the SBD labels in SegmentationClassAug, where both are
///   cityscapes  leftImg8bit/{train,val,test}/CITY/*_leftImg8bit.png, gtFine/.../*_gtFine_labelIds.png; where no
///               picture of the part has those, *_gtFine_labelTrainIds.png
///   camvid      {train,val,test} and {train,val,test}annot with the same file names
/// Split::test gives no labels. Throws MissingPart that names the missing folder and the layout, and Refusal for one
/// that is empty. Label files are not looked for one by one: check_list_files does that.
Layout read_layout(const KnownDataset& dataset, const std::string& root, Split split);

/// True if a label file's name says that it holds Cityscapes' trainIds, that is classes, whatever the label map says of
/// labelIds.
bool holds_train_ids(const std::string& label);

}  // namespace giza::train
