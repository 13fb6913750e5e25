// report.html: what is on the page, what cannot get onto it, and when a run writes it.
#include "train/report/html_report.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/train/report/report_testing.h"
#include "tests/train/tiny_set.h"
#include "train/config/parts.h"
#include "train/data/image/jpeg.h"
#include "train/draw/embedded_image.h"
#include "train/report/run_history.h"
#include "train/report/run_report.h"
#include "train/trainer.h"

namespace giza::train {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

/// The tags of a page in their order, "/p" for a closing one, without what stands inside of style and script.
std::vector<std::string> tags_of(const std::string& html) {
  std::vector<std::string> tags;
  for (size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at)) {
    size_t end = ++at;
    if (end < html.size() && html[end] == '/') ++end;
    while (end < html.size() && is_letter(html[end])) ++end;
    const std::string tag = html.substr(at, end - at);
    at = end;
    if (tag.empty() || tag == "/") continue;
    tags.push_back(tag);
    if (tag == "style" || tag == "script") at = html.find("</" + tag, at);
  }
  return tags;
}

/// What src and href attributes lead to.
std::vector<std::string> addresses_of(const std::string& html) {
  std::vector<std::string> addresses;
  for (const std::string attribute : {" src=", " href="}) {
    for (size_t at = html.find(attribute); at != std::string::npos; at = html.find(attribute, at)) {
      at += attribute.size();
      addresses.push_back(html.substr(at, 8));
    }
  }
  return addresses;
}

TEST_CASE("report: texts from files stay texts") {
  const Evaluation evaluation = striped_evaluation(12, 6);
  const std::string html = html_report(report_data(&evaluation));
  // The hostile texts are there, escaped, and nothing of them is markup. The page's own scripts: its code, and the
  // points of its line charts.
  CHECK(contains(html, "&lt;script&gt;document.title=&#39;broken&#39;&lt;/script&gt;"));
  CHECK_FALSE(contains(html, "<script>document"));
  CHECK_FALSE(contains(html, "<img src=x"));
  CHECK_FALSE(contains(html, "\xff"));
  const std::vector<std::string> tags = tags_of(html);
  CHECK(std::count(tags.begin(), tags.end(), "script") == 1 + 5);
  CHECK(std::count(tags.begin(), tags.end(), "img") == 4 * 6);
}

TEST_CASE("report: every element is closed, and headings follow each other") {
  const Evaluation evaluation = striped_evaluation(12, 6);
  std::vector<std::string> open;
  char level = '0';
  for (const std::string& tag : tags_of(html_report(report_data(&evaluation)))) {
    if (tag == "meta" || tag == "img") continue;
    static const std::string kEmpty[] = {"line", "rect", "circle", "path"};
    if (std::find(std::begin(kEmpty), std::end(kEmpty), tag.substr(tag[0] == '/')) != std::end(kEmpty)) continue;
    if (tag[0] == '/') {
      REQUIRE(!open.empty());
      CHECK(open.back() == tag.substr(1));
      open.pop_back();
      continue;
    }
    open.push_back(tag);
    if (tag.size() == 2 && tag[0] == 'h' && tag[1] >= '1' && tag[1] <= '6') {
      CHECK(tag[1] <= level + 1);
      level = tag[1];
    }
  }
  CHECK(open.empty());
}

TEST_CASE("report: numbers stand beside their protocols, and nothing is fetched") {
  const Evaluation evaluation = striped_evaluation(12, 6);
  ReportData data = report_data(&evaluation);
  const std::string html = html_report(data);
  CHECK(contains(html, "tiles 473x473 at stride rate 0.667, mirrored"));
  CHECK(contains(html, "The protocols differ"));
  CHECK(contains(html, "Only 6 pictures"));
  // The hostile texts hold an address of their own, which is no markup.
  const std::vector<std::string> addresses = addresses_of(html);
  CHECK(addresses.size() > 20);
  for (const std::string& address : addresses) {
    CHECK((address.starts_with("'data:") || address.starts_with("'#") || address.starts_with("x onerr")));
  }
  CHECK_FALSE(contains(html, "url("));
  CHECK_FALSE(contains(html, "@import"));
  data.history.validations.back().protocol = evaluation.protocol;
  CHECK(contains(html_report(data), "Both numbers were made by the same protocol"));
  data.is_validation = true;
  CHECK(contains(html_report(data), "compare numbers only where their protocols are the same"));
}

