// Checkpoints: whole or absent, checked, and found again. The run folder's lock.
#include "train/checkpoint.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>

#include "models/pspnet.h"
#include "models/weights/infer.h"
#include "models/weights/state_dict.h"
#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"
#include "train/resume.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

/// A tiny model whose weights and momentum are told apart by `seed`.
struct Run {
  explicit Run(uint64_t seed) : model(options(seed)), optimizer(model.parameter_groups(10), {}) {
    float value = static_cast<float>(seed);
    for (const Sgd::Velocity& velocity : optimizer.velocities()) {
      for (int64_t i = 0; i < velocity.tensor.numel(); ++i) velocity.tensor.data()[i] = value += 0.25F;
    }
  }

  static models::PspnetOptions options(uint64_t seed) {
    models::PspnetOptions options;
    options.backbone.blocks = {1, 1, 1, 1};
    options.backbone.block = models::BlockKind::basic;
    options.backbone.width = 0.125;
    options.classes = 3;
    options.bins = {1};
    options.seed = seed;
    return options;
  }

  std::vector<std::vector<float>> numbers() const {
    std::vector<std::vector<float>> all;
    for (const auto& parameter : model.parameters()) all.push_back(parameter.variable.value().to_vector());
    for (const auto& buffer : model.buffers()) all.push_back(buffer.tensor.to_vector());
    for (const auto& velocity : optimizer.velocities()) all.push_back(velocity.tensor.to_vector());
    return all;
  }

  models::Pspnet model;
  Sgd optimizer;
};

TrainingState state_at(int64_t iteration) {
  return {.iteration = iteration,
          .seed = uint64_t{1} << 63,
          .config_hash = "c",
          .list_hash = "d",
          .model = models::options_to_json(Run::options(1).network()),
          .log = "{}"};
}

