// The main path on a tiny data set: scenes, train, eval, predict, compare, run; signals and resume.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "models/weights/npy.h"
#include "tests/cli/program.h"
#include "tests/support/refusal.h"
#include "train/cost/memory.h"
#include "train/data/image/image.h"
#include "train/data/known_datasets.h"

namespace giza::testing {
namespace fs = std::filesystem;

TEST_CASE("scenes, train, eval, predict, compare, run") {
  const TempFolder folder;
  make_tiny_run(folder.path());

  const Outcome trained = run_giza("train --threads 1 --config tiny.yaml --json --quiet", folder.path());
  CAPTURE(trained.err);
  REQUIRE(trained.status == 0);
  CHECK(trained.err.empty());
  const auto result = nlohmann::json::parse(trained.out);
  CHECK(result["iterations"] == 4);
  CHECK(fs::exists(folder.file(result["checkpoint"].get<std::string>())));
  CHECK(fs::exists(folder.file("run/config.yaml")));
  CHECK(fs::exists(folder.file("run/log.jsonl")));

  SUBCASE("eval writes metrics and masks") {
    const Outcome eval = run_giza("eval --threads 1 --config tiny.yaml --json --quiet", folder.path());
    CAPTURE(eval.err);
    REQUIRE(eval.status == 0);
    CHECK(eval.err.empty());
    const auto printed = nlohmann::json::parse(eval.out);
    const auto written = nlohmann::json::parse(read_file(folder.file("run/val/metrics.json")));
    CHECK(printed == written);
    for (const char* key : {"mIoU", "mAcc", "allAcc", "mIoU_present", "protocol", "images", "seconds", "classes"}) {
      CAPTURE(key);
      CHECK(written.contains(key));
    }
    CHECK(written["images"] == 2);
    CHECK(written["classes"].size() == 12);
    CHECK(written["classes"][0]["name"] == "sky");
    CHECK(fs::exists(folder.file("run/val/gray/scene_00001.png")));
    CHECK(fs::exists(folder.file("run/val/color/scene_00001.png")));

    const Outcome again =
        run_giza("eval --threads 1 --config tiny.yaml TEST.has_prediction true --json --quiet", folder.path());
    REQUIRE(again.status == 0);
    CHECK(nlohmann::json::parse(again.out)["mIoU"] == printed["mIoU"]);

    const Outcome part = run_giza("eval --threads 1 --config tiny.yaml index_start 1 --json --quiet", folder.path());
    CHECK(nlohmann::json::parse(part.out)["images"] == 1);
    // An override whose value looks like a list, and one that looks like a subcommand.
    const Outcome scales =
        run_giza("eval --threads 1 --config tiny.yaml scales '[0.5, 1.0]' split train --json --quiet", folder.path());
    REQUIRE(scales.status == 0);
    CHECK(nlohmann::json::parse(scales.out)["protocol"].get<std::string>().find("0.5") != std::string::npos);

    // The page says what makes it again, quoted for a shell.
    const Outcome quoted = run_giza(
        "eval --threads 1 --config tiny.yaml scales '[0.5, 1.0]' save_folder \"it's; here\" --quiet", folder.path());
    REQUIRE_MESSAGE(quoted.status == 0, quoted.err);
    CHECK(read_file(folder.file("it's; here/report.html"))
              .find("giza eval --config tiny.yaml TRAIN.threads 1 TEST.scales &#39;[0.5, 1]&#39; TEST.save_folder "
                    "&#39;it&#39;\\&#39;&#39;s; here&#39;") != std::string::npos);

    const Outcome compared = run_giza(
        "compare --threads 1 --config tiny.yaml --out sheets --group 'context=boat,car,building' "
        "first=run/val second=run/val --quiet",
        folder.path());
    CAPTURE(compared.err);
    CHECK(compared.status == 0);
    CHECK(compared.out.find("context") != std::string::npos);
    CHECK(fs::exists(folder.file("sheets/sheet_01.png")));
    CHECK(fs::exists(folder.file("sheets/groups.png")));
    // Without colours of the data set the sheets have some all the same.
    std::string plain = read_file(folder.file("tiny.yaml"));
    const std::string colors = "  colors_path: scenes/colors.txt\n";
    plain.erase(plain.find(colors), colors.size());
    write_file(folder.file("plain.yaml"), plain);
    REQUIRE(run_giza("compare --threads 1 --config plain.yaml --out plain first=run/val second=run/val --quiet",
                     folder.path())
                .status == 0);
    const train::Image sheet = train::read_image(folder.file("plain/sheet_01.png"));
    std::set<std::array<uint8_t, 3>> seen;
    for (size_t i = 0; i + 2 < sheet.rgb.size(); i += 3)
      seen.insert({sheet.rgb[i], sheet.rgb[i + 1], sheet.rgb[i + 2]});
    CHECK(seen.contains(std::array<uint8_t, 3>(train::voc_color(2))));
  }

  SUBCASE("eval without labels only predicts") {
    write_file(folder.file("list.txt"), "val/scene_00000.png\n");
    const Outcome outcome = run_giza(
        "eval --threads 1 --config tiny.yaml split test test_list list.txt save_folder seen --quiet", folder.path());
    CAPTURE(outcome.err);
    CHECK(outcome.status == 0);
    CHECK(fs::exists(folder.file("seen/gray/scene_00000.png")));
    CHECK(!fs::exists(folder.file("seen/metrics.json")));

    // Without a file of colours, those of PASCAL VOC's rule.
    const std::string plain = "DATA.names_path '' DATA.colors_path '' ";
    for (const char* split : {"test", "val"}) {
      CAPTURE(split);
      const std::string list = split == std::string("test") ? "test_list list.txt " : "";
      const Outcome uncolored = run_giza("eval --threads 1 --config tiny.yaml --quiet " + plain + list +
                                             "save_masks true save_folder plain_" + split + " split " + split,
                                         folder.path());
      CAPTURE(uncolored.err);
      CHECK(uncolored.status == 0);
      const std::string out = folder.file("plain_") + split;
      REQUIRE(fs::exists(out + "/color/scene_00000.png"));
      const auto gray = giza::train::read_labels(out + "/gray/scene_00000.png");
      const auto color = giza::train::read_image(out + "/color/scene_00000.png");
      const giza::train::Color wanted = giza::train::voc_color(gray.at(20, 20));
      CHECK(std::equal(wanted.begin(), wanted.end(), color.at(20, 20)));
    }
  }

  SUBCASE("weights taken elsewhere, and converted there, still name their classes") {
    const TempFolder elsewhere;
    fs::copy_file(folder.file(result["checkpoint"].get<std::string>()), elsewhere.file("w.safetensors"));
    fs::copy_file(folder.file("scenes/val/scene_00000.png"), elsewhere.file("a.png"));
    REQUIRE(run_giza("convert w.safetensors w.pth", elsewhere.path()).status == 0);
    const auto here = nlohmann::json::parse(
        run_giza("predict --threads 1 --weights run/last.safetensors --out seen --json scenes/val/scene_00000.png",
                 folder.path())
            .out);
    for (const char* weights : {"w.safetensors", "w.pth"}) {
      CAPTURE(weights);
      const Outcome there = run_giza(
          "predict --threads 1 --json --out seen --weights " + std::string(weights) + " a.png", elsewhere.path());
      CAPTURE(there.err);
      REQUIRE(there.status == 0);
      const auto json = nlohmann::json::parse(there.out);
      CHECK(json["classes"] == here["classes"]);
      CHECK(json.dump().find("class ") == std::string::npos);
      CHECK(read_file(elsewhere.file("seen/a_color.png")) == read_file(folder.file("seen/scene_00000_color.png")));
    }
  }

  SUBCASE("eval refuses weights of other classes") {
    const Outcome outcome = run_giza("eval --threads 1 --config tiny.yaml DATA.classes 11 --quiet", folder.path());
    CHECK(outcome.status == 2);
    CHECK(one_line_refusal(outcome.err));
    CHECK(outcome.err.find("12 classes") != std::string::npos);
  }

  SUBCASE("predict") {
    fs::copy_file(folder.file("scenes/val/scene_00000.png"), folder.file("[odd] name,1.png"));
    const Outcome predicted = run_giza(
        "predict --threads 1 --weights run/last.safetensors --out seen '[odd] name,1.png' "
        "scenes/val/scene_00001.png --json --quiet",
        folder.path());
    CAPTURE(predicted.err);
    REQUIRE(predicted.status == 0);
    CHECK(predicted.err.empty());
    const auto line = nlohmann::json::parse(predicted.out.substr(0, predicted.out.find('\n')));
    double sum = 0;
    for (const auto& entry : line["classes"]) sum += entry["share"].get<double>();
    CHECK(sum == doctest::Approx(1));
    for (const char* kind : {"label", "color", "overlay"}) {
      CHECK(fs::exists(folder.file(("seen/[odd] name,1_" + std::string(kind) + ".png"))));
      CHECK(fs::exists(folder.file(line[kind].get<std::string>())));
    }
    // Without the configuration beside them, the weights themselves say the names.
    fs::copy_file(folder.file("run/last.safetensors"), folder.file("bare.safetensors"));
    const Outcome bare =
        run_giza("predict --threads 1 --weights bare.safetensors --out bare scenes/val/scene_00001.png --no-mirror",
                 folder.path());
    CHECK(bare.status == 0);
    CHECK(bare.out.find("class ") == std::string::npos);

    const Outcome twice = run_giza(
        "predict --threads 1 --weights run/last.safetensors --out other scenes/val/scene_00000.png "
        "scenes/train/scene_00000.png",
        folder.path());
    CHECK(twice.status == 2);
    CHECK(one_line_refusal(twice.err));
    CHECK(!fs::exists(folder.file("other")));
    // Results among the pictures would be pictures of the next run.
    for (const char* out : {"scenes/val", "scenes/val/../val/", "scenes/val/new/seen", "scenes/val/new/"}) {
      CAPTURE(out);
      const Outcome inside =
          run_giza(std::string("predict --threads 1 --weights run/last.safetensors --out ") + out + " scenes/val",
                   folder.path());
      CHECK(inside.status == 2);
      CHECK(one_line_refusal(inside.err));
      CHECK(inside.err.find("outside of it") != std::string::npos);
      CHECK(!fs::exists(folder.file("scenes/val/scene_00000_label.png")));
      CHECK(!fs::exists(folder.file("scenes/val/new")));
    }
    const Outcome beside = run_giza(
        "predict --threads 1 --weights run/last.safetensors --out scenes/val_seen scenes/val --quiet", folder.path());
    CAPTURE(beside.err);
    CHECK(beside.status == 0);
    // A header alone: whether there is memory for a picture is asked before its pixels are decoded. The scales make
    // maps of 28 GB.
    const std::string png = read_file(folder.file("[odd] name,1.png"));
    write_file(folder.file("huge.png"),
               png.substr(0, 16) + std::string("\0\0\x32\xC8\0\0\x32\xC8", 8) + png.substr(24));
    write_file(folder.file("scales.yaml"), read_file(folder.file("tiny.yaml")) + "  scales: [1.0, 1.02]\n");
    const Outcome huge = run_giza(
        "predict --threads 1 --config scales.yaml --weights run/last.safetensors --out other huge.png", folder.path());
    CAPTURE(huge.err);
    CHECK(huge.status == 2);
    CHECK(one_line_refusal(huge.err));
    if (giza::memory_limit().bytes < 28'000'000'000) {
      CHECK(huge.err.find("huge.png: 13000 x 13000 pixels take about") != std::string::npos);
    }
    write_file(folder.file("text.png"), "no picture");
    const Outcome text =
        run_giza("predict --threads 1 --weights run/last.safetensors --out other text.png", folder.path());
    CHECK(text.status == 2);
    CHECK(one_line_refusal(text.err));

    // Among others, a broken one is passed over, and named at the end.
    fs::create_directories(folder.file("photos"));
    for (const char* name : {"a.png", "c.png"}) {
      fs::copy_file(folder.file("scenes/val/scene_00000.png"), folder.file("photos/") + name);
    }
    write_file(folder.file("photos/b.png"), "no picture");
    const std::string predict = "predict --threads 1 --quiet --weights run/last.safetensors --out ";
    const Outcome some = run_giza(predict + "some photos", folder.path());
    CHECK(some.status == 1);
    CHECK(contains(some.err, "giza: photos/b.png: "));
    CHECK(some.err.ends_with("giza: 1 of 3 pictures could not be predicted: photos/b.png\n"));
    CHECK(fs::exists(folder.file("some/c_label.png")));
    CHECK(!fs::exists(folder.file("some/b_label.png")));

    // One whose results would have too long names, too.
    fs::remove(folder.file("photos/b.png"));
    fs::copy_file(folder.file("photos/a.png"), folder.file("photos/" + std::string(250, 'n') + ".png"));
    const Outcome lengthy = run_giza(predict + "lengthy photos", folder.path());
    CHECK(lengthy.status == 1);
    CHECK(contains(lengthy.err, "give the picture a shorter name"));
    CHECK(fs::exists(folder.file("lengthy/c_overlay.png")));
    REQUIRE(mkfifo(folder.file("pipe.png").c_str(), 0600) == 0);
    CHECK(
        contains(run_giza(predict + "piped pipe.png", folder.path()).err, "pipe.png: is a pipe or a device, expected"));

    // Results never take the place of pictures.
    fs::create_directories(folder.file("eat"));
    for (const char* name : {"x.png", "x_label.png"}) {
      fs::copy_file(folder.file("scenes/val/scene_00000.png"), folder.file("eat/") + name);
    }
    const std::string before = read_file(folder.file("eat/x_label.png"));
    const Outcome eaten = run_giza(predict + "eat eat/*.png", folder.path());
    CHECK(eaten.status == 2);
    CHECK(one_line_refusal(eaten.err));
    CHECK(contains(eaten.err, "would be overwritten"));
    CHECK(read_file(folder.file("eat/x_label.png")) == before);
    CHECK(run_giza(predict + "'' photos/a.png", folder.path()).status == 2);

    // Behind -- nothing is a flag.
    fs::copy_file(folder.file("photos/a.png"), folder.file("-dash.png"));
    CHECK(run_giza(predict + "dashed -dash.png", folder.path()).status == 2);
    CHECK(run_giza(predict + "dashed -- -dash.png", folder.path()).status == 0);
    CHECK(fs::exists(folder.file("dashed/-dash_label.png")));
  }

  SUBCASE("run: the same bytes at any number of threads") {
    giza::models::NpyArray input;
    input.shape = {2, 3, 17, 25};
    for (int i = 0; i < 2 * 3 * 17 * 25; ++i) input.data.push_back(static_cast<float>(i % 13) / 6 - 1);
    giza::models::write_npy(folder.file("x.npy"), input);
    const std::string command = "run --weights run/last.safetensors --input x.npy --json --output ";
    const Outcome one = run_giza(command + "y1.npy --threads 1", folder.path());
    CAPTURE(one.err);
    REQUIRE(one.status == 0);
    CHECK(nlohmann::json::parse(one.out)["shape"] == nlohmann::json({2, 12, 17, 25}));
    REQUIRE(run_giza(command + "y2.npy --threads 2", folder.path()).status == 0);
    CHECK(read_file(folder.file("y1.npy")) == read_file(folder.file("y2.npy")));
    const auto output = giza::models::read_npy(folder.file("y1.npy"));
    CHECK(output.shape == std::vector<int64_t>{2, 12, 17, 25});

    write_file(folder.file("cut.npy"), read_file(folder.file("x.npy")).substr(0, 500));
    const Outcome cut = run_giza("run --weights run/last.safetensors --input cut.npy --output z.npy", folder.path());
    CHECK(cut.status == 2);
    CHECK(one_line_refusal(cut.err));
    CHECK(!fs::exists(folder.file("z.npy")));
  }
}

TEST_CASE("training faults are refused in one line that names the file") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  write_file(folder.file("scenes/train.txt"), "train/scene_00000.png trainannot/scene_00000.png\nnothing.png x.png\n");
  const Outcome outcome = run_giza("train --threads 1 --config tiny.yaml", folder.path());
  CHECK(outcome.status == 2);
  CHECK(outcome.err.find("scenes/train.txt:2: ") != std::string::npos);
  CHECK(one_line_refusal(outcome.err));
  write_file(folder.file("broken.yaml"), "TRAIN:\n  epochs: x\n");
  CHECK(run_giza("train --threads 1 --config broken.yaml", folder.path()).err ==
        "giza: broken.yaml:2: TRAIN.epochs is \"x\", expected an integer from 1 to 1000000\n");
}