TEST_CASE("report: 150 classes and pictures of noise stay below 3 MB") {
  Evaluation evaluation = striped_evaluation(150, 8, 60, 40);
  // The worst that pictures can be: noise in every view.
  Random random(1, Purpose::test);
  for (std::vector<Example>* list : {&evaluation.worst, &evaluation.best}) {
    for (Example& example : *list) {
      example.input = Image(360, 360);
      example.truth = example.prediction = LabelMap(360, 360);
      for (uint8_t& value : example.input.rgb) value = static_cast<uint8_t>(random.next_bits());
      for (uint8_t& value : example.truth.index) value = static_cast<uint8_t>(random.next_below(150));
      for (uint8_t& value : example.prediction.index) value = static_cast<uint8_t>(random.next_below(150));
    }
  }
  const std::string html = html_report(report_data(&evaluation, 5000));
  CHECK(html.size() < 3000000);
  CHECK(contains(html, "The 30 classes with the most pixels, of 150"));
}

TEST_CASE("report: with next to nothing to show") {
  ReportData data;
  data.title = "empty";
  data.kind = "training";
  CHECK(contains(html_report(data), "Nothing was logged yet"));
  const std::string one = html_report(report_data(nullptr, 1));
  CHECK(contains(one, "Nothing was validated"));
  CHECK_FALSE(contains(one, "id='classes'"));
  // A picture whose every pixel is ignored, and a class that nobody has.
  Evaluation evaluation = striped_evaluation(3, 1);
  evaluation.counts = ConfusionMatrix(3);
  evaluation.boundary = BoundaryCounts(3);
  evaluation.metrics = evaluation.counts.metrics();
  evaluation.pictures[0].pixels = 0;
  evaluation.worst.clear();
  const std::string nothing = html_report(report_data(&evaluation, 0));
  CHECK(contains(nothing, "absent"));
  CHECK(contains(nothing, "no pixel"));
  CHECK_FALSE(contains(nothing, "nan"));
}

TEST_CASE("report: base64 and JPEG") {
  const auto text = [](const std::string& bytes) {
    return base64({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  };
  // RFC 4648, section 10.
  CHECK(text("") == "");
  CHECK(text("f") == "Zg==");
  CHECK(text("fo") == "Zm8=");
  CHECK(text("foobar") == "Zm9vYmFy");
  Image image(37, 21);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      image.at(x, y)[0] = static_cast<uint8_t>(5 * x);
      image.at(x, y)[1] = static_cast<uint8_t>(9 * y);
      image.at(x, y)[2] = 90;
    }
  }
  const Image again = decode_jpeg("test", encode_jpeg(image, 95));
  REQUIRE(again.width == 37);
  for (size_t i = 0; i < image.rgb.size(); ++i) REQUIRE(std::abs(image.rgb[i] - again.rgb[i]) < 16);
}