std::vector<std::string> files(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST_CASE("checkpoint: everything comes back to the bit; weights alone load as a model") {
  const TempFolder temp;
  const RunFolder folder(temp.file("run"));
  const Run run(1), other(2);
  const std::string path = save_checkpoint(folder, run.model, run.optimizer.velocities(), state_at(1200), 2);
  CHECK(path == folder.file("iter_00001200.safetensors"));
  CHECK(fs::read_symlink(folder.file("last.safetensors")) == "iter_00001200.safetensors");
  REQUIRE(other.numbers() != run.numbers());
  const TrainingState state = state_of_checkpoint(read_checkpoint(path), path);
  restore_checkpoint(read_checkpoint(path), path, other.model, other.optimizer.velocities());
  CHECK(other.numbers() == run.numbers());
  CHECK(state.iteration == 1200);
  CHECK(state.seed == uint64_t{1} << 63);
  CHECK(state.config_hash == "c");
  CHECK(state.list_hash == "d");
  CHECK(state.log == "{}");
  const models::WeightFile file = models::read_safetensors(path);
  CHECK(file.find("layer0.1.num_batches_tracked")->integers == std::vector<int64_t>{1200});
  CHECK(file.find("optim.layer0.0.weight")->shape == file.find("layer0.0.weight")->shape);
  CHECK(models::load_parser(folder.file("last.safetensors"))->classes() == 3);
}

TEST_CASE("checkpoint: only the newest few are kept, and last points at the newest") {
  const TempFolder temp;
  const RunFolder folder(temp.file("run"));
  const Run run(1);
  for (const int64_t iteration : {1, 2, 10, 100000000, 200000000}) {
    save_checkpoint(folder, run.model, run.optimizer.velocities(), state_at(iteration), 2);
  }
  CHECK(files(folder.path()) ==
        std::vector<std::string>{"iter_100000000.safetensors", "iter_200000000.safetensors", "last.safetensors"});
  CHECK(fs::read_symlink(folder.file("last.safetensors")) == "iter_200000000.safetensors");
  std::vector<std::string> warnings;
  CHECK(newest_checkpoint(folder.path(), &warnings)->path == folder.file("iter_200000000.safetensors"));
  CHECK(warnings.empty());
  CHECK(!newest_checkpoint(temp.path(), &warnings));
  CHECK(!newest_checkpoint(temp.file("none"), &warnings));
  // The one just written stays, whatever is asked for.
  const std::string written = save_checkpoint(folder, run.model, run.optimizer.velocities(), state_at(200000001), 0);
  CHECK(files(folder.path()) == std::vector<std::string>{"iter_200000001.safetensors", "last.safetensors"});
  CHECK(fs::exists(written));
}

TEST_CASE("checkpoint: a copy, or a link to a checkpoint elsewhere, is found where it is the only one") {
  const TempFolder temp;
  const RunFolder folder(temp.file("run"));
  const Run run(1);
  const std::string written = save_checkpoint(folder, run.model, run.optimizer.velocities(), state_at(10), 5);
  const std::string other = temp.file("other"), last = other + "/last.safetensors";
  fs::create_directory(other);
  std::vector<std::string> warnings;
  fs::copy_file(written, last);
  CHECK(newest_checkpoint(other, &warnings)->path == last);
  CHECK(contains(message_of<Refusal>([&] { checkpoint_to_resume("", other); }), "earlier run"));
  CHECK(checkpoint_to_resume("auto", other)->path == last);
  fs::remove(last);
  fs::create_symlink(written, last);
  CHECK(newest_checkpoint(other, &warnings)->path == last);
  CHECK(warnings.empty());
  fs::remove(last);
  write_bytes(last, "somebody's own");
  CHECK_FALSE(newest_checkpoint(other, &warnings));
  CHECK(warnings.size() == 1);
  CHECK(contains(message_of<Refusal>([&] { checkpoint_to_resume("", other); }), "none of its checkpoints is whole"));
}

TEST_CASE("checkpoint: a damaged newest one is passed over, with the reason") {
  const TempFolder temp;
  const RunFolder folder(temp.file("run"));
  const Run run(1);
  save_checkpoint(folder, run.model, run.optimizer.velocities(), state_at(10), 5);
  const std::string newest = save_checkpoint(folder, run.model, run.optimizer.velocities(), state_at(20), 5);
  const std::string whole = read_bytes(newest);
  const auto found = [&](std::string* warning) {
    std::vector<std::string> warnings;
    const auto checkpoint = newest_checkpoint(folder.path(), &warnings);
    *warning = warnings.empty() ? "" : warnings.front();
    return checkpoint ? checkpoint->path : "";
  };
  std::string warning;
  CHECK(found(&warning) == newest);
  for (const size_t size : {size_t{0}, size_t{7}, whole.size() / 2, whole.size() - 1}) {
    write_bytes(newest, whole.substr(0, size));
    CHECK(found(&warning) == folder.file("iter_00000010.safetensors"));
    CHECK(warning.starts_with(newest + ": "));
  }
  // A flipped bit, in the data and in the metadata.
  for (const size_t place : {whole.size() - 1, whole.size() / 2, whole.find("giza.seed") + 13}) {
    std::string changed = whole;
    changed[place] = static_cast<char>(changed[place] ^ 1);
    write_bytes(newest, changed);
    CHECK(found(&warning) == folder.file("iter_00000010.safetensors"));
    CHECK(contains(warning, "checksum"));
  }
  // What a kill leaves behind is no checkpoint.
  fs::remove(newest);
  write_bytes(newest + ".4711.tmp", whole.substr(0, 100));
  write_bytes(folder.file("iter_.safetensors"), whole);
  write_bytes(folder.file("iter_12x.safetensors"), whole);
  CHECK(found(&warning) == folder.file("iter_00000010.safetensors"));
  CHECK(warning.empty());
}

TEST_CASE("checkpoint: a full disk leaves the last one valid") {
  const TempFolder temp;
  const RunFolder folder(temp.file("run"));
  const Run run(1);
  const std::string path = save_checkpoint(folder, run.model, run.optimizer.velocities(), state_at(10), 1);
  rlimit old_limit{};
  getrlimit(RLIMIT_FSIZE, &old_limit);
  const rlimit limit{10000, old_limit.rlim_max};
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &limit);
  CHECK_THROWS_AS(save_checkpoint(folder, run.model, run.optimizer.velocities(), state_at(20), 1), Error);
  setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  CHECK(files(folder.path()) == std::vector<std::string>{"iter_00000010.safetensors", "last.safetensors"});
  std::vector<std::string> warnings;
  CHECK(newest_checkpoint(folder.path(), &warnings)->path == path);
}