TEST_CASE("train: every warning is told, --quiet or not") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  const std::string train = "train --threads 1 --quiet --config tiny.yaml epochs 1 TRAIN.save_path ";
  REQUIRE(run_giza(train + "first", folder.path()).status == 0);
  const Outcome second =
      run_giza(train + "second TRAIN.weight first/last.safetensors aux_channels 24 base_lr 0", folder.path());
  CHECK(second.status == 0);
  CHECK(contains(second.err,
                 "first/last.safetensors does not fit or lacks 6 tensors, which begin as in a new network: aux.0"));
  CHECK(contains(second.err, "TRAIN.base_lr is 0"));
}

TEST_CASE("keys without a meaning on a CPU are named once") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  const Outcome outcome =
      run_giza("train --threads 1 --config tiny.yaml epochs 1 sync_bn True Distributed.rank 0", folder.path());
  CHECK(outcome.status == 0);
  const std::string note = "without a meaning on a CPU, ignored: TRAIN.sync_bn, Distributed.rank\n";
  const size_t first = outcome.err.find(note);
  CHECK(first != std::string::npos);
  CHECK(outcome.err.find(note, first + 1) == std::string::npos);
}

TEST_CASE("a signal finishes the step, saves, and the run resumes to the same bits") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  const std::string train = "train --threads 1 --config tiny.yaml epochs 10 save_freq 10 --quiet ";
  REQUIRE(run_giza(train + "save_path whole", folder.path()).status == 0);
  for (const auto& [name, status] : {std::pair<std::string, int>{"INT", 130}, {"TERM", 143}, {"HUP", 129}}) {
    const std::string& signal = name;  // clang 14 captures no part of a pair
    CAPTURE(signal);
    const std::string run = "run_" + signal;
    // The shell waits until training has begun to log, then sends the signal.
    const Outcome stopped =
        run_giza(train + "save_path " + run + " & pid=$!; for i in $(seq 600); do [ -s " + run +
                     "/log.jsonl ] && break; sleep 0.05; done; kill -" + signal + " $pid; wait $pid",
                 folder.path());
    CAPTURE(stopped.err);
    CHECK(stopped.status == status);
    CHECK(fs::exists(folder.file(run) + "/last.safetensors"));
    const Outcome resumed = run_giza(train + "resume auto save_path " + run, folder.path());
    CAPTURE(resumed.err);
    CHECK(resumed.status == 0);
    CHECK(read_file(folder.file(run) + "/last.safetensors") == read_file(folder.file("whole/last.safetensors")));
  }
}

TEST_CASE("a run with nothing left to train tells the last loss, or none where its log is gone") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  const std::string train = "train --config tiny.yaml epochs 1 resume auto save_path run --quiet";
  REQUIRE(run_giza(train, folder.path()).status == 0);
  CHECK(contains(run_giza(train, folder.path()).out, "nothing was left to train, 2 in all, loss "));
  fs::remove(folder.file("run/log.jsonl"));
  const Outcome without = run_giza(train, folder.path());
  CHECK(without.status == 0);
  CHECK(contains(without.out, "nothing was left to train, 2 in all: run/iter_"));
}

}  // namespace giza::testing
