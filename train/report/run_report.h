// Gathers what report.html shows, and writes it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/config/config.h"
#include "train/data/dataset.h"
#include "train/eval/evaluator.h"
#include "train/report/html_report.h"

namespace giza::train {

/// How many of the worst and of the best pictures a page shows: EvaluateOptions::examples.
inline constexpr int kReportExamples = 4;

/// FNV-1a over the file names of the pictures in their order, without folders, as a data set may move: what tells one
/// list from another in checkpoints and reports. 16 hex digits.
std::string list_hash(const Dataset& dataset);

/// Version, processor, SIMD target, threads, memory, what the process used of it at most, host system.
std::vector<ReportFact> machine_facts();
/// "2026-11-22 14:03 UTC"
std::string now_utc();

/// A training at some point of it.
struct TrainingReport {
  std::string folder;  ///< the run's: log.jsonl is read from here
  int64_t iteration = 0, iterations = 0, iterations_per_epoch = 1;
  double seconds = 0;                       ///< of the run so far, across resumes
  const Dataset* training_set = nullptr;    ///< never null
  const Dataset* validation_set = nullptr;  ///< null without validation
  const Evaluation* validation = nullptr;   ///< the last one, null where there was none yet
  int64_t validation_iteration = 0;
};
/// Writes FOLDER/report.html, whole or not at all. Throws Error when writing fails.
void write_training_report(const Config& config, const TrainingReport& training);

/// The page of an evaluation, with the curves of its training where log.jsonl lies beside TEST.model_path. Throws Error
/// when writing fails.
void write_evaluation_report(const std::string& path, const Config& config, const Dataset& dataset,
                             const Evaluation& evaluation);

}  // namespace giza::train