TEST_CASE("history: a log with torn, foreign and repeated lines") {
  const TempFolder folder;
  CHECK(read_history(folder.file("none.jsonl")).empty());
  const auto line = [](int iteration, double loss) {
    return fmt::format(R"({{"type":"train","iteration":{},"epoch":1,"lr":0.1,"loss":{}}})", iteration, loss);
  };
  std::string log = line(10, 3) + "\n" + line(20, 2) + "\n" +
                    R"({"type":"validation","iteration":20,"mIoU":0.25,"protocol":"p"})" + "\n" + line(30, 1.5) +
                    "\n[1,2]\nnonsense\n" + R"({"type":"train","iteration":"x"})" + "\n";
  log += R"({"type":"train","iteration":40,"loss":null})" + std::string("\n") + std::string(100000, 'x') + "\n";
  log += line(30, 1.25) + "\n" + R"({"type":"train","iteration":50,"lo)";
  write_bytes(folder.file("log.jsonl"), log);
  const RunHistory history = read_history(folder.file("log.jsonl"));
  REQUIRE(history.steps.size() == 3);
  CHECK(history.steps[2].iteration == 30);
  CHECK(history.steps[2].loss == 1.25);
  CHECK(std::isnan(history.steps[2].main_loss));
  REQUIRE(history.validations.size() == 1);
  CHECK(history.best_validation()->miou == 0.25);
  CHECK(history.validations[0].protocol == "p");
  CHECK(history.skipped_lines == 5);
  CHECK_FALSE(history.cut);
}

TEST_CASE("examples: the worst and the best of many, each once") {
  const auto keep = [](const std::vector<double>& scores, int each) {
    ExampleKeeper keeper(each, 16);
    const Pair pair{Image(40, 20), LabelMap(40, 20)};
    for (size_t i = 0; i < scores.size(); ++i) keeper.offer(static_cast<int64_t>(i), scores[i], pair, pair.labels);
    std::vector<int64_t> kept;
    for (const Example& example : keeper.worst()) kept.push_back(example.picture);
    kept.push_back(-1);
    for (const Example& example : keeper.best()) kept.push_back(example.picture);
    return kept;
  };
  CHECK(keep({0.5, 0.1, 0.9, 0.3, 0.7}, 2) == std::vector<int64_t>{1, 3, -1, 2, 4});
  CHECK(keep({0.5, 0.1, 0.9}, 2) == std::vector<int64_t>{1, 0, -1, 2});
  CHECK(keep({0.5, 0.5, 0.5, 0.5}, 2) == std::vector<int64_t>{0, 1, -1, 3, 2});
  CHECK(keep({0.5, 0.5, 0.5}, 2) == std::vector<int64_t>{0, 1, -1, 2});
  CHECK(keep({0.5}, 2) == std::vector<int64_t>{0, -1});
  CHECK(keep({}, 2) == std::vector<int64_t>{-1});
  CHECK(keep({0.1, 0.2}, 0) == std::vector<int64_t>{-1});
  ExampleKeeper keeper(1, 16);
  keeper.offer(0, 1, {Image(40, 20), LabelMap(40, 20)}, LabelMap(40, 20, 1));
  CHECK(keeper.worst()[0].input.width == 16);
  CHECK(keeper.worst()[0].truth.height == 8);
  CHECK(keeper.worst()[0].width == 40);
}

TEST_CASE("report: a training writes it after validations, and goes on with it where it is resumed") {
  const TinySet set;
  Config config = set.config("run");
  config.train.evaluate = true;
  config.train.epochs = 1;
  config.command = "giza train --config tiny.yaml TRAIN.epochs 1";
  train(config);
  const std::string page = read_bytes(set.file("run/report.html"));
  CHECK(contains(page, "finished: iteration 4 of 4"));
  CHECK(contains(page, "Validation during training, epoch 1"));
  CHECK(contains(page, "not mirrored"));
  CHECK(contains(page, "giza train --config tiny.yaml TRAIN.epochs 1"));
  CHECK(contains(page, "id='pictures'"));
  // Nothing is left to do: the page stays.
  config.train.resume = "auto";
  train(config);
  CHECK(read_bytes(set.file("run/report.html")) == page);

  Config plain = set.config("plain");
  plain.train.epochs = 1;
  plain.train.evaluate = false;
  train(plain);
  const std::string curves = read_bytes(set.file("plain/report.html"));
  CHECK(contains(curves, "Loss over the iterations"));
  CHECK(contains(curves, "Nothing was validated"));
}

}  // namespace
}  // namespace giza::train
