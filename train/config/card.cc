// What weights say of themselves.
#include "train/config/card.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "models/weights/metadata_json.h"
#include "tensor/base/check.h"
#include "tensor/base/text.h"
#include "train/config/parts.h"

namespace giza::train {
namespace {

using CardJson = nlohmann::ordered_json;

constexpr size_t kMaxCardText = 1 << 20;  // bytes of one entry
constexpr size_t kMaxClassName = 256;     // bytes

/// Calls body(key, field) for all fields of a protocol that a card holds.
template <class Protocol, class Body>
void for_each_field(Protocol& protocol, Body&& body) {
  body("base_size", protocol.base_size);
  body("crop_h", protocol.crop_h);
  body("crop_w", protocol.crop_w);
  body("scales", protocol.scales);
  body("mirror", protocol.mirror);
  body("stride_rate", protocol.stride_rate);
  body("mean", protocol.mean);
  body("std", protocol.std);
}

/// The same for a CRF.
template <class Crf, class Body>
void for_each_crf_field(Crf& crf, Body&& body) {
  body("iterations", crf.iterations);
  body("bilateral_weight", crf.bilateral_weight);
  body("bilateral_xy", crf.bilateral_xy);
  body("bilateral_rgb", crf.bilateral_rgb);
  body("gaussian_weight", crf.gaussian_weight);
  body("gaussian_xy", crf.gaussian_xy);
  body("normalization", crf.normalization);
  body("filter", crf.filter);
}

CardJson protocol_json(const ProtocolOptions& protocol) {
  CardJson json;
  for_each_field(protocol, [&](const char* key, const auto& field) { json[key] = field; });
  // Only where there is one: weights without say the same as before there were any.
  if (protocol.crf) {
    for_each_crf_field(*protocol.crf, [&](const char* key, const auto& field) { json["crf"][key] = field; });
  }
  return json;
}

void check_std(const Rgb& std) {
  for (size_t c = 0; c < 3; ++c) check<Refusal>(std[c] > 0, "a standard deviation that is not above 0");
}

ProtocolOptions protocol_from(const CardJson& json) {
  ProtocolOptions protocol;
  for_each_field(protocol, [&](const char* key, auto& field) { json.at(key).get_to(field); });
  if (json.contains("crf")) {
    const CardJson& crf = json.at("crf");
    for_each_crf_field(protocol.crf.emplace(), [&](const char* key, auto& field) { crf.at(key).get_to(field); });
  }
  check<Refusal>(protocol_json(protocol) == json && protocol.scales.size() <= 64 && protocol.base_size <= 16384 &&
                     protocol.crop_h <= 16384 && protocol.crop_w <= 16384,
                 "values out of range");
  check_std(protocol.std);
  protocol.validate();
  return protocol;
}

/// Calls take(JSON) with an entry, where there is one. Throws Refusal "PLACE: ..." where that fails.
template <class Take>
void read_entry(const std::map<std::string, std::string>& metadata, const char* key, const std::string& place,
                const Take& take) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return;
  try {
    check<Refusal>(found->second.size() <= kMaxCardText, "{} bytes", found->second.size());
    take(models::parse_metadata<CardJson>(found->second));
  } catch (const std::exception& error) {
    throw Refusal(fmt::format("{}: \"{}\" in the metadata is not what giza writes ({}); was the file tampered with?",
                              place, key, quotable(models::json_fault(error))));
  }
}

}  // namespace

ModelCard card_of(const Config& config) { return {class_names(config), class_colors(config), test_protocol(config)}; }

std::map<std::string, std::string> to_metadata(const ModelCard& card) {
  std::map<std::string, std::string> metadata;
  // Names are of any encoding: what is not UTF-8 is replaced rather than refused after a training.
  const auto dump = [](const CardJson& json) { return json.dump(-1, ' ', false, CardJson::error_handler_t::replace); };
  if (!card.names.empty()) metadata[kCardKeys[0]] = dump(card.names);
  if (!card.colors.empty()) metadata[kCardKeys[1]] = dump(card.colors);
  if (card.protocol) metadata[kCardKeys[2]] = dump(protocol_json(*card.protocol));
  return metadata;
}

ModelCard card_from_metadata(const std::map<std::string, std::string>& metadata, int64_t classes,
                             const std::string& place) {
  ModelCard card;
  const auto read = [&](const char* key, const auto& take) { read_entry(metadata, key, place, take); };
  const auto count = static_cast<size_t>(classes);
  read(kCardKeys[0], [&](const CardJson& json) {
    json.get_to(card.names);
    check<Refusal>(card.names.size() == count, "{} names for {} classes", card.names.size(), classes);
    for (std::string& name : card.names) name = quotable(name, kMaxClassName);
  });
  read(kCardKeys[1], [&](const CardJson& json) {
    for (const CardJson& color : json) {
      check<Refusal>(color.is_array() && color.size() == 3, "a colour of {} numbers", color.size());
      Color rgb;
      for (size_t c = 0; c < rgb.size(); ++c) {
        const int64_t value = models::whole_number(color[c]);
        check<Refusal>(value >= 0 && value <= 255, "the colour value {}", value);
        rgb[c] = static_cast<uint8_t>(value);
      }
      card.colors.push_back(rgb);
    }
    check<Refusal>(card.colors.size() >= count, "{} colours for {} classes", card.colors.size(), classes);
  });
  read(kCardKeys[2], [&](const CardJson& json) { card.protocol = protocol_from(json); });
  return card;
}

std::optional<Normalization> normalization_from_metadata(const std::map<std::string, std::string>& metadata,
                                                         const std::string& place) {
  std::optional<Normalization> told;
  read_entry(metadata, models::kNormalizationKey, place, [&](const CardJson& json) {
    told.emplace();
    json.at("mean").get_to(told->mean);
    json.at("std").get_to(told->std);
    check_std(told->std);
  });
  read_entry(metadata, kCardKeys[2], place, [&](const CardJson& json) {
    const ProtocolOptions protocol = protocol_from(json);
    told = {protocol.mean, protocol.std};
  });
  return told;
}

}  // namespace giza::train
