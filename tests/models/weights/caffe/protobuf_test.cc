// Files of Caffe as Protocol Buffers itself writes them, by the schema in caffe.proto.
#include <doctest/doctest.h>

#ifdef GIZA_HAVE_PROTOBUF

#include "models/weights/weight_file.h"
#include "tests/models/weights/caffe/caffe.pb.h"
#include "tests/support/temp_folder.h"

namespace giza {
namespace {

TEST_SUITE_BEGIN("needs Protocol Buffers");

void fill(caffe::BlobProto& blob, const std::vector<int64_t>& shape, const std::vector<float>& numbers) {
  for (const int64_t side : shape) blob.mutable_shape()->add_dim(side);
  for (const float number : numbers) {
    blob.add_data(number);
    blob.add_diff(-number);
  }
}

models::WeightFile read(const caffe::NetParameter& network) {
  const TempFolder folder;
  write_bytes(folder.file("w.caffemodel"), network.SerializeAsString());
  return models::read_weights(folder.file("w.caffemodel"));
}

TEST_CASE("caffemodel: what Protocol Buffers writes is read back") {
  caffe::NetParameter network;
  network.set_name("pspnet50");
  network.add_input("data");
  for (const int side : {1, 3, 473, 473}) network.add_input_dim(side);
  std::vector<float> numbers(24000);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = 0.5F * static_cast<float>(i) - 7;
  caffe::LayerParameter& conv = *network.add_layer();
  conv.set_name("conv1");
  conv.set_type("Convolution");
  conv.add_bottom("data");
  conv.add_top("conv1");
  fill(*conv.add_blobs(), {200, 30, 2, 2}, numbers);
  fill(*conv.add_blobs(), {200}, {numbers.begin(), numbers.begin() + 200});
  network.add_layer()->set_name("relu");
  caffe::LayerParameter& product = *network.add_layer();
  product.set_name("fc");
  caffe::BlobProto& legacy = *product.add_blobs();
  legacy.set_num(1);
  legacy.set_channels(1);
  legacy.set_height(2);
  legacy.set_width(2);
  for (const double number : {1.5, -2.5, 1e30, 0.1}) legacy.add_double_data(number);

  const models::WeightFile file = read(network);
  REQUIRE(file.tensors.size() == 3);
  CHECK(file.tensors[0].name == "conv1.blobs.0");
  CHECK(file.tensors[0].shape == std::vector<int64_t>{200, 30, 2, 2});
  CHECK(file.tensors[0].data == numbers);
  CHECK(file.tensors[1].name == "conv1.blobs.1");
  CHECK(file.tensors[1].data.size() == 200);
  CHECK(file.tensors[2].shape == std::vector<int64_t>{1, 1, 2, 2});
  CHECK(file.tensors[2].data == std::vector<float>{1.5F, -2.5F, 1e30F, 0.1F});
}

TEST_CASE("caffemodel: layers of the old format, as Protocol Buffers writes them") {
  caffe::NetParameter network;
  network.set_name("old");
  for (const char* name : {"conv1", "conv2"}) {
    caffe::V1LayerParameter& layer = *network.add_layers();
    layer.add_bottom("data");
    layer.add_top(name);
    layer.set_name(name);
    layer.set_type(4);
    fill(*layer.add_blobs(), {2, 1, 1, 1}, {1, 2});
  }
  const models::WeightFile file = read(network);
  REQUIRE(file.tensors.size() == 2);
  CHECK(file.tensors[1].name == "conv2.blobs.0");
  CHECK(file.tensors[1].data == std::vector<float>{1, 2});
}

TEST_SUITE_END();

}  // namespace
}  // namespace giza

#else

#include "tests/support/skip.h"

TEST_CASE("caffemodel: what Protocol Buffers writes" * doctest::test_suite("needs Protocol Buffers")) {
  giza::skip_test("built without Protocol Buffers");
}

#endif