TEST_CASE("checkpoint: what does not fit changes nothing") {
  const TempFolder temp;
  const RunFolder folder(temp.file("run"));
  const Run run(1), other(2);
  const std::string path = save_checkpoint(folder, run.model, run.optimizer.velocities(), state_at(10), 1);
  const models::WeightFile good = read_checkpoint(path);
  const auto before = other.numbers();
  const auto refused = [&](auto change) {
    models::WeightFile file = good;
    change(file);
    const std::string text = message_of<Refusal>([&] {
      state_of_checkpoint(file, path);
      restore_checkpoint(file, path, other.model, other.optimizer.velocities());
    });
    CHECK(text.starts_with(path + ": "));
    CHECK(other.numbers() == before);
  };
  refused([](auto& file) { file.metadata.erase("giza.iteration"); });
  refused([](auto& file) { file.metadata["giza.iteration"] = "-1"; });
  refused([](auto& file) { file.metadata["giza.iteration"] = "12 "; });
  refused([](auto& file) { file.metadata["giza.seed"] = "99999999999999999999999"; });
  refused([](auto& file) { file.tensors.pop_back(); });
  refused([](auto& file) { file.tensors.back().data.pop_back(); });
  refused([](auto& file) { file.tensors.front().name = "other"; });
  // Bare weights are no checkpoint.
  models::write_safetensors(folder.file("bare.safetensors"), models::state_dict(run.model));
  CHECK(contains(message_of<Refusal>([&] { read_checkpoint(folder.file("bare.safetensors")); }), "TRAIN.weight"));
}

TEST_CASE("run folder: one run at a time") {
  const TempFolder temp;
  {
    const RunFolder first(temp.file("a/b"));
    CHECK(contains(message_of<Refusal>([&] { const RunFolder second(temp.file("a/b")); }), "another run"));
  }
  // Nothing was written into the folders that it made.
  CHECK(!fs::exists(temp.file("a")));
  CHECK(fs::exists(temp.path()));
  fs::create_directories(temp.file("a"));
  { const RunFolder kept(temp.file("a/b/c/")); }
  CHECK(fs::is_empty(temp.file("a")));
  {
    const RunFolder used(temp.file("a/b"));
    write_bytes(temp.file("a/b/log.jsonl"), "");
  }
  CHECK(fs::exists(temp.file("a/b/log.jsonl")));
  const RunFolder again(temp.file("a/b"));
  write_bytes(temp.file("plain"), "");
  CHECK_THROWS_AS(RunFolder(temp.file("plain")), Refusal);
}

TEST_CASE("run folder: a pipe or a folder where a file of the run belongs is refused before it blocks") {
  const TempFolder folder;
  for (const char* name : {"log.jsonl", "config.yaml", "report.html"}) {
    REQUIRE(::mkfifo(folder.file(name).c_str(), 0600) == 0);
    CHECK(contains(message_of<Refusal>([&] { RunFolder(folder.path()); }), std::string(name) + ": is no regular file"));
    fs::remove(folder.file(name));
  }
  fs::create_directory(folder.file("last.safetensors"));
  CHECK(contains(message_of<Refusal>([&] { RunFolder(folder.path()); }), "last.safetensors: is no regular file"));
  fs::remove(folder.file("last.safetensors"));
  fs::create_symlink("iter_00000001.safetensors", folder.file("last.safetensors"));  // leads nowhere: a kill's
  const RunFolder held(folder.path());
}

}  // namespace
}  // namespace giza::train
