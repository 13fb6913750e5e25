// The table of keys: its documentation, keys newer than checkpoints, and the types of some.
#include "train/config/keys.h"

#include <doctest/doctest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tensor/base/check.h"

namespace giza::train {

TEST_CASE("the table has no key twice and documents every one") {
  std::set<std::string> names;
  for (const Key& key : config_keys()) {
    CAPTURE(key.full_name());
    CHECK(names.insert(key.full_name()).second);
    CHECK(std::string(key.doc) != "");
    CHECK(help_keys().find(key.full_name()) != std::string::npos);
    CHECK(keys_as_markdown().find("`" + std::string(key.name) + "`") != std::string::npos);
  }
}

TEST_CASE("docs/configuration.md lists the table's keys") {
  std::ifstream file(std::string(GIZA_SOURCE_DIR) + "/docs/configuration.md");
  std::ostringstream page;
  page << file.rdbuf();
  // Where this fails, put the output of `giza train --keys-as-markdown` under the page's introduction.
  CHECK(page.str().ends_with(keys_as_markdown()));
}

TEST_CASE("keys that are newer than checkpoints are no part of the settings at their defaults") {
  const auto settings = [](const std::vector<std::string>& words) {
    return training_settings(parse_config("", "f", words));
  };
  const std::string base = settings({});
  CHECK(base.find("stride_in") == std::string::npos);
  CHECK(settings({"stride_in", "3x3", "ceil_pool", "false", "DATA.mean", "[]"}) == base);
  CHECK(settings({"stride_in", "1x1"}).find("TRAIN.stride_in='1x1'\n") != std::string::npos);
  CHECK(settings({"ceil_pool", "true"}) != base);
  CHECK(settings({"DATA.mean", "[123.68, 116.779, 103.939]"}).find("DATA.mean=[123.68, 116.779, 103.939]\n") !=
        std::string::npos);
}

TEST_CASE("mean and std are three numbers on the scale of 0 to 255") {
  CHECK(parse_config("DATA: {std: [1, 1, 1]}", "f").data.std == std::vector<double>{1, 1, 1});
  for (const char* wrong : {"std: [0.229, 0.224, 0.225]", "mean: [1, 2]", "mean: 100", "mean: [0, 0, 256]"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(parse_config(std::string("DATA: {") + wrong + "}", "f"), giza::Refusal);
  }
}

TEST_CASE("an option of a network that is a whole number takes no fraction") {
  const auto fov_rate = [](const std::string& value) {
    return parse_config("TRAIN: {arch: largefov, fov_rate: " + value + "}", "f").train.network.at("fov_rate");
  };
  CHECK(fov_rate("4") == models::Setting(4));
  CHECK_THROWS_WITH_AS(fov_rate("4.5"), "f:1: TRAIN.fov_rate is \"4.5\", expected an integer from 1 to 256",
                       giza::Refusal);
}

}  // namespace giza::train
